"""OPs in files that a recipe names: they are run before the recipe's OPs are looked up."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterable, Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

from djfast.custom.data_juicer import standing_in
from djfast.declare import REGISTRY
from djfast.errors import RecipeError
from djfast.functions.confinement import same_working_folder
from djfast.functions.custom import CUSTOM
from djfast.functions.user_code import cannot_be_run, check_allowed
from djfast.functions.user_modules import forget_changed_modules, modules_behind, note_modules
from djfast.records import NamedTuple


class _Loaded(NamedTuple):
    """A file that was run: its module, the OPs that it declared, and a digest of its code."""

    module: str
    ops: frozenset[str]
    digest: bytes


_loaded: dict[Path, _Loaded] = {}


class _Source(SourceFileLoader):
    """Compiles what the file holds now: compiled code beside it is told from older one by whole seconds only."""

    def get_code(self, fullname: str) -> CodeType:
        """Compile the file."""
        path = self.get_filename(fullname)
        code: CodeType = self.source_to_code(self.get_data(path), path)
        return code


def load_files(paths: Iterable[str]) -> list[str]:
    """Run files and packages with OPs, and return the files. Each is run once in this process, and again when it has changed.

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
        wanted = "custom_operator_paths must name Python files, or folders with an __init__.py"
        raise RecipeError(f"{wanted}; there is none in {os.getcwd()}, got {str(path)!r}")
    check_allowed("custom_operator_paths")
    name = file.parent.name if file.name == "__init__.py" else file.stem
    known = _loaded.get(file)
    if known is not None and known.digest == _digest(file, name):
        return file
    if name in sys.modules and name not in {each.module for each in _loaded.values()}:
        raise RecipeError(f"custom_operator_paths: a module of this name is loaded already; rename the file, got {name!r}")
    forget_changed_modules(str(file), name)
    _forget(file, name)
    before = dict(CUSTOM)
    try:
        _run(file, name)
    except (Exception, SystemExit) as error:
        _forget_ops(_declared_since(before))
        if isinstance(error, RecipeError):
            raise
        raise RecipeError(f"custom_operator_paths: {cannot_be_run(str(file), error)}") from error
    note_modules(str(file), name)
    _loaded[file] = _Loaded(name, _declared_since(before), _digest(file, name))
    return file


def _run(file: Path, name: str) -> None:
    """Run a file as a module."""
    spec = importlib.util.spec_from_file_location(name, file, loader=_Source(name, str(file)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    importlib.invalidate_caches()
    writes_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        with standing_in(), same_working_folder():
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.dont_write_bytecode = writes_bytecode


def _digest(file: Path, name: str) -> bytes:
    """Return a digest of a file, or of all files of a package, and of what they import of the user's."""
    files = sorted(file.parent.rglob("*.py")) if file.name == "__init__.py" else [file]
    files += sorted({*map(Path, modules_behind(str(file), name).values())} - {*files})
    digest = hashlib.sha256()
    for each in files:
        digest.update(f"{each}\0".encode("utf-8", "surrogateescape") + each.read_bytes() + b"\0")
    return digest.digest()


def _forget(file: Path, name: str) -> None:
    """Forget what an earlier state of a file declared, and the modules of its name."""
    for each in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
        del sys.modules[each]
    known = _loaded.pop(file, None)
    if known is not None:
        _forget_ops(known.ops)


def _declared_since(before: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(name for name, function in CUSTOM.items() if before.get(name) is not function)


def _forget_ops(ops: Iterable[str]) -> None:
    for op in ops:
        CUSTOM.pop(op, None)
        REGISTRY.pop(op, None)
