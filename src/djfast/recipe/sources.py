"""Where a recipe's rows come from: files here and elsewhere, with weights, or a data set that is generated."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from typing import Any

from djfast.errors import RecipeError
from djfast.records import NamedTuple
from djfast.redaction import is_secret_entry
from djfast.reserved import STDIN, STREAM
from djfast.spelling import did_you_mean

_SCHEME = r"(?ai)[a-z][a-z0-9+.-]+://"
_LOCAL_KEYS = ("type", "source", "path", "weight")
_HUB_KEYS = (*_LOCAL_KEYS, "name", "split", "data_files", "data_dir", "limit", "revision")
# A source's key -> the variable that comes before it, and the name by which the library knows it.
_S3_CREDENTIALS = {
    "aws_access_key_id": (("AWS_ACCESS_KEY_ID",), "key"),
    "aws_secret_access_key": (("AWS_SECRET_ACCESS_KEY",), "secret"),
    "aws_session_token": (("AWS_SESSION_TOKEN",), "token"),
    "aws_region": (("AWS_REGION", "AWS_DEFAULT_REGION"), "region"),
    "endpoint_url": (("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"), "endpoint_url"),
    "anon": ((), "anon"),
}
_NOT_READ = ("modelscope", "arxiv", "wiki", "commoncrawl", "hdfs", "iceberg")
# Classes that another engine reads files with -> the family of formats.
_FORMATTERS = {
    "JsonFormatter": (".json", ".jsonl", ".json.gz", ".jsonl.gz", ".json.zst", ".jsonl.zst"),
    "CsvFormatter": (".csv",),
    "TsvFormatter": (".tsv",),
    "ParquetFormatter": (".parquet",),
    "TextFormatter": (),
}
_EMPTY = ("EmptyFormatter", "RayEmptyFormatter")
_MOST_GENERATED = 2**40


class Generated(NamedTuple):
    """A data set of null texts; `number_key` is a field with the number of the row."""

    rows: int
    fields: tuple[str, ...]
    number_key: str | None = None


class Source(NamedTuple):
    """One source.

    Attributes
    ----------
    paths : tuple of str
        Files, folders, patterns and addresses.
    weight : float
        Its share of a mixture.
    suffixes : tuple of str
        Only these count; empty takes those of the recipe.
    limit : int or None
        Only the first so many rows.
    options : mapping
        What the file system needs, credentials among it; never shown.
    generated : Generated or None
        Instead of paths.
    """

    paths: tuple[str, ...]
    weight: float = 1.0
    suffixes: tuple[str, ...] = ()
    limit: int | None = None
    options: Mapping[str, Any] = {}
    generated: Generated | None = None


class Sources(NamedTuple):
    """All sources of a recipe, and how many rows are drawn from them.

    `shares` tells that a weight is a share of its source's rows; with `most`, weights are shares of that many rows.
    """

    listed: tuple[Source, ...]
    most: int | None = None
    shares: bool = False


def sources_of(settings: Mapping[str, Any], environment: Mapping[str, str], notices: list[str]) -> Sources:
    """Return where the rows come from; no source if the recipe names none.

    Raises
    ------
    RecipeError
        If an entry is wrong or cannot be read; the message starts with the key.
    """
    generated = settings["generated_dataset_config"]
    if generated:
        for name in ("dataset_path", "dataset"):
            if settings[name]:
                notices.append(f"{name} is not read because generated_dataset_config is set")
        return Sources((_generated(generated),))
    if settings["dataset_path"].strip():
        if settings["dataset"]:
            notices.append("dataset is not read because dataset_path is set")
        return _read_once("dataset_path", Sources(tuple(_from_dataset_path(settings["dataset_path"])), shares=True))
    if settings["dataset"]:
        return _read_once("dataset", _from_dataset(settings["dataset"], environment, notices))
    return Sources(())


def _read_once(place: str, sources: Sources) -> Sources:
    """Return sources of which standard input, if it is among them, is the only one, and is read as a whole."""
    paths = [path for source in sources.listed for path in source.paths]
    is_alone = len(paths) == 1 and sources.listed[0].weight == 1 and sources.most is None
    if STDIN in paths and not is_alone:
        raise RecipeError(f"{place}: standard input ({STREAM}) must be the only input, without a weight: it can be read once")
    return sources


def home_opened(path: str) -> str:
    """Return a path with the user's home in place of a ~ in front, as a shell has it.

    Raises
    ------
    RecipeError
        If no path can be so.
    """
    if "\0" in path:
        raise RecipeError(f"a path must not hold the character U+0000, got {path!r}")
    return os.path.expanduser(path) if path == "~" or path.startswith("~/") else path


def check_address(place: str, path: str) -> str:
    """Return a path or address that holds no password and no chain of file systems; ~ is the user's home, - standard input.

    Raises
    ------
    RecipeError
    """
    scheme = re.match(_SCHEME, path) if "://" in path else None
    if scheme is None:
        return STDIN if path == STREAM else home_opened(path)
    # The rest of an address may hold a password, so it is not shown.
    if "@" in path[scheme.end() :].partition("/")[0]:
        raise RecipeError(f"{place} must not hold a user or password; give credentials in the environment, got {scheme[0]!r}")
    if any(is_secret_entry(part.partition("=")[0]) for part in path.partition("?")[2].split("&")):
        raise RecipeError(f"{place} must not hold a secret in its query, it would be written down, got {scheme[0]!r}")
    if "::" in path:
        raise RecipeError(f"{place} cannot chain file systems with '::', got an address with {scheme[0]!r}")
    return path


def without_credentials(dataset: Any) -> Any:
    """Return the value of ``dataset`` without what must not be written down."""
    if isinstance(dataset, dict):
        hidden = {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}
        return {name: without_credentials(value) for name, value in dataset.items() if name not in hidden}
    return [without_credentials(each) for each in dataset] if isinstance(dataset, list) else dataset


def _generated(config: Mapping[str, Any]) -> Source:
    place = "generated_dataset_config"
    kind = config.get("type")
    if kind in _FORMATTERS:
        _check_names(place, config, ("type", "dataset_path", "suffixes"))
        path = config.get("dataset_path")
        if not isinstance(path, str) or not path:
            raise RecipeError(f"{place} needs a dataset_path, got {path!r}")
        suffixes = config.get("suffixes") or _FORMATTERS[str(kind)]
        return Source((check_address(place, path),), suffixes=(suffixes,) if isinstance(suffixes, str) else tuple(suffixes))
    if kind not in _EMPTY:
        raise RecipeError(f"{place} must have a type of {', '.join((*_EMPTY, *_FORMATTERS))}, got {kind!r}")
    _check_names(place, config, ("type", "length", "feature_keys", "number_key"))
    rows = config.get("length")
    if not isinstance(rows, int) or isinstance(rows, bool) or not 0 <= rows <= _MOST_GENERATED:
        raise RecipeError(f"{place} needs a length, an integer from 0 to {_MOST_GENERATED}, got {rows!r}")
    fields = config.get("feature_keys", [])
    fields = [fields] if isinstance(fields, str) else fields
    if not isinstance(fields, list) or not all(isinstance(name, str) and name for name in fields):
        raise RecipeError(f"{place} needs names of fields under feature_keys, got {fields!r}")
    number_key = config.get("number_key")
    if number_key is not None and (not isinstance(number_key, str) or not number_key or number_key in fields):
        raise RecipeError(f"{place} needs the name of a field of its own under number_key, got {number_key!r}")
    return Source((), generated=Generated(rows, tuple(dict.fromkeys(fields)), number_key))


def _from_dataset_path(text: str) -> list[Source]:
    if os.path.exists(text) and text != STREAM:
        return [Source((text,))]  # a path with spaces in it
    if " " in text and not {*"*?["}.isdisjoint(text):
        import glob

        if any(glob.iglob(text)):
            return [Source((text,))]  # a pattern with spaces in it
    import shlex

    try:
        parts = shlex.split(text)
    except ValueError as error:
        raise RecipeError(f"dataset_path cannot be split into paths ({error}), got {text!r}") from None
    sources = []
    weight = 1.0
    for index, part in enumerate(parts):
        number = _number(part)
        if number is None or index + 1 == len(parts):
            sources.append(Source((check_address("dataset_path", part),), weight))
            weight = 1.0
        else:
            weight = _weight("dataset_path", number)
    return sources


def _from_dataset(dataset: Any, environment: Mapping[str, str], notices: list[str]) -> Sources:
    if isinstance(dataset, list):
        raise RecipeError("dataset must be a mapping with a list under configs, got a list")
    _check_names("dataset", dataset, ("configs", "max_sample_num"))
    most = dataset.get("max_sample_num")
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 1):
        raise RecipeError(f"dataset must have an integer of at least 1 as max_sample_num, got {most!r}")
    configs = dataset.get("configs")
    if not isinstance(configs, list) or not configs:
        raise RecipeError("dataset needs a list of sources under configs")
    sources = tuple(_from_entry(f"dataset.configs.{index}", entry, environment) for index, entry in enumerate(configs))
    if most is None and any(source.weight != 1 for source in sources):
        notices.append("weights under dataset.configs have no effect without max_sample_num: all rows are read")
    if most is not None and not any(source.weight for source in sources):
        raise RecipeError("dataset.configs needs a weight above 0, got none")
    return Sources(sources, most)


def _from_entry(place: str, entry: Any, environment: Mapping[str, str]) -> Source:
    if not isinstance(entry, dict):
        raise RecipeError(f"{place} must be a mapping with type and path")
    weight = entry.get("weight")
    number = 1.0 if weight is None else _number(str(weight)) if not isinstance(weight, bool) else None
    if number is None:
        raise RecipeError(f"{place} must have a number as weight, got {weight!r}")
    kind = entry.get("type", "local")
    if kind == "local":
        _check_names(place, entry, _LOCAL_KEYS)
        return Source(_paths(place, entry), _weight(place, number))
    if kind != "remote":
        raise RecipeError(f"{place} must have a type of local or remote, got {kind!r}")
    source = entry.get("source")
    if source == "s3":
        return _from_s3(place, entry, environment)._replace(weight=_weight(place, number))
    if source == "huggingface":
        return _from_hub(place, entry)._replace(weight=_weight(place, number))
    if source in _NOT_READ:
        raise RecipeError(f"{place} cannot be read from there: fetch it first, or mount it, and name the files, got {source!r}")
    raise RecipeError(f"{place} must have a source of s3 or huggingface, got {source!r}")


def _from_s3(place: str, entry: Mapping[str, Any], environment: Mapping[str, str]) -> Source:
    _check_names(place, entry, (*_LOCAL_KEYS, *_S3_CREDENTIALS))
    paths = _paths(place, entry)
    if not all(path.startswith("s3://") for path in paths):
        raise RecipeError(f"{place} needs a path that starts with s3://, got {entry.get('path')!r}")
    options: dict[str, Any] = {}
    for name, (variables, option) in _S3_CREDENTIALS.items():
        value = entry.get(name)
        if value is None or any(environment.get(variable) for variable in variables):
            continue  # the library takes what the environment has
        if not isinstance(value, bool if name == "anon" else str):
            raise RecipeError(f"{place} must have {'true or false' if name == 'anon' else 'a string'} as {name}")
        if option == "region":
            options["client_kwargs"] = {"region_name": value}
        else:
            options[option] = value
    return Source(paths, options=options)


def _from_hub(place: str, entry: Mapping[str, Any]) -> Source:
    """Name the files of a data set of the Hugging Face hub: those of one split."""
    _check_names(place, entry, _HUB_KEYS)
    [name, *more] = _paths(place, entry)
    if more or name.count("/") > 1 or "://" in name:
        raise RecipeError(f"{place} needs the name of one data set such as user/name, got {entry.get('path')!r}")
    limit = entry.get("limit")
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
        raise RecipeError(f"{place} must have an integer as limit, got {limit!r}")
    parts = {key: entry.get(key) for key in ("revision", "data_dir", "name", "split")}
    for key, value in parts.items():
        if value is not None and (not isinstance(value, str) or ".." in value.split("/")):
            raise RecipeError(f"{place} must have a plain name as {key}, got {value!r}")
    root = f"hf://datasets/{name}" + (f"@{parts['revision']}" if parts["revision"] else "")
    for folder in (parts["data_dir"], parts["name"]):
        root += f"/{folder.strip('/')}" if folder else ""
    split = parts["split"] or "train"
    files = entry.get("data_files")
    files = files.get(split) if isinstance(files, dict) else files
    if files is not None:
        listed = files if isinstance(files, list) else [files]
        if not listed or not all(isinstance(each, str) and each and ".." not in each.split("/") for each in listed):
            raise RecipeError(f"{place} must have names of files of the data set as data_files, got {files!r}")
        return Source(tuple(f"{root}/{each.lstrip('/')}" for each in listed), limit=limit)
    return Source((f"{root}/**/{split}[-.]*",), limit=limit)


def _paths(place: str, entry: Mapping[str, Any]) -> tuple[str, ...]:
    path = entry.get("path")
    listed = path if isinstance(path, list) else [path]
    paths = [each for each in listed if isinstance(each, str) and each]
    if not paths or len(paths) < len(listed):
        raise RecipeError(f"{place} needs a path, got {path!r}")
    return tuple(check_address(place, each) for each in paths)


def _check_names(place: str, given: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    for name in given:
        if name not in allowed:
            raise RecipeError(f"{place} has no such key{did_you_mean(str(name), allowed)}, got {name!r}")


def _weight(place: str, number: float) -> float:
    if not math.isfinite(number):
        raise RecipeError(f"{place} must have finite weights, got {number!r}")
    if number < 0:
        raise RecipeError(f"{place} must have weights of at least 0, got {number!r}")
    return number


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
