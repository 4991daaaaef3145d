"""Results on other file systems: files are written here first and uploaded when they are complete.

Any address that `fsspec` knows will do. Object stores show a file when all of it is there; elsewhere it is uploaded under a
temporary name and renamed.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from djfast.errors import MissingExtraError, OutputError, RecipeError
from djfast.io.result_names import earlier_names, record_path
from djfast.records import NamedTuple

# A file appears here when the last of its bytes has arrived.
_ATOMIC = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "hf", "memory"})
_VARIABLES = {
    "aws_access_key_id": ("key", ("AWS_ACCESS_KEY_ID",)),
    "aws_secret_access_key": ("secret", ("AWS_SECRET_ACCESS_KEY",)),
    "aws_session_token": ("token", ("AWS_SESSION_TOKEN",)),
    "aws_region": ("region_name", ("AWS_REGION", "AWS_DEFAULT_REGION")),
    "endpoint_url": ("endpoint_url", ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")),
}
_OF_CLIENT = ("region_name",)


class Address(NamedTuple):
    """A place on another file system, and the credentials for it."""

    url: str
    credentials: Mapping[str, Any] = {}

    @property
    def scheme(self) -> str:
        """What stands before ``://``."""
        return self.url.partition("://")[0].lower()

    @property
    def name(self) -> str:
        """What stands behind the last slash."""
        return self.url.rpartition("/")[2]

    def beside(self, name: str) -> Address:
        """Return the place of another file in the same folder."""
        return self._replace(url=f"{self.url.rpartition('/')[0]}/{name}")

    def file_system(self) -> Any:
        """Return the file system.

        Raises
        ------
        MissingExtraError
            If the package for it is not there.
        RecipeError
            If nothing knows the scheme.
        OutputError
            If it cannot be reached.
        """
        try:
            import fsspec
        except ImportError:
            raise MissingExtraError(f"an export_path with {self.scheme}:// needs fsspec: pip install 'djfast[remote]'") from None
        try:
            fsspec.get_filesystem_class(self.scheme)
        except ImportError as error:
            raise MissingExtraError(f"an export_path with {self.scheme}:// needs a package: {error}") from error
        except ValueError as error:
            raise RecipeError(f"export_path must be a path or an address that fsspec knows, got {self.scheme}://") from error
        with _saying(self, "use"):
            return fsspec.filesystem(self.scheme, **_options(self.scheme, self.credentials))


def _options(scheme: str, credentials: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the file system of S3 calls the credentials, without those that the environment has."""
    if scheme not in ("s3", "s3a"):
        return {}
    options: dict[str, Any] = {"anon": True} if credentials.get("anon") else {}
    client: dict[str, Any] = {}
    has_own_key = any(os.environ.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    for name, (option, variables) in _VARIABLES.items():
        is_of_key = option in ("key", "secret", "token")
        in_environment = has_own_key if is_of_key else any(os.environ.get(variable) for variable in variables)
        if credentials.get(name) and not in_environment:
            (client if option in _OF_CLIENT else options)[option] = credentials[name]
    return {**options, "client_kwargs": client} if client else options


def replace_files(paths: Sequence[str], address: Address, suffix: str) -> None:
    """Upload the files of a result in their order, and folders with all that is in them, in place of an earlier result.

    What is there of an earlier result goes first, its record before all else; only a file that is a result by itself stays until
    the new one has arrived. `suffix` is that of shards.

    Raises
    ------
    OutputError
        If something cannot be removed or uploaded.
    """
    file_system = address.file_system()
    files = {os.path.basename(path): path for path in paths}
    whole = {address.name} if address.name in files and not os.path.isdir(files[address.name]) else set()
    earlier = [name for name in earlier_in(address, suffix) if name not in whole]
    for name in sorted(earlier, key=lambda name: (name != record_path(address.name), name)):
        with _saying(address.beside(name), "remove"):
            file_system.rm(address.beside(name).url, recursive=True)
    for name, path in files.items():
        target = address.beside(name)
        with _saying(target, "write"):
            for each in _files_of(Path(path)) if os.path.isdir(path) else ():
                _put(file_system, str(each), f"{target.url}/{each.relative_to(path).as_posix()}")
            if not os.path.isdir(path):
                _put(file_system, path, target.url)


def earlier_in(address: Address, suffix: str) -> list[str]:
    """Return the names of what runs of a result left beside its address.

    Raises
    ------
    OutputError
        If it cannot be looked at.
    """
    file_system = address.file_system()

    def read(name: str) -> Any:
        return json.loads(file_system.cat_file(address.beside(name).url))

    with _saying(address, "look at what is beside"):
        file_system.invalidate_cache()
        try:
            names = [path.rstrip("/").rpartition("/")[2] for path in file_system.ls(address.beside("").url, detail=False)]
        except FileNotFoundError:
            return []
        return earlier_names(address.name, suffix, names, read)


def check_folder(address: Address, marker: str) -> None:
    """Make sure that what a folder replaces was a result, too.

    Raises
    ------
    OutputError
        If it is something else.
    """
    file_system = address.file_system()
    with _saying(address, "look at"):
        is_other = file_system.exists(address.url) and not file_system.exists(f"{address.url}/{marker}")
    if is_other:
        raise OutputError(
            f"the result would replace what is not a result: it has no {marker} in it; remove it or choose another export_path, "
            f"got {address.url}"
        )


def stored_bytes(url: str, credentials: Mapping[str, Any]) -> int:
    """Return the size of an uploaded file, or of all files of a folder; -1 if there is none."""
    address = Address(url, credentials)
    file_system = address.file_system()

    with _saying(address, "look at"):
        file_system.invalidate_cache()
        if file_system.isfile(url):
            return int(file_system.size(url))
        sizes = [entry["size"] for entry in file_system.find(url, detail=True).values()]
        return sum(sizes) if sizes else -1


def _files_of(folder: Path) -> list[Path]:
    """Return the files of a folder. Those that make it a data set come last: they name the others."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return sorted(files, key=lambda path: path.name == "state.json" or path.parent.name == "_versions")


def _put(file_system: Any, path: str, url: str) -> None:
    if url.partition("://")[0].lower() in _ATOMIC:
        file_system.put_file(path, url)
        return
    file_system.makedirs(url.rpartition("/")[0], exist_ok=True)
    temporary = f"{url}.tmp-{os.urandom(4).hex()}"
    try:
        file_system.put_file(path, temporary)
        file_system.mv(temporary, url)
    except BaseException:
        if file_system.exists(temporary):
            file_system.rm_file(temporary)
        raise


@contextlib.contextmanager
def _saying(address: Address, what: str) -> Iterator[None]:
    """Say which address fails. The libraries have no exception in common, and some put secrets into messages."""
    try:
        yield
    except Exception as error:
        reason = _without(address.credentials, f"{type(error).__name__}: {error}"[:500])
        raise OutputError(f"cannot {what} {address.url}: {reason}") from None


def _without(credentials: Mapping[str, Any], message: str) -> str:
    secrets = [value for name, value in credentials.items() if isinstance(value, str) and re.search("key|token", name) and value]
    for secret in secrets:
        message = message.replace(secret, "***")
    return message
