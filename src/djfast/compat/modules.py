"""The modules of ``data_juicer``: which names each has. Classes of OPs are imported when they are looked at."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

from djfast import __version__
from djfast.compat.config import Config, init_configs
from djfast.compat.datasets import Exporter, NestedDataset, load_peer_ops
from djfast.compat.not_yet import MODULES
from djfast.compat.ops import Operators, class_of, kinds
from djfast.compat.running import Analyzer, DatasetBuilder, DefaultExecutor, ExecutorFactory, Tracer
from djfast.compat.testing import TESTING
from djfast.custom.data_juicer import stand_ins

_DATASETS = {"NestedDataset": NestedDataset, "DJDataset": NestedDataset}
_CONFIG = {"init_configs": init_configs, "get_init_configs": init_configs, "Config": Config}
_CORE: dict[str, dict[str, Any]] = {
    "core.analyzer": {"Analyzer": Analyzer},
    "core.data": {**_DATASETS, "DatasetBuilder": DatasetBuilder},
    "core.data.dataset_builder": {"DatasetBuilder": DatasetBuilder},
    "core.data.dj_dataset": _DATASETS,
    "core.executor": {"DefaultExecutor": DefaultExecutor, "ExecutorFactory": ExecutorFactory},
    "core.executor.default_executor": {"DefaultExecutor": DefaultExecutor},
    "core.executor.factory": {"ExecutorFactory": ExecutorFactory},
    "core.exporter": {"Exporter": Exporter},
    "core.tracer": {"Tracer": Tracer},
}


def provide(package: str) -> None:
    """Put the modules below ``data_juicer`` where imports find them."""
    root = sys.modules[package]
    root.__dict__.update(__version__=__version__, is_djfast=True)
    core = {name: value for names in _CORE.values() for name, value in names.items()}
    contents: dict[str, dict[str, Any]] = {"config": _CONFIG, "config.config": _CONFIG, "core": core, **_CORE}
    for name, module in stand_ins().items():
        if name.startswith("data_juicer."):
            contents[name.removeprefix("data_juicer.")] = {
                each: value for each, value in vars(module).items() if each == "__getattr__" or not each.startswith("__")
            }
    contents["utils.unittest_utils"] = TESTING
    contents |= MODULES
    operators = {"OPERATORS": Operators(), "load_ops": load_peer_ops}
    contents["ops"].update(operators)
    contents["ops.base_op"].update(operators)
    contents["ops.load"] = {"load_ops": load_peer_ops}
    for kind, ops in kinds().items():
        contents[f"ops.{kind}"] = {"__getattr__": _classes(f"{package}.ops.{kind}")}
        for op in ops:
            contents[f"ops.{kind}.{op}"] = {"__getattr__": _classes(f"{package}.ops.{kind}.{op}")}
    for name in sorted(contents):  # parents come first
        _add(root, name, contents[name])


def _add(root: types.ModuleType, name: str, content: dict[str, Any]) -> None:
    """Make a module, and a name of the one that it is in."""
    full = f"{root.__name__}.{name}"
    module = types.ModuleType(full)
    module.__dict__.update(content)
    module.__path__ = []  # an import of what is not here says that there is no such module
    sys.modules[full] = module
    parent, _, last = full.rpartition(".")
    setattr(sys.modules[parent], last, module)


def _classes(module: str) -> Callable[[str], Any]:
    def find(name: str) -> Any:
        found = None if name.startswith("_") else class_of(name)
        if found is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}; djfast has no such OP")
        return found

    return find
