"""Where a recipe writes, and in which format."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from djfast.errors import RecipeError
from djfast.io.write.formats import COMPRESSIONS, RESULT_FORMATS, ResultFormat, result_format_of
from djfast.reserved import STDOUT, STREAM
from djfast.spelling import did_you_mean

_SCHEME = r"(?ai)[a-z][a-z0-9+.-]*://"
_ALMOST_ADDRESS = r"(?i)(s3a?|gc?s|abfss?|az|adl|oss|hf|hdfs|https?|file|memory|s?ftp|ssh)(:|//)"
_REMOTE_WORK_DIR = "./outputs"  # as Data-Juicer has it
_WORK_DIR, _JOB_ID = "{work_dir}", "{job_id}"
CREDENTIALS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_region", "endpoint_url", "anon")


def is_remote(path: str) -> bool:
    """Whether a path is an address such as ``s3://bucket/key``."""
    return "://" in path and re.match(_SCHEME, path) is not None


def export_format(settings: Mapping[str, Any], notices: list[str], *, is_for_ray: bool) -> str:
    """Return the format of the result. Recipes for Ray may name a path without a suffix, which gets JSON.

    Raises
    ------
    RecipeError
        If the suffix of export_path names no format and export_type none either.
    """
    path = settings["export_path"]
    _check_address(path)
    kind = settings["export_type"]
    if path == STDOUT:
        if kind not in (None, "jsonl"):
            raise RecipeError(f"export_type must be jsonl or null if the result goes to standard output, got {kind!r}")
        return "jsonl"
    if kind is None and is_for_ray and not os.path.splitext(path)[1]:
        notices.append("export_path has no suffix: the result is one file of JSON lines, where Ray writes a folder of them")
        return "jsonl"
    if kind is None:
        try:
            return result_format_of(path).name
        except RecipeError as error:
            raise RecipeError(f"export_path {str(error).replace(', got ', ', or export_type must be set, got ', 1)}") from None
    if path.lower().endswith(COMPRESSIONS) and not RESULT_FORMATS[kind].is_compressible:
        raise RecipeError(f"export_path must not have a compression suffix if export_type is {kind}, got {path!r}")
    return str(kind)


def export_arguments(settings: Mapping[str, Any], notices: list[str]) -> dict[str, Any]:
    """Return the arguments of the format's writer.

    Raises
    ------
    RecipeError
        If one is unknown or wrong, or if other keys of the output contradict each other.
    """
    del notices
    if settings["export_shard_rows"] and settings["export_shard_size"]:
        raise RecipeError(f"export_shard_rows cannot be given with export_shard_size, got {settings['export_shard_rows']!r}")
    for name in ("export_shard_rows", "export_shard_size"):
        if settings[name] and settings["export_path"] == STDOUT:
            raise RecipeError(f"{name} cannot cut a result that goes to standard output, got {settings[name]!r}")
    # A path without a known suffix is complained about elsewhere.
    kind: ResultFormat | None = RESULT_FORMATS.get(settings.get("export_format", ""))
    if kind is None:
        return {}
    try:
        return kind.checked(settings["export_extra_args"] or {})
    except RecipeError as error:
        raise RecipeError(f"export_extra_args: {error}") from None


def export_credentials(settings: Mapping[str, Any], notices: list[str]) -> dict[str, Any]:
    """Return the credentials for S3 that are given. Messages hold none of their values.

    Raises
    ------
    RecipeError
        If one is unknown or of another type than text.
    """
    given = settings["export_aws_credentials"] or {}
    for name, value in given.items():
        if name not in CREDENTIALS:
            raise RecipeError(f"export_aws_credentials has no such entry{did_you_mean(str(name), CREDENTIALS)}, got {name!r}")
        if value is not None and not isinstance(value, bool if name == "anon" else str):
            raise RecipeError(f"export_aws_credentials.{name} must be {'true or false' if name == 'anon' else 'a string'}")
    if given and not settings["export_path"].lower().startswith(("s3://", "s3a://")):
        notices.append("export_aws_credentials has no effect: export_path is not on S3")
    return {name: value for name, value in given.items() if value is not None}


def fill_paths(settings: dict[str, Any], notices: list[str]) -> None:
    """Put the values of work_dir and job_id where paths have their names in braces.

    Raises
    ------
    RecipeError
        If a path names work_dir and there is none.
    """
    for name in ("work_dir", "export_path", "dataset_path"):
        path = settings[name] or ""
        if _WORK_DIR in path and name != "work_dir":
            if not settings["work_dir"]:
                raise RecipeError(f"{name} needs a work_dir in place of {_WORK_DIR}, got {path!r}")
            path = path.replace(_WORK_DIR, settings["work_dir"])
        if _JOB_ID in path and not settings["job_id"]:
            notices.append(f"{name}: there is no job_id, so {_JOB_ID} is left out: a run goes on in the folder it had before")
            path = re.sub(r"/\{job_id\}(?=/|$)|\{job_id\}/?", "", path)
        settings[name] = path.replace(_JOB_ID, settings["job_id"] or "") or settings[name]


def result_path(settings: Mapping[str, Any]) -> str:
    """Return where the result is written: export_path, or for an address a place in work_dir from which it is uploaded."""
    path = str(settings["export_path"])
    if not is_remote(path):
        return path
    import hashlib

    place = f"upload-{hashlib.sha256(path.encode('utf-8', 'backslashreplace')).hexdigest()[:12]}"
    return os.path.join(settings["work_dir"], place, path.rstrip("/").rpartition("/")[2])


def stream_opened(path: str) -> str:
    """Return the path of standard output in place of a -."""
    return STDOUT if path == STREAM else path


def default_work_dir(path: str) -> str:
    """Return the folder for everything but the result, where a recipe names none."""
    if path == STDOUT:
        import tempfile

        return tempfile.gettempdir()
    return _REMOTE_WORK_DIR if is_remote(path) else os.path.dirname(path) or "."


def _check_address(path: str) -> None:
    if not is_remote(path):
        if re.match(_ALMOST_ADDRESS, path):
            raise RecipeError(f"export_path must have :// if it is an address, or begin with ./ if it is not, got {path!r}")
        return
    user = path.partition("://")[2].partition("/")[0].rpartition("@")[0]
    if ":" in user:
        raise RecipeError("export_path must not hold a password; set it where the library of this file system looks for it")
    if "::" in path:
        raise RecipeError("export_path must be one address; chains of file systems with :: are not supported")
    if not path.rpartition("://")[2].strip("/") or path.endswith("/"):
        raise RecipeError(f"export_path must name a file, got {path!r}")
