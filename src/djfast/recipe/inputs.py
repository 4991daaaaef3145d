"""Which files a recipe reads."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from typing import Any

from djfast.errors import RecipeError
from djfast.spelling import did_you_mean

_MIXTURES = "mixtures are not supported yet"
_REMOTE = "only local files are read and written"
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]+://", re.I | re.ASCII)
_ENTRY_KEYS = ("type", "source", "path", "weight")


def input_paths(settings: Mapping[str, Any], notices: list[str]) -> list[str]:
    """Return the paths and patterns of the input, in order; empty if the recipe names none.

    Raises
    ------
    RecipeError
        For mixtures, remote sources and incomplete entries; the message starts with the key.
    """
    if settings["dataset_path"].strip():
        if settings["dataset"]:
            notices.append("dataset is not read because dataset_path is set")
        return _from_dataset_path(settings["dataset_path"])
    if settings["dataset"]:
        return _from_dataset(settings["dataset"])
    return []


def _from_dataset_path(text: str) -> list[str]:
    if os.path.exists(text):
        return [text]  # a path with spaces in it
    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise RecipeError(f"dataset_path cannot be split into paths ({error}), got {text!r}") from None
    paths = []
    for index, part in enumerate(parts):
        weight = _number(part)
        if weight is None or index + 1 == len(parts):
            _check_local("dataset_path", part)
            paths.append(part)
        elif weight != 1:
            raise RecipeError(f"dataset_path cannot have weights: {_MIXTURES}, got {part!r}")
    return paths


def _from_dataset(dataset: Any) -> list[str]:
    if isinstance(dataset, list):
        raise RecipeError("dataset must be a mapping with a list under configs, got a list")
    for name in dataset:
        if name not in ("configs", "max_sample_num"):
            raise RecipeError(
                f"dataset has no such key{did_you_mean(name, ('configs', 'max_sample_num'))}, got {name!r}"
            )
    if dataset.get("max_sample_num") is not None:
        raise RecipeError(f"dataset cannot have max_sample_num: {_MIXTURES}, got {dataset['max_sample_num']!r}")
    configs = dataset.get("configs")
    if not isinstance(configs, list) or not configs:
        raise RecipeError("dataset needs a list of sources under configs")
    paths = []
    for index, entry in enumerate(configs):
        paths += _from_entry(f"dataset.configs.{index}", entry)
    return paths


def _from_entry(place: str, entry: Any) -> list[str]:
    if not isinstance(entry, dict):
        raise RecipeError(f"{place} must be a mapping with type and path")
    kind = entry.get("type", "local")
    if kind != "local":
        # Other keys of a remote source may be credentials, so it is named before they are looked at.
        raise RecipeError(f"{place} cannot be of this type: {_REMOTE}, got {kind!r}")
    for name in entry:
        if name not in _ENTRY_KEYS:
            raise RecipeError(f"{place} has no such key{did_you_mean(name, _ENTRY_KEYS)}, got {name!r}")
    if entry.get("weight", 1) not in (1, None):
        raise RecipeError(f"{place} cannot have a weight: {_MIXTURES}, got {entry['weight']!r}")
    path = entry.get("path")
    listed = path if isinstance(path, list) else [path]
    paths = [each for each in listed if isinstance(each, str) and each]
    if not paths or len(paths) < len(listed):
        raise RecipeError(f"{place} needs a path, got {path!r}")
    for each in paths:
        _check_local(place, each)
    return paths


def _check_local(place: str, path: str) -> None:
    if scheme := _SCHEME.match(path):
        # The rest of an address may hold a password.
        raise RecipeError(f"{place} must be a local path: {_REMOTE}, got one with {scheme[0]!r}")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
