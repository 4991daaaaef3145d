import pytest

from djfast.errors import RecipeError
from djfast.recipe import load_recipe

CASES = {
    "np: 0": "np must be >= 1, got 0",
    "np: four": "np must be a whole number, got 'four'",
    "np: true": "np must be a whole number, got True",
    "projct_name: x": "no such key (did you mean 'project_name'?), got 'projct_name'",
    "zzzzzzzz: x": "no such key, got 'zzzzzzzz'",
    "text_length_filter: {}": "text_length_filter is an OP, it belongs into the list under process",
    "executor_type: spark": "executor_type must be one of default, ray, ray_partitioned, got 'spark'",
    "compat: dolma": "compat must be one of null, data-juicer, got 'dolma'",
    "export_type: csv": "export_type cannot be used here: djfast writes jsonl, json and parquet, got 'csv'",
    "export_type: docx": "export_type must be one of null, jsonl, json, parquet, got 'docx'",
    "export_path: x.csv": (
        "export_path must end in .jsonl, .json or .parquet (the first two also in .zst), or export_type must be set, got 'x.csv'"
    ),
    "export_path: s3://bucket/x.jsonl": (
        "export_path must be a local path: only local files are read and written, got one with 's3://'"
    ),
    "dataset_path: https://user:pw@host/x": (
        "dataset_path must be a local path: only local files are read and written, got one with 'https://'"
    ),
    "dataset_path: 0.5 a.jsonl 0.5 b.jsonl": ("dataset_path cannot have weights: mixtures are not supported yet, got '0.5'"),
    "dataset: {max_sample_num: 5, configs: [{path: a}]}": (
        "dataset cannot have max_sample_num: mixtures are not supported yet, got 5"
    ),
    "dataset: {configs: [{path: a, weight: 2}]}": (
        "dataset.configs.0 cannot have a weight: mixtures are not supported yet, got 2"
    ),
    "dataset: {config: []}": "dataset has no such key (did you mean 'configs'?), got 'config'",
    "dataset: {configs: []}": "dataset needs a list of sources under configs",
    "dataset: {configs: [{path: a, pth: b}]}": "dataset.configs.0 has no such key (did you mean 'path'?), got 'pth'",
    "dataset: {configs: [{type: local}]}": "dataset.configs.0 needs a path, got None",
    "dataset: 5": "dataset must be a mapping or a list of mappings or null, got 5",
    "max_errors: 1.5": "max_errors must be a share from 0.0 to 1.0 or a whole number, got 1.5",
    "max_errors: -1": "max_errors must be >= 0, got -1",
    "batch_bytes: 4 miles": "batch_bytes must be a number of bytes such as 1048576 or '4MiB', got '4 miles'",
    "batch_bytes: 1": "batch_bytes must be >= 4096, got 1",
    "text_keys: []": "text_keys must name at least one field, got []",
    "encrypt_before_export: true": (
        "encrypt_before_export cannot be used here: encrypted files are not supported, encrypt the disk or the "
        "finished file instead, got True"
    ),
    "checkpoint: 5": "checkpoint must be a mapping",
    "checkpoint: {n_op: 5}": "no such key (did you mean 'checkpoint.n_ops'?), got 'checkpoint.n_op'",
    "process: 5": "process must be a list of OPs",
    "process: {text_length_filter: null}": "process must be a list of OPs",
    "process: [{text_length_filter: {min_len: -1}}]": "text_length_filter: min_len must be >= 0, got -1",
    "process: [{text_length_filter: {min_len: abc}}]": ("text_length_filter: min_len must be a whole number or null, got 'abc'"),
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
    "process: [{text_length_filter: {stats_export_path: x}}]": (
        "text_length_filter: stats_export_path cannot be used here: use `djfast analyze` or keep_stats_in_res_ds, got 'x'"
    ),
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
        "recipe.yaml:4: text_length_filter: max_len must be a whole number or null, got 'x'",
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
        "export_aws_credentials: {aws_access_key_id: HUNTER2, aws_secret_access_key: HUNTER2}\n"
        "dataset: {configs: [{type: remote, source: s3, path: x, aws_secret_access_key: HUNTER2}]}\n"
        "np: {api_key: HUNTER2, depth: [{password: HUNTER2}]}\n"
        "encryption_key_path: [HUNTER2]\n"
    )
    assert lines == [
        "recipe.yaml:1: export_aws_credentials cannot be used here: only local files are read and written",
        "recipe.yaml:2: dataset.configs.0 cannot be of this type: only local files are read and written, got 'remote'",
        "recipe.yaml:3: np must be a whole number, got {'api_key': '***', 'depth': [{'password': '***'}]}",
        "recipe.yaml:4: encryption_key_path must be a text or null, got a value that is not shown",
    ]
    assert "HUNTER2" not in "\n".join(lines)


def test_a_credential_given_as_a_text_is_not_shown(problems):
    [line] = problems("export_aws_credentials: HUNTER2")
    assert "HUNTER2" not in line


def test_problems_of_python_recipes_name_the_op():
    with pytest.raises(RecipeError, match=r"^process\.1: text_length_filter: min_len must be >= 0, got -2$"):
        load_recipe({"process": ["clean_email_mapper", {"text_length_filter": {"min_len": -2}}]})
