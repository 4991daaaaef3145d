"""djfast: prepare data for training foundation models with Data-Juicer recipes, natively.

>>> import djfast
>>> [op] = djfast.load_ops([{"text_length_filter": {"min_len": 5}}])
>>> djfast.Dataset.from_list([{"text": "long enough"}, {"text": "no"}]).process(op).to_list()
[{'text': 'long enough'}]
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from djfast import ops
    from djfast.api import run
    from djfast.catalog import load_ops
    from djfast.custom.functions import filter, mapper
    from djfast.dataset import Dataset
    from djfast.functions.custom import DROP
    from djfast.pipe import cluster, compile
    from djfast.recipe.load import load_recipe

__version__ = "0.1.0"
__all__ = ["DROP", "Dataset", "__version__", "cluster", "compile", "filter", "load_ops", "load_recipe", "mapper", "ops", "run"]

# Names are imported when they are first used: `import djfast` itself costs next to nothing.
_HOMES = {
    "DROP": "djfast.functions.custom",
    "Dataset": "djfast.dataset",
    "cluster": "djfast.pipe",
    "compile": "djfast.pipe",
    "filter": "djfast.custom.functions",
    "load_ops": "djfast.catalog",
    "load_recipe": "djfast.recipe.load",
    "mapper": "djfast.custom.functions",
    "run": "djfast.api",
}


def __getattr__(name: str) -> object:
    """Import a public name at its first use."""
    from importlib import import_module

    if name == "ops":
        return import_module("djfast.ops")
    if name not in _HOMES:
        raise AttributeError(f"module 'djfast' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names."""
    return sorted({*globals(), *_HOMES, "ops"})
