"""Modules that files of the user import: they are his code, too, and are run again when they have changed."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from djfast.functions.failures import is_of_user

_digests: dict[str, bytes] = {}  # by file, of what it held when it was run


def modules_behind(file: str, package: str | None = None) -> dict[str, str]:
    """Return those loaded modules of the user that a file imports, and those that they import, with their files.

    Parameters
    ----------
    file : str
        A file with Python code.
    package : str, optional
        The package that it belongs to, if there is one.
    """
    found: dict[str, str] = {}
    waiting = [(file, package)]
    while waiting:
        for name in _imported(*waiting.pop()):
            module = sys.modules.get(name)
            path = getattr(module, "__file__", None)
            if name not in found and path and path != file and path.endswith(".py") and is_of_user(path):
                found[name] = path
                waiting.append((path, getattr(module, "__package__", None)))
    return found


def files_behind(file: str) -> list[str]:
    """Return the files of the user's modules behind a file that was run, itself a module or not."""
    packages = (module.__package__ for module in list(sys.modules.values()) if getattr(module, "__file__", None) == file)
    return sorted({*modules_behind(file, next(packages, None)).values()})


def note_modules(file: str, package: str | None = None) -> None:
    """Keep in mind what the modules behind a file hold; it was run just now."""
    for path in modules_behind(file, package).values():
        _digests[path] = _digest(path)


def forget_changed_modules(file: str, package: str | None = None) -> None:
    """Let the modules behind a file be loaded again if one of them has changed since then."""
    modules = modules_behind(file, package)
    if any(_digests.get(path) not in (None, _digest(path)) for path in modules.values()):
        for name, path in modules.items():
            sys.modules.pop(name, None)
            # Bytecode is known by the second and the size of its file, which a quick edit may leave as they were.
            with contextlib.suppress(OSError, NotImplementedError):
                os.remove(importlib.util.cache_from_source(path))


def _imported(file: str, package: str | None) -> Iterator[str]:
    """Yield the names of all modules that a file may import."""
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            try:
                base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            except ImportError:
                continue
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def _digest(path: str) -> bytes:
    try:
        return hashlib.sha256(Path(path).read_bytes()).digest()
    except OSError:
        return b""
