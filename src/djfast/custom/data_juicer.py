"""Classes written for Data-Juicer as OPs, without Data-Juicer: its few modules that such files import are stood in for."""

from __future__ import annotations

import contextlib
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from djfast.custom.functions import declare_custom
from djfast.declare import Filter, Mapper, Op
from djfast.errors import RecipeError

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

    def __init__(self, *_: Any, **given: Any) -> None:
        for name, default in _KEYS.items():
            setattr(self, name, given.get(name) or default)
        self.min_closed_interval = given.get("min_closed_interval", True)
        self.max_closed_interval = given.get("max_closed_interval", True)
        self.reversed_range = given.get("reversed_range", False)

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


class _Registry:
    """Stands in for the registry of OPs: what registers here becomes an OP."""

    def register_module(self, name: str | None = None, module_cls: Any = None, **_: Any) -> Callable[[Any], Any]:
        def register(cls: Any) -> Any:
            adapt(name or cls.__name__, cls)
            return cls

        return register if module_cls is None else register(module_cls)


class _Names(type):
    """Names of stats and tags are their own values, in lower case as Data-Juicer has them."""

    def __getattr__(cls, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(name)
        return name


class _StatsKeys(metaclass=_Names):
    pass


class _Fields:
    stats = "__dj__stats__"
    meta = "__dj__meta__"
    batch_meta = "__dj__batch_meta__"
    context = "__dj__context__"
    suffix = "__dj__suffix__"
    source_file = "__dj__source_file__"


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
    plain = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    common = {param.name for param in _BASES[kind]._params}
    arguments = [
        # Annotations there are of libraries that need not be here; the class checks for itself.
        argument.replace(annotation=Any)
        for argument in list(inspect.signature(cls.__init__).parameters.values())[1:]
        if argument.kind in plain and argument.name not in common
    ]
    declare_custom(_BASES[kind], name, cls, f"adapted_{kind.lower()}", arguments)


@contextlib.contextmanager
def standing_in() -> Iterator[None]:
    """Let files import the modules of Data-Juicer that OPs of one's own need, whether it is installed or not."""
    modules = _modules()
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


def _modules() -> dict[str, types.ModuleType]:
    base = {"OPERATORS": _Registry(), "OP": AdaptedOp, "Mapper": AdaptedMapper, "Filter": AdaptedFilter}
    special = ("TAGGING_OPS", "NON_STATS_FILTERS", "UNFORKABLE", "ATTRIBUTION_FILTERS")
    ignored = {name: _IgnoredRegistry() for name in special}
    constants = {"Fields": _Fields, "StatsKeys": _StatsKeys, "MetaKeys": _StatsKeys, "StatsKeysConstant": _StatsKeys}
    contents: dict[str, dict[str, Any]] = {
        "data_juicer": {},
        "data_juicer.ops": {**base, **ignored},
        "data_juicer.ops.base_op": {**base, **ignored},
        "data_juicer.utils": {},
        "data_juicer.utils.constant": constants,
    }
    modules = {}
    for name, content in contents.items():
        module = types.ModuleType(name)
        module.__dict__.update(content)
        module.__path__ = []  # an import of what is not here says that there is no such module
        modules[name] = module
    return modules


class _IgnoredRegistry:
    """Stands in for lists of OPs that are treated specially there."""

    def register_module(self, name: str | None = None, module_cls: Any = None, **_: Any) -> Any:
        return (lambda cls: cls) if module_cls is None else module_cls
