"""Classes of OPs with the methods and the positional arguments that scripts for Data-Juicer use, and the registry of OPs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from djfast import catalog
from djfast.custom.data_juicer import Registry
from djfast.declare import Filter, Op
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


_made: dict[str, type[Op]] = {}


class PeerMethods:
    """What Data-Juicer's OPs have besides."""

    def __init__(self, *positional: Any, **given: Any) -> None:
        cls = type(self)
        assert issubclass(cls, Op)
        if positional:
            names = _positional_names(cls)
            if len(positional) > len(names):
                raise RecipeError(f"{cls.spec.name}: parameters must be given by name, got {len(positional)} without one")
            given = {**dict(zip(names, positional)), **given}
        super().__init__(**given)

    def process_single(self, sample: Mapping[str, Any]) -> Any:
        """Run on one row."""
        return self.process(sample)  # type: ignore[attr-defined]

    def compute_stats_single(self, sample: Mapping[str, Any], context: object = None) -> Any:
        """Compute the stats of one row."""
        del context
        return self.compute_stats(sample)  # type: ignore[attr-defined]

    def process_batched(self, samples: Mapping[str, Sequence[Any]]) -> Any:
        """Run on a dictionary of lists; a filter returns a list of booleans."""
        answers = [self.process(row) for row in _rows(samples)]  # type: ignore[attr-defined]
        if isinstance(self, Filter):
            return answers
        return _columns([row for answer in answers for row in (answer if isinstance(answer, list) else [answer])])

    def compute_stats_batched(self, samples: Mapping[str, Sequence[Any]], context: object = None) -> Columns:
        """Compute the stats of a dictionary of lists."""
        del context
        return _columns([self.compute_stats(row) for row in _rows(samples)])  # type: ignore[attr-defined]


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
    """Return a class of an OP with the methods of `PeerMethods`."""
    name = cls.spec.name
    if name not in _made:
        _made[name] = type(cls.__name__, (PeerMethods, cls), {"__doc__": cls.__doc__, "__module__": _module_of(name)})
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


def _positional_names(cls: type[Op]) -> list[str]:
    """Names of a filter's parameters in Data-Juicer's order; none where parameters of a base come first here."""
    declaring = [base for base in cls.__mro__ if issubclass(base, Op) and "_params" in vars(base) and not hasattr(base, "spec")]
    is_plain = all("kind" in vars(base) or base is Op for base in declaring)
    return [param.name for param in cls.spec.own_params] if is_plain and issubclass(cls, Filter) else []


def _rows(samples: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    names = list(samples)
    return [dict(zip(names, values)) for values in zip(*samples.values(), strict=True)]


def _columns(rows: Sequence[Mapping[str, Any]]) -> Columns:
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
