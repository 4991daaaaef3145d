"""Code of the user stays within its call: a process that it forks does not go on with the run, and the working folder stays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn


def confined(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a function of the user that leaves the process as it was.

    A child that comes back from a call, by whatever way, would run the rest of the recipe a second time, into the same files.
    All threads share one working folder, by which results and inputs are found.
    """
    folder = _working_folder()

    def called(argument: Any) -> Any:
        process = os.getpid()
        try:
            answer = function(argument)
        except BaseException as error:
            if os.getpid() != process:
                _end_child(error)
            _come_back(folder)
            raise
        if os.getpid() != process:
            _end_child(None)
        if _come_back(folder):
            raise RuntimeError(
                "the function changed the working folder, which all threads share; use absolute paths, or cwd of subprocess.run"
            )
        return answer

    return called


@contextmanager
def same_working_folder() -> Iterator[None]:
    """Come back to the working folder afterwards: a file of the user may leave it when it is run."""
    folder = _working_folder()
    try:
        yield
    finally:
        _come_back(folder)


def _working_folder() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:  # somebody removed it
        return ""


def _come_back(folder: str) -> bool:
    """Go back to a working folder; tell whether it was left."""
    if not folder or _working_folder() == folder:
        return False
    os.chdir(folder)
    return True


def _end_child(error: BaseException | None) -> NoReturn:
    """End a forked process with the status that it asks for; what else it raised is shown."""
    if isinstance(error, SystemExit) and (error.code is None or isinstance(error.code, int)):
        os._exit((error.code or 0) & 0xFF)
    if error is not None:
        import traceback

        os.write(2, "".join(traceback.format_exception(error)).encode("utf-8", "backslashreplace"))
        os._exit(1)
    os._exit(0)
