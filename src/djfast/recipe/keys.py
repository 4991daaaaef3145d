"""Every global key of a recipe: type, default, meaning, and what djfast does with it.

A key of Data-Juicer is *used*, or accepted without effect (the rows that come out are the same; a notice says why when
a recipe sets it), or refused (the rows, files or guarantees would not be what the recipe asks for).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from djfast.declare import Param, spoken_choices
from djfast.errors import RecipeError
from djfast.io.write.formats import RESULT_FORMATS
from djfast.plan.rules import RULES
from djfast.recipe.sizes import size_in_bytes, spoken_size
from djfast.records import NamedTuple

USED: Literal["used"] = "used"
NO_EFFECT: Literal["no effect"] = "no effect"
REFUSED: Literal["refused"] = "refused"


class Key(NamedTuple):
    """One global key. Dots in a name stand for nesting."""

    name: str
    type: str
    default: Any
    doc: str
    treatment: Literal["used", "no effect", "refused"] = USED
    reason: str = ""  # why it has no effect or is refused
    ge: float | None = None
    le: float | None = None
    choices: tuple[Any, ...] = ()
    words: tuple[str, ...] = ()  # that stand for a value of the declared type
    refused_values: Mapping[str, str] = {}  # single values that are refused, each with its reason
    is_size: bool = False
    is_secret: bool = False  # never shown in a message

    @property
    def param(self) -> Param:
        """The declaration that checks type and range."""
        return Param(self.name, self.type, self.doc, self.default, ge=self.ge, le=self.le, words=self.words)

    def check(self, value: Any) -> Any:
        """Return `value` in its declared type.

        Raises
        ------
        RecipeError
            If the type or range is wrong, or if a refused key is set to something else than its default.
        """
        if isinstance(value, str) and value in self.refused_values:
            raise RecipeError(f"{self.name} cannot be used here: {self.refused_values[value]}, got {value!r}")
        if self.treatment == REFUSED and value != self.default:
            shown = f", got {value!r}" if isinstance(value, bool | int | float | str) and not self.is_secret else ""
            raise RecipeError(f"{self.name} cannot be used here: {self.reason}{shown}")
        if self.is_size and isinstance(value, int | str) and not isinstance(value, bool):
            given = value
            try:
                value = size_in_bytes(value)
            except RecipeError as error:
                raise RecipeError(f"{self.name} {error}") from None
            if self.ge is not None and value < self.ge:
                raise RecipeError(f"{self.name} must be >= {spoken_size(int(self.ge))}, got {given!r}")
            if self.le is not None and value > self.le:
                raise RecipeError(f"{self.name} must be <= {spoken_size(int(self.le))}, got {given!r}")
        value = self.param.check(value)
        if self.choices and value not in self.choices:
            raise RecipeError(f"{self.name} must be one of {spoken_choices(self.choices)}, got {value!r}")
        return value


_ONE_ENGINE = "djfast has one engine, which decides how to share the work"
_NO_CACHE = "batches stream through memory and no data set is cached between OPs"
_SPLITS = "a run keeps what it has finished split by split, with use_checkpoint or with ranks"
_SHARED_ALWAYS = "equal work of several OPs is always shared"
_ANALYSIS = "only an analysis reads it"
_NO_MEDIA = "no OP of djfast reads media yet"
_NO_TRACE = "no rows that OPs changed or dropped are written yet; the report counts them by OP"
_NO_MINING = "no insight files are written yet"
_SANDBOX = "only the sandbox reads it"
_REPORT = "the report of a run always holds times and counts of every OP"
_NO_ENCRYPTION = "encrypted files are not supported, encrypt the disk or the finished file instead"

# Keys of earlier releases of Data-Juicer and of its demos, by the reason why they have no effect.
_FORMER = {
    _ONE_ENGINE: (
        "advanced", "arrow_batch_size", "arrow_memory_mapping", "enable_fault_tolerance", "max_partition_size_mb", "max_retries",
        "partition.auto_configure", "partition.enable_fault_tolerance", "partition.max_retries", "partition.max_size_mb",
        "partition.retry_backoff", "performance", "ray", "resource_optimization.auto_configure", "use_arrow_batches",
    ),
    _SPLITS: (
        "checkpointing", "cleanup_temp_files", "preserve_intermediate_data", "recovery", "storage_format",
        *(
            f"intermediate_storage.{name}"
            for name in (
                "arrow_batch_size", "arrow_memory_mapping", "cleanup_on_success", "cleanup_temp_files", "compression", "format",
                "max_retention_days", "preserve_intermediate_data", "retention_policy", "use_arrow_batches", "write_partitions",
            )
        ),
    ),
    _SHARED_ALWAYS: ("enable_optimizer", "optimizer_strategies"),
    "djfast sends no messages, and OPs have their own settings": ("annotation", "notification"),
    _REPORT: (
        "backup_count", "max_log_size_mb", "monitoring",
        *(
            f"event_logging.{name}"
            for name in (
                "async_logging", "backup_count", "batch_size", "compression", "flush_interval_seconds", "include_metadata",
                "include_stack_traces", "log_file_path", "log_level", "log_to_console", "log_to_file", "max_log_size_mb",
                "max_queue_size",
            )
        ),
    ),
}  # fmt: skip

_KEYS = (
    # What djfast uses.
    Key("project_name", "str", "hello_world", "Name of the project, shown in the report."),
    Key(
        "dataset_path", "str", "",
        "Input: a file, a folder, a pattern with * or ?, or an address such as s3://bucket/folder; several are separated by "
        "spaces (quote one with spaces); '-' is standard input. A number before one is the share of its rows that is drawn. "
        "Has priority over `dataset`.",
    ),
    Key(
        "dataset", "dict | list[dict] | None", [],
        "Input as a mapping: `configs` is a list of `{type: local, path: ..., weight: ...}`, or of type remote with source "
        "s3 or huggingface. With `max_sample_num`, that many rows are drawn in total, from each source by its weight.",
    ),
    Key(
        "limit", "int | None", None,
        "Number of rows to read of the input, the first ones, for a trial; later rows are not read. Null "
        "reads all.",
        ge=1, le=2**63 - 1,
    ),
    Key(
        "export_path", "str", "./outputs/hello_world/hello_world.jsonl",
        "File for the result; also an address such as s3://bucket/key.jsonl, or '-' for standard output.",
    ),
    Key(
        "export_type", "str | None", None, "Format of the result; null takes it from the suffix of export_path.",
        choices=(None, *RESULT_FORMATS),
        refused_values={name: f"djfast writes {', '.join(RESULT_FORMATS)}" for name in ("tfrecords", "iceberg")},
    ),
    Key(
        "export_shard_size", "int", 0,
        "Size in bytes above which the result is cut into several files; 0 writes one. Accepts units: '256MiB'.",
        ge=0, le=2**63 - 1, is_size=True,
    ),
    Key(
        "export_shard_rows", "int | None", None,
        "Number of rows of each file of the result; the last one may have fewer. Null writes one file.",
        ge=1, le=2**63 - 1,
    ),
    Key(
        "export_extra_args", "dict | None", {},
        "Arguments of the format's writer, such as `{field_mapping: {txt: text}}` of webdataset.",
    ),
    Key(
        "export_aws_credentials", "dict | None", None,
        "Credentials for an export_path on S3: aws_access_key_id, aws_secret_access_key, aws_session_token, aws_region, "
        "endpoint_url, anon. Credentials of the environment have priority. djfast writes them nowhere.",
        is_secret=True,
    ),
    Key("keep_stats_in_res_ds", "bool", False, "Keep stats and tags in the rows of the result, besides the stats file."),
    Key("keep_hashes_in_res_ds", "bool", False, "Keep the hash columns of deduplicators in the result."),
    Key(
        "np", "int", "auto",
        "Threads; the result does not depend on it. `auto` takes the cores that the process may use: those that it is bound to, "
        "that its container or Slurm gives it, and of a host with several ranks its share.",
        ge=1, le=65536, words=("auto",),
    ),
    Key(
        "text_keys", "str | list[str]", "text",
        "Field that holds the text. If there are several, all must be strings in every row, and OPs read the first.",
    ),
    Key(
        "suffixes", "str | list[str] | None", [],
        "Only files with these suffixes are read, such as .jsonl; empty reads all.",
    ),
    Key(
        "add_suffix", "bool | None", None,
        "Whether every row gets the suffix of its file in the field `__dj__suffix__`; null does so if the recipe has "
        "suffix_filter, which reads it.",
    ),
    Key(
        "skip_op_error", "bool", True,
        "Reject rows that an OP cannot handle and go on; false stops the run at the first one.",
    ),
    Key(
        "work_dir", "str | None", None,
        "Folder for everything except the result; null takes the folder of export_path. `{work_dir}` in export_path and "
        "dataset_path stands for it.",
    ),
    Key("process", "list[dict]", [], "OPs in the order in which they run, each with its parameters."),
    # What only djfast has.
    Key(
        "max_errors", "float | None", "auto",
        "Rows that may be rejected before the run fails: a share from 0.0 to 1.0 of the rows, or a count as an integer; 0 allows "
        "none, null any number. `auto` allows half of the rows, and any number of fewer than 1,000 rows. Whatever this says, a "
        "run fails if every row was rejected.",
        ge=0, le=2**63 - 1, words=("auto",),
    ),
    Key(
        "batch_bytes", "int", 2**20,
        "Bytes of input in one batch; the result does not depend on it. Accepts units: '4MiB'.",
        ge=4096, le=2**30, is_size=True,
    ),
    Key(
        "split_bytes", "int | None", None,
        "Bytes of input that a rank takes at a time in a run with ranks or checkpoints; null chooses by the size of the "
        "input. The result does not depend on it. Accepts units: '64MiB'.",
        ge=1, le=2**40, is_size=True,
    ),
    Key(
        "device_ranks", "int", 0,
        "Number of ranks that own a device, the last ones: OPs with `accelerator: cuda` run on them, and the others read, filter "
        "and send them rows. 0 runs every OP on every rank.",
        ge=0, le=65536,
    ),
    Key(
        "memory", "int", 8 * 2**30,
        "Memory of each rank, which limits what it keeps of rows and keys. Accepts units: '8GiB'.",
        ge=2**28, le=2**50, is_size=True,
    ),
    Key(
        "zst_window", "int", 2**27,
        "Largest window of .zst input, and dictionary of .xz input. Files of `zstd --long=31` need 2GiB, and as much memory "
        "while they are read. Accepts units: '2GiB'.",
        ge=1024, le=2**31, is_size=True,
    ),
    Key(
        "local_roots", "list[str] | str | None", None,
        "Folders and addresses (such as http://10.0.0.5:9000) that rows may name, besides files in the folders of input and "
        "output and public addresses; * allows everything. DJFAST_LOCAL_ROOTS in the environment adds to it.",
    ),
    *(Key(f"rules.{rule.name}", "bool", True, f"{rule.summary} False switches the rule off.") for rule in RULES),
    Key("order_filters", "bool", True, "The former name of rules.order_filters."),
    Key(
        "row_timeout", "float", 600.0,
        "Seconds that a row may take in one OP. A row that takes longer is rejected, and the run goes on; if a function over "
        "batches takes longer, the run ends with a message.",
        ge=0.1, le=1e9,
    ),
    Key(
        "llm_in_flight", "int", 64,
        "Requests to language-model servers that each process keeps in flight; the result does not depend on it.",
        ge=1, le=65536,
    ),
    Key(
        "llm_cache", "str | bool | None", None,
        "Folder for the answers of language models, so that a rerun asks nothing twice, or `off`; null takes "
        "DJFAST_LLM_CACHE.",
    ),
    Key(
        "compat", "str | None", None, "The engine whose rows a run gives.", NO_EFFECT,
        "the rows of Data-Juicer are the default; parameters of OPs that depart from them, such as short_texts, say so",
        choices=(None, "data-juicer"),
    ),
    # Input.
    Key(
        "generated_dataset_config", "dict | None", None,
        "Data set to generate: `{type: EmptyFormatter, length: ..., feature_keys: [...]}` has null texts; `number_key: id` adds "
        "a field with the number of the row, from 0. Has priority over `dataset_path` and `dataset`.",
    ),
    Key(
        "validators", "list[dict] | None", [],
        "Checks of the first `sample_size` rows of every source, before the run: `{type: required_fields, required_fields: "
        "[...], allow_missing: 0.0, field_types: {...}}`, `{type: swift_messages}` or `{type: dj_conversation}`.",
    ),
    Key(
        "load_dataset_kwargs", "dict | None", {}, "Arguments of another library's loader.", REFUSED,
        "files are read without that loader, so its arguments would be lost",
    ),
    Key(
        "load_jsonl_lenient", "bool", False, "Skip malformed lines.", NO_EFFECT,
        "a malformed line is always rejected with its reason",
    ),
    Key("read_options", "dict | None", {}, "Options of Ray's JSON reader.", NO_EFFECT, _ONE_ENGINE),
    Key("override_num_blocks", "int | None", None, "Blocks of Ray's reader.", NO_EFFECT, _ONE_ENGINE, ge=1),
    Key("decrypt_after_reading", "bool", False, "Decrypt the input.", REFUSED, _NO_ENCRYPTION),
    Key("image_key", "str", "images", "Field of the image paths.", NO_EFFECT, _NO_MEDIA),
    Key("image_bytes_key", "str", "image_bytes", "Field of the image bytes.", NO_EFFECT, _NO_MEDIA),
    Key("audio_key", "str", "audios", "Field of the audio paths.", NO_EFFECT, _NO_MEDIA),
    Key("video_key", "str", "videos", "Field of the video paths.", NO_EFFECT, _NO_MEDIA),
    Key("image_special_token", "str", "<__dj__image>", "What stands for an image in a text.", NO_EFFECT, _NO_MEDIA),
    Key("audio_special_token", "str", "<__dj__audio>", "What stands for a sound in a text.", NO_EFFECT, _NO_MEDIA),
    Key("video_special_token", "str", "<__dj__video>", "What stands for a video in a text.", NO_EFFECT, _NO_MEDIA),
    Key("eoc_special_token", "str", "<|__dj__eoc|>", "End of a chunk of text and its media.", NO_EFFECT, _NO_MEDIA),
    # Output.
    Key(
        "export_in_parallel", "bool", False, "Write one file with several workers.", NO_EFFECT,
        "the result is always prepared by all threads and written in order",
    ),
    Key("encrypt_before_export", "bool", False, "Encrypt the result.", REFUSED, _NO_ENCRYPTION),
    Key(
        "encryption_key_path", "str | None", None, "File of the encryption key.", NO_EFFECT, _NO_ENCRYPTION,
        is_secret=True,
    ),
    # Errors, checks and checkpoints.
    Key("turbo", "bool", False, "Skip error handling.", NO_EFFECT, "error handling costs nothing here"),
    Key(
        "strict_preflight", "bool", True,
        "Whether a parameter that an OP does not have ends the run before it starts; if false, a notice says that it has no "
        "effect. Everything else is always checked.",
    ),
    Key(
        "use_checkpoint", "bool", False,
        "Keep finished work in a folder beside the result, so that an interrupted run resumes when it is run again. Runs with "
        "ranks always do.",
    ),
    Key("checkpoint.enabled", "bool", True, "Save partitions.", NO_EFFECT, _SPLITS),
    Key(
        "checkpoint.strategy", "str", "every_n_ops", "When to save partitions.", NO_EFFECT, _SPLITS,
        choices=("every_op", "every_partition", "every_n_ops", "manual", "disabled"),
    ),
    Key("checkpoint.n_ops", "int", 5, "OPs between two saves.", NO_EFFECT, _SPLITS, ge=1),
    Key("checkpoint.op_names", "list[str]", [], "OPs after which to save.", NO_EFFECT, _SPLITS),
    Key("checkpoint_dir", "str | None", None, "Folder of saved partitions.", NO_EFFECT, _SPLITS),
    Key(
        "job_id", "str | None", None,
        "What `{job_id}` in work_dir, export_path and dataset_path stands for; null leaves that part of the path out.",
    ),
    Key(
        "resume", "str | None", None, "Job to continue.", REFUSED,
        "a job of another engine cannot be continued, run the recipe from its input",
    ),
    # Caches and temporary files.
    Key("use_cache", "bool", True, "Cache the data set after every OP.", NO_EFFECT, _NO_CACHE),
    Key("ds_cache_dir", "str | None", None, "Folder of the cache.", NO_EFFECT, _NO_CACHE),
    Key(
        "cache_compress", "str | None", None, "Compression of the cache.", NO_EFFECT, _NO_CACHE,
        choices=(None, "gzip", "zstd", "lz4"),
    ),
    Key("temp_dir", "str | None", None, "Folder of temporary files.", NO_EFFECT, _NO_CACHE),
    # Speed.
    Key(
        "executor_type", "str", "default", "Engine that runs the recipe.", NO_EFFECT, _ONE_ENGINE,
        choices=("default", "ray", "ray_partitioned"),
    ),
    Key("ray_address", "str", "auto", "Address of a Ray cluster.", NO_EFFECT, _ONE_ENGINE),
    Key("use_dag", "bool | None", None, "Plan and monitor the run as a graph.", NO_EFFECT, "a plan is always made"),
    Key("op_fusion", "bool", False, "Fuse OPs that share work.", NO_EFFECT, _SHARED_ALWAYS),
    Key(
        "fusion_strategy", "str", "probe", "How fused OPs are ordered: probe or greedy, in any case.", NO_EFFECT,
        _SHARED_ALWAYS,
    ),
    Key("mapper_fusion", "bool", True, "Fuse mappers on a GPU.", NO_EFFECT, _SHARED_ALWAYS),
    Key("mapper_fusion_vram_limit", "float", 0.9, "GPU memory of fused mappers.", NO_EFFECT, _SHARED_ALWAYS, ge=0),
    Key("adaptive_batch_size", "bool", False, "Adapt the batch size.", NO_EFFECT, "batches are sized by bytes"),
    Key("auto_op_parallelism", "bool", True, "Size the workers of an OP.", NO_EFFECT, _ONE_ENGINE),
    Key("elastic_juicer_adaptive_batching", "bool", False, "Adapt batches on GPUs.", NO_EFFECT, _ONE_ENGINE),
    Key("elastic_juicer_profile_seed", "bool", False, "Reuse batch profiles.", NO_EFFECT, _ONE_ENGINE),
    Key(
        "min_common_dep_num_to_combine", "int", -1, "When environments merge.", NO_EFFECT, _ONE_ENGINE, ge=-1
    ),
    Key(
        "conflict_resolve_strategy", "str", "split", "How environments of OPs are merged.", NO_EFFECT, _ONE_ENGINE,
        choices=("split", "overwrite", "latest"),
    ),
    Key("partition_size", "int | None", None, "Rows of a partition.", NO_EFFECT, _ONE_ENGINE, ge=1),
    Key("partition_dir", "str | None", None, "Folder of partitions.", NO_EFFECT, _ONE_ENGINE),
    Key("partition.mode", "str", "auto", "Sizing of partitions.", NO_EFFECT, _ONE_ENGINE, choices=("auto", "manual")),
    Key("partition.size", "int | None", None, "Rows of a partition.", NO_EFFECT, _ONE_ENGINE, ge=1),
    Key("partition.target_size_mb", "int", 256, "Size of a partition.", NO_EFFECT, _ONE_ENGINE, ge=1),
    Key("partition.num_of_partitions", "int | str | None", None, "Partitions.", NO_EFFECT, _ONE_ENGINE, ge=1),
    Key("partition.partitions_per_node", "int | str", "auto", "Partitions a node.", NO_EFFECT, _ONE_ENGINE, ge=1),
    Key("partition.max_concurrent_partitions", "int | str", "auto", "Jobs at a time.", NO_EFFECT, _ONE_ENGINE, ge=1),
    Key("partition.max_gpu_workers_per_device", "int", 5, "Workers on a GPU.", NO_EFFECT, _ONE_ENGINE, ge=1),
    Key("partition.max_concurrent_gpu_probes", "int | str", "auto", "Probes at a time.", NO_EFFECT, _ONE_ENGINE, ge=1),
    Key("partition.gpu_preflight_enabled", "bool", True, "Probe GPU OPs first.", NO_EFFECT, _ONE_ENGINE),
    Key("partition.gpu_probe_timeout_seconds", "float | None", None, "Time of a probe.", NO_EFFECT, _ONE_ENGINE, ge=0),
    Key("partition.gpu_probe_warmup_batches", "int", 1, "Batches before a probe.", NO_EFFECT, _ONE_ENGINE, ge=0),
    Key("partition.gpu_probe_steady_batches", "int", 3, "Batches of a probe.", NO_EFFECT, _ONE_ENGINE, ge=1),
    Key("partition.gpu_probe_sample_offset", "int", 0, "Rows before a probe.", NO_EFFECT, _ONE_ENGINE, ge=0),
    Key("partition.gpu_probe_sample_shuffle", "bool", False, "Shuffle the rows of a probe.", NO_EFFECT, _ONE_ENGINE),
    Key("partition.gpu_probe_sample_seed", "int | None", 42, "Seed of that shuffle.", NO_EFFECT, _ONE_ENGINE),
    Key("partition.execution_group_size", "int | str", "auto", "Jobs a start.", NO_EFFECT, _ONE_ENGINE, ge=1),
    Key(
        "partition.max_initialization_overhead_ratio", "float", 0.1, "Share of start-up.", NO_EFFECT, _ONE_ENGINE,
        ge=0, le=1,
    ),
    # Watching a run.
    Key("open_monitor", "bool", False, "Sample the use of the machine.", NO_EFFECT, _REPORT),
    Key("event_logging.enabled", "bool", True, "Log events.", NO_EFFECT, _REPORT),
    Key("event_log_dir", "str | None", None, "Folder of event logs.", NO_EFFECT, _REPORT),
    Key("open_tracer", "bool", False, "Write rows that OPs changed or removed.", NO_EFFECT, _NO_TRACE),
    Key("op_list_to_trace", "list[str]", [], "OPs to trace.", NO_EFFECT, _NO_TRACE),
    Key("trace_num", "int", 10, "Rows traced for each OP.", NO_EFFECT, _NO_TRACE, ge=0),
    Key("trace_keys", "list[str]", [], "Fields to trace.", NO_EFFECT, _NO_TRACE),
    Key("open_insight_mining", "bool", False, "Analyse the rows after each OP.", NO_EFFECT, _NO_MINING),
    Key("op_list_to_mine", "list[str]", [], "OPs to analyse with.", NO_EFFECT, _NO_MINING),
    Key("debug", "bool", False, "Log more.", NO_EFFECT, "djfast run -v logs more"),
    # Analysis and sandbox.
    Key(
        "auto", "bool", False, "Analyse without a recipe.", REFUSED, "an analysis without a recipe is not supported yet"
    ),
    Key("auto_num", "int", 1000, "Rows of such an analysis.", NO_EFFECT, _ANALYSIS, ge=1),
    Key("percentiles", "list[float]", [], "Percentiles of an analysis.", NO_EFFECT, _ANALYSIS, ge=0, le=1),
    Key("export_original_dataset", "bool", False, "Write the rows of an analysis.", NO_EFFECT, _ANALYSIS),
    Key("save_stats_in_one_file", "bool", False, "Draw one figure.", NO_EFFECT, _ANALYSIS),
    Key("hpo_config", "str | None", None, "Search for parameters.", NO_EFFECT, _SANDBOX),
    Key(
        "data_probe_algo", "str", "uniform", "How a probe samples.", NO_EFFECT, _SANDBOX,
        choices=("uniform", "frequency_specified_field_selector", "topk_specified_field_selector"),
    ),
    Key("data_probe_ratio", "float", 1.0, "Share that a probe samples.", NO_EFFECT, _SANDBOX, ge=0, le=1),
    *(
        Key(name, "any", None, "Of an earlier release or a demo.", NO_EFFECT, reason)
        for reason, names in _FORMER.items()
        for name in names
    ),
    # Code of the user.
    Key(
        "custom_operator_paths", "list[str] | str | None", None,
        "Python files, or folders with an `__init__.py`, with OPs of yours. They are run when the recipe is loaded, unless "
        "DJFAST_USER_CODE=0 forbids it.",
    ),
)  # fmt: skip

KEYS: dict[str, Key] = {key.name: key for key in _KEYS}

# Names that hold further keys, written nested (`checkpoint: {n_ops: 3}`) or with a dot.
GROUPS = frozenset(name.partition(".")[0] for name in KEYS if "." in name)
