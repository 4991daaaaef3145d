"""Folders that the library ``datasets`` saved: Arrow streams in an order that a file beside them names."""

from __future__ import annotations

import json
import os
from typing import Any

from djfast.errors import InputError
from djfast.io.read.formats import InputFile

_STATE = "state.json"
_SPLITS = "dataset_dict.json"
_MAX_BYTES = 16 << 20


def is_saved_dataset(folder: str) -> bool:
    """Tell whether a folder is a saved data set or one with splits."""
    return any(os.path.isfile(os.path.join(folder, name)) for name in (_STATE, _SPLITS))


def saved_files(folder: str, notices: list[str] | None) -> list[InputFile]:
    """Return the files of a saved data set; of one with splits, those of train, or of all if there is none.

    Raises
    ------
    InputError
        If what names the files is damaged.
    """
    if not os.path.isfile(os.path.join(folder, _SPLITS)):
        return _split_files(folder)
    splits = _names(folder, _SPLITS, _record(folder, _SPLITS).get("splits"))
    taken = ["train"] if "train" in splits else splits
    if taken != splits and notices is not None:
        others = ", ".join(name for name in splits if name != "train")
        notices.append(f"{folder}: of several splits train is read; name the folder of another one to read it ({others})")
    return [file for name in taken for file in _split_files(os.path.join(folder, name))]


def _split_files(folder: str) -> list[InputFile]:
    listed = _record(folder, _STATE).get("_data_files")
    names = [each.get("filename") if isinstance(each, dict) else None for each in listed] if isinstance(listed, list) else None
    return [InputFile(os.path.join(folder, name), "arrow", None) for name in _names(folder, _STATE, names)]


def _record(folder: str, name: str) -> dict[str, Any]:
    path = os.path.join(folder, name)
    try:
        with open(path, "rb") as file:
            record = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot read {path}: {error}") from error
    if not isinstance(record, dict):
        raise InputError(f"cannot read {path}: it must hold a mapping")
    return record


def _names(folder: str, name: str, given: Any) -> list[str]:
    """Return names of files in the folder itself: a data set must not name files elsewhere."""
    path = os.path.join(folder, name)
    if not isinstance(given, list):
        raise InputError(f"cannot read {path}: it must list the files of the data set")
    for each in given:
        if not isinstance(each, str) or not each or each != os.path.basename(each) or each in (".", ".."):
            raise InputError(f"cannot read {path}: it must name files of its folder, got {each!r}")
    return given
