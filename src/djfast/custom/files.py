"""OPs in files that a recipe names: they are run before the recipe's OPs are looked up."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from djfast.custom.data_juicer import standing_in
from djfast.errors import RecipeError
from djfast.functions.user_code import SWITCH

_loaded: dict[Path, str] = {}  # file -> module


def load_files(paths: Iterable[str]) -> list[str]:
    """Run files and packages with OPs, each once in this process, and return the files.

    Parameters
    ----------
    paths : iterable of str
        Python files, or folders with an ``__init__.py``.

    Raises
    ------
    RecipeError
        If there is no such file, a module of its name is loaded already, it cannot be run, or ``DJFAST_USER_CODE=0`` forbids it.
    """
    return [str(_load(Path(path))) for path in paths]


def _load(path: Path) -> Path:
    file = (path / "__init__.py" if path.is_dir() else path).resolve()
    if file.suffix != ".py" or not file.is_file():
        raise RecipeError(f"custom_operator_paths must name Python files, or folders with an __init__.py, got {str(path)!r}")
    if file in _loaded:
        return file
    if os.environ.get(SWITCH) == "0":
        raise RecipeError(f"custom_operator_paths runs code of the user, which {SWITCH}=0 forbids here")
    name = file.parent.name if file.name == "__init__.py" else file.stem
    if name in sys.modules:
        raise RecipeError(f"custom_operator_paths: a module of this name is loaded already; rename the file, got {name!r}")
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with standing_in():
            spec.loader.exec_module(module)
    except RecipeError:
        del sys.modules[name]
        raise
    except Exception as error:
        del sys.modules[name]
        raise RecipeError(f"custom_operator_paths: {file} cannot be run ({type(error).__name__}: {error})") from error
    _loaded[file] = name
    return file
