"""Writing what must be there after a crash, and saying where and what to do when it cannot be written."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from djfast.errors import OutputError

if TYPE_CHECKING:
    from pathlib import Path

_ELSEWHERE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)
_REMEDIES = {
    **dict.fromkeys(_ELSEWHERE, "; choose another place with {setting}"),
    errno.ENOSPC: "; make room there and run again, or choose another place with {setting}",
    errno.EDQUOT: "; your quota there is used up: make room and run again, or choose another place with {setting}",
}


@contextlib.contextmanager
def writing(path: str | Path, *, setting: str) -> Iterator[None]:
    """Name the file when it cannot be written, and the recipe's setting that moves it.

    Raises
    ------
    OutputError
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:  # one of ours, which says more
            raise
        remedy = _REMEDIES.get(error.errno, "").format(setting=setting)
        raise OutputError(f"cannot write {error.filename or path}: {error.strerror}{remedy}") from error


@contextlib.contextmanager
def written_whole(path: Path, *, setting: str) -> Iterator[IO[bytes]]:
    """Open a file that gets its name when it is complete and on the disk. Its folder is made.

    Raises
    ------
    OutputError
        As `writing` does.
    """
    temporary = path.with_suffix(".tmp")
    with writing(temporary, setting=setting):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)


def write_durably(path: str | Path, data: bytes, *, is_durable: bool = True) -> None:
    """Give a file these bytes, so that after a crash it holds either all of them or what it held before.

    Not `is_durable` leaves out what only a loss of power needs.
    """
    temporary = f"{path}.tmp-{os.urandom(4).hex()}"
    with open(temporary, "xb") as file:
        file.write(data)
        if is_durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(temporary, path)
    if is_durable:
        sync_folder(os.path.dirname(path) or ".")


def sync_file(path: str | Path) -> None:
    """Bring a file that others wrote to the disk, with its name."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_folder(os.path.dirname(os.path.abspath(path)))


def sync_folder(path: str | Path) -> None:
    """Bring the names in a folder to the disk. Where folders cannot be synced, the file system does it by itself."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
