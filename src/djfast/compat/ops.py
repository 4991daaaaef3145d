"""Classes of OPs with the methods and the positional arguments that scripts for Data-Juicer use, and the registry of OPs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from djfast import catalog
from djfast.custom.data_juicer import Registry
from djfast.dataset import Dataset, rows_of_one
from djfast.declare import Deduplicator, Filter, Mapper, Op, Surveyor
from djfast.errors import RecipeError
from djfast.functions.custom import CUSTOM
from djfast.ops import OPS

Columns = dict[str, list[Any]]

# What Data-Juicer calls classes whose names do not follow from those of the OPs.
_OTHER_NAMES = {
    "FlaggedWordFilter": "flagged_words_filter",
    "RemoveNonChineseCharacterlMapper": "remove_non_chinese_character_mapper",
}
_NAMES = {name.replace("_", ""): name for name in OPS}


# OPs whose parameters have another order here than there, as those of OPs that ask models have.
_ORDERED_OTHERWISE = {
    "agent_bad_case_signal_mapper",
    "agent_dialog_normalize_mapper",
    "download_file_mapper",
    "general_fused_op",
    "in_context_influence_filter",
    "nlpaug_en_mapper",
    "nlpcda_zh_mapper",
    "pii_redaction_mapper",
    "ray_bts_minhash_cpp_deduplicator",
    "ray_bts_minhash_deduplicator",
    "s3_download_file_mapper",
    "sentence_augmentation_mapper",
    "text_action_filter",
    "text_entity_dependency_filter",
}
_OF_MODELS = {"api_endpoint", "is_hf_model", "zh_to_en_hf_model"}
_WORDS = ("lang", "tokenization", "min_ratio", "max_ratio")
_SHINGLES = ("tokenization", "window_size", "lowercase", "ignore_pattern")
_FIRST_PARAMETERS = {
    "document_minhash_deduplicator": (*_SHINGLES, "num_permutations", "jaccard_threshold", "num_bands", "num_rows_per_band"),
    "document_simhash_deduplicator": (*_SHINGLES, "num_blocks", "hamming_distance"),
    "flagged_words_filter": (*_WORDS, "flagged_words_dir", "use_words_aug", "words_aug_group_sizes", "words_aug_join_char"),
    "stopwords_filter": (*_WORDS, "stopwords_dir", "use_words_aug", "words_aug_group_sizes", "words_aug_join_char"),
    "ray_document_deduplicator": ("backend", "redis_address", "dedup_set_num", "lowercase", "ignore_non_character"),
}

_made: dict[str, type[Op]] = {}


class PeerMethods:
    """What all OPs of Data-Juicer have besides."""

    def __init__(self, *positional: Any, **given: Any) -> None:
        cls = type(self)
        assert issubclass(cls, Op)
        if positional:
            names = _positional_names(cls)
            if len(positional) > len(names):
                raise RecipeError(f"{cls.spec.name}: parameters must be given by name, got {len(positional)} without one")
            given = {**dict(zip(names, positional)), **given}
        super().__init__(**given)

    @property
    def _name(self) -> str:
        return self.spec.name  # type: ignore[attr-defined, no-any-return]

    def run(self, dataset: Any, **_: Any) -> Any:
        """Run on a data set, also one of `datasets`; further arguments are passed over."""
        from djfast.compat.datasets import NestedDataset

        return (dataset if isinstance(dataset, Dataset) else NestedDataset(dataset)).process(self)

    def __call__(self, *samples: Any) -> Any:
        """Do what `process` does; a filter computes its stats."""
        return (self.compute_stats if isinstance(self, Filter) else self.process)(*samples)  # type: ignore[attr-defined]


class RowMethods(PeerMethods):
    """What mappers and filters have besides. A dictionary whose text is a list is a batch: a dictionary of columns."""

    def process(self, sample: Mapping[str, Any]) -> Any:
        """Run on one row, or on a batch."""
        return self.process_batched(sample) if self._is_batch(sample) else self.process_single(sample)

    def process_single(self, sample: Mapping[str, Any]) -> Any:
        """Run on one row."""
        return super().process(sample)  # type: ignore[misc]

    def process_batched(self, samples: Mapping[str, Sequence[Any]]) -> Any:
        """Run on a dictionary of lists; a filter returns a list of booleans."""
        answers = [self.process_single(row) for row in _rows(samples)]
        if isinstance(self, Filter):
            return answers
        return _columns([row for answer in answers for row in (answer if isinstance(answer, list) else [answer])])

    def compute_stats(self, sample: Mapping[str, Any], context: object = None) -> Any:
        """Compute the stats of one row, or of a batch."""
        return (self.compute_stats_batched if self._is_batch(sample) else self.compute_stats_single)(sample, context)

    def compute_stats_single(self, sample: Mapping[str, Any], context: object = None) -> Any:
        """Compute the stats of one row."""
        del context
        return super().compute_stats(sample)  # type: ignore[misc]

    def compute_stats_batched(self, samples: Mapping[str, Sequence[Any]], context: object = None) -> Columns:
        """Compute the stats of a dictionary of lists."""
        return _columns([self.compute_stats_single(row, context) for row in _rows(samples)])

    def _is_batch(self, sample: Mapping[str, Any]) -> bool:
        return isinstance(sample.get(self.text_key or "text"), list)  # type: ignore[attr-defined]


class WholeMethods(PeerMethods):
    """What OPs that look at all rows have besides."""

    def process(self, dataset: Any) -> Any:
        """Run on a data set."""
        return self.run(dataset)


class DeduplicatorMethods(PeerMethods):
    """What deduplicators have besides."""

    def compute_hash(self, sample: Mapping[str, Any], context: object = None) -> Any:
        """Return one row, or a batch, with its hashes, where the OP has some that stay."""
        del context
        if isinstance(sample.get(self.text_key or "text"), list):  # type: ignore[attr-defined]
            return _columns([self.compute_hash(row) for row in _rows(sample)])
        [row] = rows_of_one(self, sample, keeps_hashes=True)  # type: ignore[arg-type]
        return row

    def process(self, dataset: Any, show_num: int = 0) -> tuple[Any, dict[str, list[Any]]]:
        """Return the rows that stay, and `show_num` pairs of a row and a duplicate that went."""
        kept = self.run(dataset)
        return kept, self._pairs(dataset, show_num) if show_num else {}

    def _pairs(self, dataset: Any, show_num: int) -> dict[str, list[Any]]:
        pairs: dict[str, list[Any]] = {}
        stayed: list[Any] = []
        for row in dataset:
            if len(pairs) == show_num:
                break
            first = next((each for each in stayed if len(self.run([each, row])) == 1), None)
            if first is None:
                stayed.append(row)
            else:
                pairs[str(len(pairs))] = [first, row]
        return pairs


class Operators(Registry):
    """The registry of OPs: what registers here becomes an OP, and all OPs can be looked up."""

    def get(self, name: str) -> Any:
        """Return the class of an OP, None if there is none."""
        try:
            return CUSTOM.get(name) or peer_class(catalog.find(name).cls)
        except RecipeError:
            return None

    @property
    def modules(self) -> Mapping[str, Any]:
        """Classes of all OPs by their names; each is imported when it is looked at."""
        return _Modules(self)

    def list(self) -> list[str]:
        """Return the names of all OPs."""
        return list(catalog.names())


class _Modules(Mapping[str, Any]):
    def __init__(self, operators: Operators) -> None:
        self._operators = operators

    def __getitem__(self, name: str) -> Any:
        found = self._operators.get(name)
        if found is None:
            raise KeyError(name)
        return found

    def __iter__(self) -> Any:
        return iter(catalog.names())

    def __len__(self) -> int:
        return len(catalog.names())


def peer_class(cls: type[Op]) -> type[Op]:
    """Return a class of an OP with the methods that scripts for Data-Juicer call."""
    name = cls.spec.name
    if name not in _made:
        methods = next(methods for kind, methods in _METHODS if issubclass(cls, kind))
        _made[name] = type(cls.__name__, (methods, cls), {"__doc__": cls.__doc__, "__module__": _module_of(name)})
    return _made[name]


def peer(op: Op) -> Op:
    """Return an OP as an object of its `peer_class`."""
    given = {param.name: getattr(op, param.name) for param in op.spec.params if getattr(op, param.name) != param.default}
    return peer_class(type(op))(**given, **op.others)


def class_of(name: str) -> type[Op] | None:
    """Return the class that Data-Juicer calls so; None if there is none here."""
    op = _OTHER_NAMES.get(name) or _NAMES.get(name.lower())
    return None if op is None else peer_class(catalog.find(op).cls)


def kinds() -> dict[str, list[str]]:
    """Names of OPs by the folder that Data-Juicer keeps them in."""
    found: dict[str, list[str]] = {}
    for name in OPS:
        found.setdefault(name.rpartition("_")[2], []).append(name)
    return {kind: names for kind, names in found.items() if kind != "op"}


def _module_of(name: str) -> str:
    return f"data_juicer.ops.{name.rpartition('_')[2]}.{name}"


_METHODS: tuple[tuple[type[Op], type[PeerMethods]], ...] = (
    (Surveyor, WholeMethods),
    (Deduplicator, DeduplicatorMethods),
    (Mapper, RowMethods),
    (Filter, RowMethods),
    (Op, WholeMethods),
)


def _positional_names(cls: type[Op]) -> Sequence[str]:
    """Names of an OP's parameters in Data-Juicer's order; none where the order here is another."""
    name = cls.spec.name
    if name in _FIRST_PARAMETERS:
        return _FIRST_PARAMETERS[name]
    names = [param.name for param in cls.spec.own_params]
    return [] if name in _ORDERED_OTHERWISE or _OF_MODELS.intersection(names) else names


def _rows(samples: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    names = list(samples)
    return [dict(zip(names, values)) for values in zip(*samples.values(), strict=True)]


def _columns(rows: Sequence[Mapping[str, Any]]) -> Columns:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
