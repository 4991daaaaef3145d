"""In which format a recipe writes."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from djfast.errors import RecipeError

_REMOTE = "only local files are read and written"
_FORMATS = ("jsonl", "json", "parquet")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.I | re.ASCII)


def export_format(settings: Mapping[str, Any], notices: list[str]) -> str:
    """Return the format of the result.

    Raises
    ------
    RecipeError
        If export_path is not local or its suffix names no format.
    """
    del notices
    path = settings["export_path"]
    _check_local("export_path", path)
    if settings["export_type"]:
        return str(settings["export_type"])
    base = path[:-4] if path.endswith(".zst") else path
    suffix = os.path.splitext(base)[1].lower().lstrip(".")
    if suffix not in _FORMATS or (base != path and suffix == "parquet"):
        raise RecipeError(
            f"export_path must end in .jsonl, .json or .parquet (the first two also in .zst), or export_type must be "
            f"set, got {path!r}"
        )
    return str(suffix)


def _check_local(place: str, path: str) -> None:
    if scheme := _SCHEME.match(path):
        # The rest of an address may hold a password.
        raise RecipeError(f"{place} must be a local path: {_REMOTE}, got one with {scheme[0]!r}")
