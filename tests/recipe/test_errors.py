import pytest

from djfast.errors import RecipeError
from djfast.recipe import load_recipe

CASES = {
    "np: 0": "np must be >= 1, got 0",
    "np: four": "np must be an integer or auto, got 'four'",
    "np: true": "np must be an integer or auto, got True",
    "projct_name: x": "no such key (did you mean 'project_name'?), got 'projct_name'",
    "zzzzzzzz: x": "no such key, got 'zzzzzzzz'",
    "text_length_filter: {}": "text_length_filter is an OP, it belongs into the list under process",
    "executor_type: spark": "executor_type must be one of default, ray, ray_partitioned, got 'spark'",
    "compat: dolma": "compat must be one of null, data-juicer, got 'dolma'",
    "export_type: iceberg": (
        "export_type cannot be used here: djfast writes jsonl, json, csv, tsv, parquet, arrow, feather, webdataset, hf, lance, "
        "got 'iceberg'"
    ),
    "export_type: docx": (
        "export_type must be one of null, jsonl, json, csv, tsv, parquet, arrow, feather, webdataset, hf, lance, got 'docx'"
    ),
    "export_path: x.docx": (
        "export_path must end in .jsonl, .json, .csv, .tsv (these also in .gz, .zst, .bz2, .xz), .parquet, .arrow, .feather, "
        ".tar, .hf, .lance, or export_type must be set, got 'x.docx'"
    ),
    "{export_path: x.parquet.gz}": (
        "export_path must end in .jsonl, .json, .csv, .tsv (these also in .gz, .zst, .bz2, .xz), .parquet, .arrow, .feather, "
        ".tar, .hf, .lance, or export_type must be set, got 'x.parquet.gz'"
    ),
    "{export_path: x.zst, export_type: lance}": (
        "export_path must not have a compression suffix if export_type is lance, got 'x.zst'"
    ),
    "{export_path: x.parquet, export_extra_args: {compresion: zstd}}": (
        "export_extra_args: parquet has no such argument: it takes compression (did you mean 'compression'?), got 'compresion'"
    ),
    "{export_path: x.parquet, export_extra_args: {compression: zip}}": (
        "export_extra_args: compression must be one of zstd, snappy, gzip, lz4, none, got 'zip'"
    ),
    "export_extra_args: {lines: true}": "export_extra_args: jsonl has no such argument: it takes none, got 'lines'",
    "{export_path: x.tar, export_extra_args: {field_mapping: {../up: text}}}": (
        "export_extra_args: field_mapping must map extensions such as txt to fields, got the extension '../up'"
    ),
    "{export_path: x.tar, export_extra_args: {field_mapping: {txt: [text]}}}": (
        "export_extra_args: field_mapping.txt must be the name of a field, got ['text']"
    ),
    "{export_shard_rows: 3, export_shard_size: 3}": "export_shard_rows cannot be given with export_shard_size, got 3",
    "export_shard_rows: 0": "export_shard_rows must be >= 1, got 0",
    "export_path: s3://": "export_path must name a file, got 's3://'",
    "export_path: s3://bucket/folder/": "export_path must name a file, got 's3://bucket/folder/'",
    "export_path: zip://a::s3://b/c.jsonl": (
        "export_path must be one address; chains of file systems with :: are not supported"
    ),
    "export_aws_credentials: {aws_access_key: HUNTER2}": (
        "export_aws_credentials has no such entry (did you mean 'aws_access_key_id'?), got 'aws_access_key'"
    ),
    "export_aws_credentials: {anon: HUNTER2}": "export_aws_credentials.anon must be true or false",
    "export_aws_credentials: {aws_region: [HUNTER2]}": "export_aws_credentials.aws_region must be a string",
    "export_path: ftp://me:HUNTER2@host/x.jsonl": (
        "export_path must not hold a password; set it where the library of this file system looks for it"
    ),
    "dataset_path: https://user:pw@host/x": (
        "dataset_path must not hold a user or password; give credentials in the environment, got 'https://'"
    ),
    "dataset_path: nan a.jsonl": "dataset_path must have finite weights, got nan",
    "dataset_path: https://x/a.jsonl?v=1&X-Amz-Signature=abc": (
        "dataset_path must not hold a secret in its query, it would be written down, got 'https://'"
    ),
    "dataset_path: s3://b/zip::x": "dataset_path cannot chain file systems with '::', got an address with 's3://'",
    "dataset: {max_sample_num: 0, configs: [{path: a}]}": (
        "dataset must have an integer of at least 1 as max_sample_num, got 0"
    ),
    "dataset: {max_sample_num: 5, configs: [{path: a, weight: 0}]}": "dataset.configs needs a weight above 0, got none",
    "dataset: {configs: [{path: a, type: disk}]}": "dataset.configs.0 must have a type of local or remote, got 'disk'",
    "dataset: {configs: [{path: a, type: remote}]}": (
        "dataset.configs.0 must have a source of s3 or huggingface, got None"
    ),
    "dataset: {configs: [{path: a, type: remote, source: wiki}]}": (
        "dataset.configs.0 cannot be read from there: fetch it first, or mount it, and name the files, got 'wiki'"
    ),
    "dataset: {configs: [{path: a, type: remote, source: s3}]}": (
        "dataset.configs.0 needs a path that starts with s3://, got 'a'"
    ),
    "dataset: {configs: [{path: a, type: remote, source: huggingface, data_dir: ../b}]}": (
        "dataset.configs.0 must have a plain name as data_dir, got '../b'"
    ),
    "dataset: {configs: [{path: a, type: remote, source: huggingface, limit: -1}]}": (
        "dataset.configs.0 must have an integer as limit, got -1"
    ),
    "generated_dataset_config: {length: 5}": (
        "generated_dataset_config must have a type of EmptyFormatter, RayEmptyFormatter, JsonFormatter, CsvFormatter, "
        "TsvFormatter, ParquetFormatter, TextFormatter, got None"
    ),
    "generated_dataset_config: {type: EmptyFormatter, length: -1}": (
        "generated_dataset_config needs a length, an integer from 0 to 1099511627776, got -1"
    ),
    "generated_dataset_config: {type: EmptyFormatter, length: 1, feature_keys: [1]}": (
        "generated_dataset_config needs names of fields under feature_keys, got [1]"
    ),
    "dataset: {configs: [{path: a, weight: x}]}": (
        "dataset.configs.0 must have a number as weight, got 'x'"
    ),
    "dataset: {config: []}": "dataset has no such key (did you mean 'configs'?), got 'config'",
    "dataset: {configs: []}": "dataset needs a list of sources under configs",
    "dataset: {configs: [{path: a, pth: b}]}": "dataset.configs.0 has no such key (did you mean 'path'?), got 'pth'",
    "dataset: {configs: [{type: local}]}": "dataset.configs.0 needs a path, got None",
    "dataset: 5": "dataset must be a mapping or a list of mappings or null, got 5",
    "max_errors: 1.5": "max_errors must be a share from 0.0 to 1.0, an integer, auto or null, got 1.5",
    "max_errors: -1": "max_errors must be >= 0, got -1",
    "batch_bytes: 4 miles": "batch_bytes must be a number of bytes such as 1048576 or '4MiB', got '4 miles'",
    "batch_bytes: 1": "batch_bytes must be >= 4KiB, got 1",
    "text_keys: []": "text_keys must name at least one field, got []",
    "encrypt_before_export: true": (
        "encrypt_before_export cannot be used here: encrypted files are not supported, encrypt the disk or the "
        "finished file instead, got True"
    ),
    "checkpoint: 5": "checkpoint must be a mapping",
    "checkpoint: {n_op: 5}": "no such key (did you mean 'checkpoint.n_ops'?), got 'checkpoint.n_op'",
    "process: 5": "process must be a list of OPs, such as `- text_length_filter: {min_len: 5}`",
    "process: {text_length_filter: null}": "process must be a list of OPs, such as `- text_length_filter: {min_len: 5}`",
    "process: [{text_length_filter: {min_len: -1}}]": "text_length_filter: min_len must be >= 0, got -1",
    "process: [{text_length_filter: {min_len: abc}}]": ("text_length_filter: min_len must be an integer or null, got 'abc'"),
    "process: [{text_length_filter: {min_lne: 1}}]": (
        "text_length_filter: no such parameter (did you mean 'min_len'?), got 'min_lne'"
    ),
    "process: [{text_length_filter: [min_len]}]": "text_length_filter: parameters must be a mapping of names to values",
    "process: [{text_length_filter: 7}]": "text_length_filter: parameters must be a mapping of names to values",
    "process: [{text_length_filter: null, min_len: 3}]": (
        "an item of process is one OP, with its parameters indented below its name, got the keys 'text_length_filter', 'min_len'"
    ),
    "process: [[text_length_filter]]": (
        "an item of process must be the name of an OP, or a mapping of the name to its parameters"
    ),
    "process: [text_lenght_filter]": "no such OP (did you mean 'text_length_filter'?), got 'text_lenght_filter'",
    "process: [image_blur_mapper]": "image_blur_mapper is an OP of Data-Juicer that djfast does not have yet",
    "process: [ray_image_deduplicator]": "ray_image_deduplicator is an OP of Data-Juicer that djfast does not have yet",
    "process: [{alphanumeric_filter: {min_ratio: .nan}}]": "alphanumeric_filter: min_ratio must be >= 0, got nan",
    "process: [{alphanumeric_filter: {max_ratio: .inf}}]": (
        "alphanumeric_filter: max_ratio must be a number that 64 bits can hold (null sets no limit), got inf"
    ),
    "process: [{stopwords_filter: {words_aug_group_sizes: [0]}}]": (
        "stopwords_filter: words_aug_group_sizes must be >= 1, got [0]"
    ),
    "process: [{fix_unicode_mapper: {normalization: x}}]": (
        "fix_unicode_mapper: normalization must be one of NFC, NFKC, NFD, NFKD, got 'x'"
    ),
    "process: [{llm_quality_score_filter: {preferred_output_lang: fr}}]": (
        "llm_quality_score_filter: preferred_output_lang must be one of null, en, zh, got 'fr'"
    ),
    "process: [{document_simhash_deduplicator: {hamming_distance: 6}}]": (
        "document_simhash_deduplicator: hamming_distance must be < num_blocks (6), got 6"
    ),
    "process: [{document_simhash_deduplicator: {num_blocks: 65}}]": (
        "document_simhash_deduplicator: num_blocks must be <= 64, got 65"
    ),
    "process: [{document_minhash_deduplicator: {num_bands: 26, num_rows_per_band: 10}}]": (
        "document_minhash_deduplicator: num_bands * num_rows_per_band must be <= num_permutations (256), got 26 * 10"
    ),
    "process: [{document_minhash_deduplicator: {tokenization: sentencepiece}}]": (
        "document_minhash_deduplicator: tokenizer_model must be given with tokenization 'sentencepiece'"
    ),
    "process: [{document_minhash_deduplicator: {tokenization: words}}]": (
        "document_minhash_deduplicator: tokenization must be one of space, punctuation, character, sentencepiece, got 'words'"
    ),
    "np: !!int x": "looks like a number but is none, got 'x'",
}


@pytest.mark.parametrize(("text", "message"), CASES.items())
def test_each_mistake_has_its_message(problems, text, message):
    assert problems("# first line\n" + text) == [f"recipe.yaml:2: {message}"]


def test_all_problems_are_reported_together_in_the_order_of_the_recipe(problems):
    assert problems("process:\n  - text_length_filter:\n      min_len: -1\n      max_len: x\n  - no_such_thing:\nnp: 0\n") == [
        "recipe.yaml:3: text_length_filter: min_len must be >= 0, got -1",
        "recipe.yaml:4: text_length_filter: max_len must be an integer or null, got 'x'",
        "recipe.yaml:5: no such OP, got 'no_such_thing'",
        "recipe.yaml:6: np must be >= 1, got 0",
    ]


def test_only_twenty_problems_are_listed(problems):
    lines = problems("process:\n" + "- nothing_like_it\n" * 25)
    assert len(lines) == 21
    assert lines[-1] == "... and at least 5 more"


def test_long_values_are_cut(problems):
    [line] = problems(f"np: {'x' * 10_000}")
    assert len(line) < 300
    assert line.endswith("...")


def test_secrets_are_not_shown(problems):
    lines = problems(
        "export_aws_credentials: {aws_access_key_id: HUNTER2, aws_secret_access_key: [HUNTER2]}\n"
        "dataset: {configs: [{type: remote, source: s3, path: x, aws_secret_access_key: HUNTER2}]}\n"
        "np: {api_key: HUNTER2, depth: [{password: HUNTER2}]}\n"
        "encryption_key_path: [HUNTER2]\n"
    )
    assert lines == [
        "recipe.yaml:1: export_aws_credentials.aws_secret_access_key must be a string",
        "recipe.yaml:2: dataset.configs.0 needs a path that starts with s3://, got 'x'",
        "recipe.yaml:3: np must be an integer or auto, got {'api_key': '***', 'depth': [{'password': '***'}]}",
        "recipe.yaml:4: encryption_key_path must be a string or null, got a value that is not shown",
    ]
    assert "HUNTER2" not in "\n".join(lines)


def test_a_credential_given_as_a_text_is_not_shown(problems):
    [line] = problems("export_aws_credentials: HUNTER2")
    assert "HUNTER2" not in line


def test_problems_of_python_recipes_name_the_op():
    with pytest.raises(RecipeError, match=r"^process\.1: text_length_filter: min_len must be >= 0, got -2$"):
        load_recipe({"process": ["clean_email_mapper", {"text_length_filter": {"min_len": -2}}]})
