"""Processes of ours that answer one request at a time: one that hangs or fills the memory costs its request only.

A request is a name of at most eight characters, a length and bytes; an answer is a mark, a length and bytes. Time is counted
as processor time of the child, which has one thread at work: other threads, ranks and programs do not change the verdict.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO, cast

# With `-m`, modules would be looked for in the working folder first, which may be a stranger's.
_START = "import json, runpy, sys; sys.path[:] = json.loads(sys.argv[1]); runpy.run_module(sys.argv[2], run_name='__main__')"
_GOOD, _BAD = b"+", b"-"
_NAME_BYTES = 8


class ChildEnded(Exception):
    """The child came to its limit of time or memory."""


class Children:
    """Children that run one module.

    Parameters
    ----------
    module : str
        Calls `serve` when it is run.
    patience : float
        Seconds after which a child is ended that neither answers nor comes to its own limit, as one that was stopped.
    most : int or None
        Children at once; None for one for each thread that asks.
    quiet : bool
        Whether what they say on standard error is dropped.
    """

    def __init__(self, module: str, *, patience: float, most: int | None = None, quiet: bool = True) -> None:
        self.patience = patience
        self._quiet = quiet
        self._module = module
        self._slots = None if most is None else threading.Semaphore(most)
        self._idle: list[subprocess.Popen[bytes]] = []
        self._all: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()

    def ask(self, name: str, body: bytes) -> tuple[bool, bytes]:
        """Return whether a request succeeded, and the answer, which is the reason where it did not.

        Raises
        ------
        ChildEnded
        """
        if self._slots is None:
            return self._asked(name, body)
        with self._slots:
            return self._asked(name, body)

    def _asked(self, name: str, body: bytes) -> tuple[bool, bytes]:
        child = self._child()
        overdue = threading.Timer(self.patience, child.kill)
        overdue.start()
        try:
            _send(cast(IO[bytes], child.stdin), name.encode().ljust(_NAME_BYTES), body)
            mark, answer = _receive(cast(IO[bytes], child.stdout), 1)
        except (OSError, EOFError):
            self._end(child)
            raise ChildEnded from None
        except BaseException:
            self._end(child)  # its answer would be taken for that of the next request
            raise
        finally:
            overdue.cancel()
        with self._lock:
            self._idle.append(child)
        return mark == _GOOD, answer

    def _child(self) -> subprocess.Popen[bytes]:
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.poll() is None:
                    return child
                self._all.discard(child)
            if not self._all:
                atexit.register(self.end)
            pipe = subprocess.PIPE
            child = subprocess.Popen(
                [sys.executable, "-c", _START, json.dumps(sys.path), self._module],
                stdin=pipe,
                stdout=pipe,
                stderr=subprocess.DEVNULL if self._quiet else None,
                start_new_session=True,
            )
            self._all.add(child)
            return child

    def end(self) -> None:
        """End all of them."""
        atexit.unregister(self.end)
        for child in list(self._all):
            self._end(child)

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:  # what is left to write has no reader
                    continue
        with self._lock:
            self._all.discard(child)
            if child in self._idle:
                self._idle.remove(child)


def serve(answer: Callable[[str, bytes], bytes], *, seconds: float, memory: int) -> None:
    """Answer until there are no more requests.

    Parameters
    ----------
    answer : callable
        From name and bytes of a request to bytes; an exception is a failure with its message.
    seconds : float
        Processor time of one request; the process ends when it needs more.
    memory : int
        Bytes of address space.
    """
    import os
    import resource
    import time

    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _end_with_parent()
    # What prints, in Python or below it, must not disturb the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            name, content = _receive(sys.stdin.buffer, _NAME_BYTES)
        except EOFError:
            return
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + seconds) + 1, resource.RLIM_INFINITY))
        try:
            mark, body = _GOOD, answer(name.strip().decode(), content)
        except Exception as error:  # libraries report damage with whatever their parsers raise
            mark, body = _BAD, f"{type(error).__name__}: {error}"[:1000].encode("utf-8", "replace")
        _send(answers, mark, body)


def _end_with_parent() -> None:
    """End this process soon after its parent, although it is busy and does not read."""
    import os
    import time

    parent = os.getppid()

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


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
