"""Texts of untrusted documents, taken out in a process of its own: one that hangs or fills the memory costs its row only.

The process gets, for each document, the name of its format, a length and the bytes; it answers with a mark, a length and a text.
"""

from __future__ import annotations

import atexit
import importlib
import subprocess
import sys
import threading
from typing import IO, cast

from djfast.errors import InputError
from djfast.io.formats import InputFile
from djfast.io.remote import open_binary

MAX_BYTES = 256 << 20
MAX_TEXT = 64 << 20  # characters
TIME_LIMIT = 300.0  # seconds for one document
_MEMORY = 4 << 30
_FORMATS = {"docx": "djfast.io.docx_files", "pdf": "djfast.io.pdf_files"}
_GOOD, _BAD = b"+", b"-"

_lock = threading.Lock()
_running: list[subprocess.Popen[bytes]] = []


def extracted(file: InputFile) -> str:
    """Return the text of a document.

    Raises
    ------
    InputError
        If it is damaged or too long, or takes too long.
    """
    with open_binary(file.path) as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise InputError(f"{file.path} is longer than {MAX_BYTES} bytes, the most that a document may have")
    with _lock:
        process = _process()
        overdue = threading.Timer(TIME_LIMIT, process.kill)
        overdue.start()
        try:
            _send(cast(IO[bytes], process.stdin), file.format.encode().ljust(8), content)
            mark, answer = _receive(cast(IO[bytes], process.stdout), 1)
        except (OSError, EOFError):
            _end(process)
            raise InputError(
                f"{file.path} could not be read in {TIME_LIMIT:g} seconds and {_MEMORY >> 30} GiB of memory"
            ) from None
        finally:
            overdue.cancel()
    text = answer.decode("utf-8", "replace")
    if mark != _GOOD:
        raise InputError(f"{file.path} cannot be read: {text}")
    return text


def _process() -> subprocess.Popen[bytes]:
    if _running and _running[0].poll() is None:
        return _running[0]
    _end_all()
    atexit.register(_end_all)
    command = [sys.executable, "-m", "djfast.io.extraction"]
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    _running.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nothing, start_new_session=True))
    return _running[0]


def _end_all() -> None:
    atexit.unregister(_end_all)
    for process in list(_running):
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()
            except OSError:  # what is left to write has no reader
                continue
    _running.remove(process)


def _send(stream: IO[bytes], head: bytes, body: bytes) -> None:
    stream.write(head + len(body).to_bytes(8, "little"))
    stream.write(body)
    stream.flush()


def _receive(stream: IO[bytes], head_bytes: int) -> tuple[bytes, bytes]:
    head = stream.read(head_bytes + 8)
    if len(head) < head_bytes + 8:
        raise EOFError
    size = int.from_bytes(head[head_bytes:], "little")
    body = stream.read(size)
    if len(body) < size:
        raise EOFError
    return head[:head_bytes], body


def _serve() -> None:
    """Answer until there are no more documents."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    answers = sys.stdout.buffer
    sys.stdout = sys.stderr  # a library that prints must not disturb the answers
    while True:
        try:
            name, content = _receive(sys.stdin.buffer, 8)
        except EOFError:
            return
        try:
            text = importlib.import_module(_FORMATS[name.strip().decode()]).extract(content)
            if len(text) > MAX_TEXT:
                raise ValueError(f"it has more than {MAX_TEXT} characters")
            mark = _GOOD
        except Exception as error:  # libraries report damage with whatever their parsers raise
            mark, text = _BAD, f"{type(error).__name__}: {error}"[:1000]
        _send(answers, mark, text.encode("utf-8", "replace"))


if __name__ == "__main__":
    _serve()
