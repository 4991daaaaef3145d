"""Classes written for Data-Juicer as OPs. djfast provides stand-ins for the few modules of it that such files import."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from djfast.custom.functions import declare_custom
from djfast.declare import REGISTRY, Filter, Mapper, Op
from djfast.errors import MissingExtraError, RecipeError
from djfast.functions.custom import CUSTOM, parameters_of

_BASES: dict[str, type[Op]] = {"Mapper": Mapper, "Filter": Filter}
_OWN_METHODS = {
    "Mapper": (("process_single",), ("process_batched",)),
    "Filter": (("compute_stats_single", "process_single"), ("compute_stats_batched", "process_batched")),
}
_KEYS = {
    "text_key": "text",
    "image_key": "images",
    "audio_key": "audios",
    "video_key": "videos",
    "system_key": "system",
    "instruction_key": "instruction",
    "prompt_key": "prompt",
    "query_key": "query",
    "response_key": "response",
    "history_key": "history",
}


class AdaptedOp:
    """What classes for Data-Juicer find in their base class: the keys of fields, and the test of a range."""

    kind = ""
    writes_tags = False

    def __init__(self, *_: Any, **given: Any) -> None:
        for name, default in _KEYS.items():
            setattr(self, name, given.get(name) or default)
        self.min_closed_interval = given.get("min_closed_interval", True)
        self.max_closed_interval = given.get("max_closed_interval", True)
        self.reversed_range = given.get("reversed_range", False)

    def __call__(self, *samples: Any) -> Any:
        """Call the method for rows, or for batches if there is one."""
        return self.process(*samples)

    def process(self, *samples: Any) -> Any:
        """Call the method for rows, or for batches if there is one."""
        return getattr(self, "process_batched" if self.is_batched_op() else "process_single")(*samples)

    def run(self, dataset: Any, **_: Any) -> Any:
        """Run on a data set."""
        return dataset.process(self)

    def use_cuda(self) -> bool:
        """Return False: functions of the user run on the processor."""
        return False

    def is_batched_op(self) -> bool:
        """Tell whether the methods for batches are the ones to call."""
        return hasattr(self, "process_batched")

    def get_keep_boolean(self, value: Any, low: Any = None, high: Any = None) -> bool:
        """Tell whether a value lies in a range."""
        low_closed = self.min_closed_interval != self.reversed_range
        high_closed = self.max_closed_interval != self.reversed_range
        inside = (low is None or (value >= low if low_closed else value > low)) and (
            high is None or (value <= high if high_closed else value < high)
        )
        return bool(inside) is not bool(self.reversed_range)


class AdaptedMapper(AdaptedOp):
    """Stands in for the base class of mappers."""

    kind = "Mapper"


class AdaptedFilter(AdaptedOp):
    """Stands in for the base class of filters."""

    kind = "Filter"

    def compute_stats(self, *samples: Any) -> Any:
        """Call the method for rows, or for batches if there is one."""
        return getattr(self, "compute_stats_batched" if self.is_batched_op() else "compute_stats_single")(*samples)


class AdaptedOther(AdaptedOp):
    """Stands in for the base classes of other OPs, which can be imported but not run."""

    kind = "other"


class Registry:
    """Stands in for the registry of OPs: what registers here becomes an OP."""

    def register_module(self, name: str | None = None, module_cls: Any = None, **_: Any) -> Callable[[Any], Any]:
        """Return the decorator of a class, or decorate it."""

        def register(cls: Any) -> Any:
            adapt(name or cls.__name__, cls)
            return cls

        return register if module_cls is None else register(module_cls)


class IgnoredRegistry:
    """Stands in for lists of OPs that are treated specially there."""

    def register_module(self, name: str | None = None, module_cls: Any = None, **_: Any) -> Any:
        """Return the decorator of a class, which leaves it as it is."""
        return (lambda cls: cls) if module_cls is None else module_cls


class _Tagging:
    """Stands in for the list of mappers that write tags: their rows have a place for them."""

    def register_module(self, name: str | None = None, module_cls: Any = None, **_: Any) -> Any:
        def register(cls: Any) -> Any:
            cls.writes_tags = True
            for op, known in CUSTOM.items():
                if known is cls:
                    REGISTRY[op].cls.rewrites_tags = True
            return cls

        return register if module_cls is None else register(module_cls)


class _Names(type):
    """Names that are not listed are made by the class's `pattern`."""

    pattern: str

    def __getattr__(cls, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(name)
        return cls.pattern.format(name)


class _Keys(metaclass=_Names):
    """Names of stats and tags are their own values."""

    pattern = "{}"


class _Fields(metaclass=_Names):
    """Reserved fields, and those that OPs of Data-Juicer use."""

    pattern = "__dj__{}__"


class _InterVars(metaclass=_Names):
    """Places of what OPs share while they run, and of hashes."""

    pattern = "__dj__{}"


class _LazyModule:
    """Stands in for modules that are imported when they are first used."""

    def __init__(self, module: str, *_: Any, **__: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self._module), name)

    @staticmethod
    def check_packages(packages: Iterable[str], *_: Any, **__: Any) -> None:
        """Look for packages; nothing is installed.

        Raises
        ------
        MissingExtraError
            If one is missing.
        """
        names = [re.split(r"[\[<>=!~ ;]", package, maxsplit=1)[0] for package in packages]
        missing = [name for name in names if importlib.util.find_spec(name.replace("-", "_")) is None]
        if missing:
            raise MissingExtraError(f"not installed: {', '.join(missing)}; pip install {' '.join(missing)}")


def adapt(name: str, cls: Any) -> None:
    """Declare a class written for Data-Juicer as an OP.

    Raises
    ------
    RecipeError
        If it is neither a mapper nor a filter, or lacks the methods of one.
    """
    kind = getattr(cls, "kind", "")
    if kind not in _BASES:
        raise RecipeError(f"{name}: only mappers and filters written for Data-Juicer can run here, got {cls.__name__}")
    forms = _OWN_METHODS[kind]
    if not any(all(hasattr(cls, method) for method in form) for form in forms):
        wanted = " or ".join(" and ".join(form) for form in forms)
        raise RecipeError(f"{name}: the class must have {wanted}, got {cls.__name__}")
    common = {param.name for param in _BASES[kind]._params}
    arguments = [
        # Annotations there are of libraries that need not be here; the class checks for itself.
        argument.replace(annotation=Any)
        for argument in parameters_of(cls.__init__)[1:]
        if argument.name not in common and cls.__init__ is not AdaptedOp.__init__
    ]
    declare_custom(_BASES[kind], name, cls, f"adapted_{kind.lower()}", arguments)
    REGISTRY[name].cls.rewrites_tags = bool(getattr(cls, "writes_tags", False))


@contextlib.contextmanager
def standing_in() -> Iterator[None]:
    """Let files import the modules of Data-Juicer that OPs of the user need, whether it is installed or not."""
    modules = stand_ins()
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module


def stand_ins() -> dict[str, types.ModuleType]:
    """Return modules with what OPs of the user import from Data-Juicer, and from jsonargparse if that is not installed."""
    bases = {"OPERATORS": Registry(), "OP": AdaptedOp, "Mapper": AdaptedMapper, "Filter": AdaptedFilter}
    bases.update(dict.fromkeys(("Deduplicator", "Selector", "Grouper", "Aggregator", "Pipeline"), AdaptedOther))
    contents: dict[str, tuple[dict[str, Any], Callable[[str], Any] | None]] = {
        "data_juicer": ({}, None),
        "data_juicer.ops": (bases, _registry),
        "data_juicer.ops.base_op": (bases, _registry),
        "data_juicer.ops.op_fusion": ({}, _registry),
        "data_juicer.utils": ({}, None),
        "data_juicer.utils.constant": ({"Fields": _Fields, "InterVars": _InterVars, "DEFAULT_PREFIX": "__dj__"}, _keys),
        "data_juicer.utils.lazy_loader": ({"LazyLoader": _LazyModule}, None),
    }
    if importlib.util.find_spec("jsonargparse") is None:
        contents |= {"jsonargparse": ({}, None), "jsonargparse.typing": ({}, _number_type)}
    return {name: _module(name, *content) for name, content in contents.items()}


def _module(name: str, content: dict[str, Any], others: Callable[[str], Any] | None) -> types.ModuleType:
    module = types.ModuleType(name)
    module.__dict__.update(content)
    module.__path__ = []  # an import of what is not here says that there is no such module
    if others is not None:
        module.__dict__["__getattr__"] = others
    return module


def _registry(name: str) -> Any:
    """Return a list of OPs that are treated specially, such as ``TAGGING_OPS``."""
    if not name.isupper():
        raise AttributeError(f"djfast has no stand-in for it, got {name!r}")
    return _Tagging() if name == "TAGGING_OPS" else IgnoredRegistry()


def _keys(name: str) -> Any:
    """Return a class of names, such as ``StatsKeys``."""
    if "Keys" not in name:
        raise AttributeError(f"djfast has no stand-in for it, got {name!r}")
    return _InterVars if name == "HashKeys" else _Keys


def _number_type(name: str) -> Any:
    """Return what annotates a number in a range, such as ``ClosedUnitInterval``; the class checks for itself."""
    if name.startswith("_"):
        raise AttributeError(name)
    return int if name.endswith("Int") else float
