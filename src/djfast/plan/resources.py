"""Parameters that name something outside the recipe (models, word lists), resolved when a plan is bound."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from djfast.errors import ModelError
from djfast.functions import PYTHON_FUNCTIONS
from djfast.logs import logger
from djfast.records import NamedTuple

_LOG = logger("models")


Resolver = Callable[[Any, str], Any]  # (value, op) -> what stands in its place when the function runs


def _located(finder: str, **what: str) -> Resolver:
    """Look for a model with a function of `djfast.models.locate`, which is loaded only for recipes that name one."""

    def located(value: Any, op: str) -> str:
        from djfast.models import locate

        return str(getattr(locate, finder)(value, op=op, **what))

    return located


def _checkpoint(value: Any, op: str) -> str | None:
    from djfast.models.checkpoints import checkpoint_source

    return None if value is None else checkpoint_source(value, op=op)


def _words(value: Any, op: str) -> tuple[str, ...]:
    from djfast.models.word_lists import load_word_list

    try:
        return load_word_list(*value)
    except ModelError as error:
        raise ModelError(f"{op}: {error}") from None


def _seed_file(value: Any, op: str) -> str:
    if not os.path.isfile(value):
        raise ModelError(f"{op}: examples not found; give a file of JSON lines with messages as seed_file, got {value!r}")
    return str(value)


_TOKENIZER = _located("find_tokenizer")
_SENTENCEPIECE = _located("find_model", what="sentencepiece")
_LANGUAGE = _located("find_model", what="language identification")

_RESOLVERS: dict[tuple[str, str], Resolver] = {  # (function, parameter) -> how it is resolved
    ("language_prediction", "model"): _LANGUAGE,
    ("language_label", "model"): _LANGUAGE,
    ("sentencepiece_pieces", "model"): _SENTENCEPIECE,
    ("perplexity", "sentencepiece_model"): _SENTENCEPIECE,
    ("perplexity", "kenlm_model"): _located("find_model", what="KenLM"),
    ("hf_token_count", "tokenizer"): _TOKENIZER,
    ("aggregated_by_tokens", "tokenizer"): _TOKENIZER,
    ("syntax", "model"): _located("find_spacy_model"),
    ("message_loss", "model"): _checkpoint,
    ("in_context_influence", "model"): _checkpoint,
    ("text_class", "model"): _checkpoint,
    ("text_class", "translator"): _checkpoint,
    ("clip_similarity", "model"): _checkpoint,
    ("model_similarity", "model"): _checkpoint,
    ("augmented_sentence", "model"): _checkpoint,
    ("prompted_tags", "model"): _checkpoint,
    ("sentence_lines", "model"): _located("find_sentence_model"),
    ("token_chunks", "tokenizer"): _TOKENIZER,
    ("bad_case_signals", "calibration"): lambda value, op: value,
    ("share_in_list", "word_list"): _words,
    ("row_of_generated_dialog", "seed_file"): _seed_file,
}
_RENAMED = {("share_in_list", "word_list"): "words"}  # parameters that have another name for the function


def _code_of_op(op: Any) -> list[str]:
    from djfast.functions.custom import source_file  # which a run without code of the user does not load

    file = source_file(op)
    return _code_of_file(file) if file else []


def _code_of_file(file: str) -> list[str]:
    from djfast.functions.user_modules import files_behind

    return [file, *files_behind(file)]


# (function, parameter) -> the files with the user's code that it stands for.
_CODE: dict[tuple[str, str], Callable[[Any], list[str]]] = {
    **{(name, "path"): _code_of_file for name in ("user_file", "user_file_batch")},
    **{(name, "op"): _code_of_op for name, spec in PYTHON_FUNCTIONS.items() if spec.module == "djfast.functions.custom"},
}


def resolve(function: str, params: tuple[tuple[str, Any], ...], op: str) -> dict[str, Any]:
    """Return the parameters of a function with paths and word lists filled in.

    Raises
    ------
    ModelError
        If a model or word list is not on this machine; the message names the OP and the remedy.
    """
    resolved: dict[str, Any] = {}
    for name, value in params:
        resolver = _RESOLVERS.get((function, name))
        found = value if resolver is None else resolver(value, op)
        resolved[_RENAMED.get((function, name), name)] = found
        if resolver is not None and isinstance(found, str):
            _LOG.debug("%s: %s is %s", op, name, found)
    return resolved


def resource_files(function: str, params: tuple[tuple[str, Any], ...], op: str) -> list[str]:
    """Paths of the models, word lists and code of the user that a function's parameters name, where they are on this machine."""
    files: list[str] = []
    for name, value in params:
        if (function, name) in _CODE:
            files += _CODE[function, name](value)
        elif (function, name) == ("share_in_list", "word_list"):
            from djfast.models.word_lists import word_list_files

            kind, directory, _ = value
            files += word_list_files(kind, directory)
        elif (function, name) in _RESOLVERS:
            files += filter(None, resolve(function, ((name, value),), op).values())
    return files


def resource_names(function: str, parameter: tuple[str, Any]) -> list[str]:
    """Return the names of what a parameter names outside of the recipe, wherever that is."""
    name, value = parameter
    return [value] if (function, name) in _RESOLVERS and isinstance(value, str) and value else []


class Fetchable(NamedTuple):
    """A file that a parameter names and that may be downloaded, and the folder in which runs look for it."""

    name: str
    folder: str


# (function, parameter) of models that are single files.
_MODEL_FILES = frozenset(
    {
        ("language_prediction", "model"),
        ("language_label", "model"),
        ("sentencepiece_pieces", "model"),
        ("perplexity", "sentencepiece_model"),
        ("perplexity", "kenlm_model"),
    }
)


def fetchable(function: str, parameter: tuple[str, Any]) -> Fetchable | None:
    """Return the file that a parameter names; None if it names none, or something else than one file."""
    from djfast.models.locate import assets_folder, models_folder
    from djfast.models.word_lists import PACKAGE

    name, value = parameter
    if (function, name) in _MODEL_FILES:
        return Fetchable(value, models_folder())
    if (function, name) == ("share_in_list", "word_list"):
        kind, directory, _ = value
        if directory and directory.startswith(PACKAGE):
            return None
        given = os.path.expanduser(directory) if directory else ""
        return Fetchable(f"{kind}.json", given if os.path.isabs(given) else assets_folder())
    return None
