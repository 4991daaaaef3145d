"""Every exception djfast raises on purpose.

Two kinds: the caller can fix it (the message says what, where, what is allowed, and the given value last), or we have
a bug (`InternalError`). A bad row is neither: it goes to the rejected rows with its reason.
"""

from __future__ import annotations

EXIT_RESUMABLE = 85  # what batch systems take for "put this job back into the queue"


class DjfastError(Exception):
    """Base of all djfast errors."""


class RecipeError(DjfastError, ValueError):
    """The recipe is wrong: unknown key, OP or parameter, or a value out of its range."""


class SchemaError(DjfastError, TypeError):
    """The data does not have the columns or types that the recipe needs."""


class UserError(DjfastError, ValueError):
    """Native code was given a value that it cannot work with."""


class MissingExtraError(DjfastError, ImportError):
    """A recipe needs an optional package that is not installed."""


class CompatError(DjfastError, ImportError):
    """Data-Juicer itself is installed where djfast would give its names."""


class ModelError(DjfastError, RuntimeError):
    """A model or word list is missing or cannot be read."""


class NoAnswerError(DjfastError, RuntimeError):
    """A language model gave no answer: the server cannot be reached or refuses, or the answer is too long."""


class IncompleteAnswerError(NoAnswerError):
    """A language model began to answer and did not come to an end: it was cut off, filtered, or gave only its thoughts."""


class ServerLostError(DjfastError, RuntimeError):
    """A language-model server refuses everything or cannot be reached; every further row would only be rejected."""


class UnusableAnswerError(DjfastError, ValueError):
    """A language model's answer does not have the form that was asked for."""


class RowTimeoutError(DjfastError, TimeoutError):
    """Calls of functions take longer than `row_timeout`, and the rows that are to blame cannot be rejected."""


class RowError(DjfastError, ValueError):
    """The one row that an OP was called with cannot be processed; the message is the reason."""


class UserCodeError(DjfastError, RuntimeError):
    """A function of the user failed for a row; the message is the reason, with file and line."""


class InputError(DjfastError, OSError):
    """An input file or folder cannot be found or read."""


class OutputError(DjfastError, OSError):
    """Something cannot be written: the disk is full, or the folder may not be written to."""


class TooManyErrors(DjfastError, RuntimeError):
    """More rows were rejected than `max_errors` allows, or the first one with ``skip_op_error: false``."""


class LaunchError(DjfastError, RuntimeError):
    """The processes of a job do not know each other, or the MPI library cannot be used."""


class ResumeError(DjfastError, RuntimeError):
    """A folder holds an unfinished job of another recipe, input or version, or another run has taken it over."""


class Preempted(DjfastError, RuntimeError):
    """The run was asked to stop before its end; what is finished is kept.

    `is_common` tells whether all ranks stop by themselves.
    """

    def __init__(self, *, is_common: bool = False) -> None:
        super().__init__("the run was asked to stop; what is finished is kept, run the same command again to go on")
        self.is_common = is_common


class InternalError(DjfastError, RuntimeError):
    """A bug in djfast, not in the recipe or the data."""
