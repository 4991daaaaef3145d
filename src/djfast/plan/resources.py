"""Parameters that name something outside the recipe (models, word lists), resolved when a plan is bound."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from djfast.errors import ModelError
from djfast.functions import PYTHON_FUNCTIONS
from djfast.logs import logger
from djfast.models.checkpoints import checkpoint_source
from djfast.models.locate import assets_folder, find_model, find_sentence_model, find_spacy_model, find_tokenizer, models_folder
from djfast.models.word_lists import PACKAGE, load_word_list, word_list_files
from djfast.records import NamedTuple

_LOG = logger("models")


def _model(what: str) -> Callable[[Any, str], dict[str, Any]]:
    return lambda value, op: {"model": find_model(value, what=what, op=op)}


def _seed_file(value: Any, op: str) -> dict[str, Any]:
    if not os.path.isfile(value):
        raise ModelError(f"{op}: examples not found; give a file of JSON lines with messages as seed_file, got {value!r}")
    return {"seed_file": value}


def _checkpoint(name: str) -> Callable[[Any, str], dict[str, Any]]:
    return lambda value, op: {name: None if value is None else checkpoint_source(value, op=op)}


# (function, parameter) -> what stands in its place when the function runs.
_RESOLVERS: dict[tuple[str, str], Callable[[Any, str], dict[str, Any]]] = {
    ("language_prediction", "model"): _model("language identification"),
    ("language_label", "model"): _model("language identification"),
    ("sentencepiece_pieces", "model"): _model("sentencepiece"),
    ("perplexity", "sentencepiece_model"): lambda value, op: {
        "sentencepiece_model": find_model(value, what="sentencepiece", op=op)
    },
    ("perplexity", "kenlm_model"): lambda value, op: {"kenlm_model": find_model(value, what="KenLM", op=op)},
    ("hf_token_count", "tokenizer"): lambda value, op: {"tokenizer": find_tokenizer(value, op=op)},
    ("aggregated_by_tokens", "tokenizer"): lambda value, op: {"tokenizer": find_tokenizer(value, op=op)},
    ("syntax", "model"): lambda value, op: {"model": find_spacy_model(value, op=op)},
    ("message_loss", "model"): _checkpoint("model"),
    ("in_context_influence", "model"): _checkpoint("model"),
    ("text_class", "model"): _checkpoint("model"),
    ("text_class", "translator"): _checkpoint("translator"),
    ("clip_similarity", "model"): _checkpoint("model"),
    ("model_similarity", "model"): _checkpoint("model"),
    ("augmented_sentence", "model"): _checkpoint("model"),
    ("prompted_tags", "model"): _checkpoint("model"),
    ("sentence_lines", "model"): lambda value, op: {"model": find_sentence_model(value, op=op)},
    ("token_chunks", "tokenizer"): lambda value, op: {"tokenizer": find_tokenizer(value, op=op)},
    ("bad_case_signals", "calibration"): lambda value, op: {"calibration": value},
    ("share_in_list", "word_list"): lambda value, op: {"words": load_word_list(*value)},
    ("row_of_generated_dialog", "seed_file"): _seed_file,
}


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
        found = {name: value} if resolver is None else resolver(value, op)
        resolved.update(found)
        for path in (each for each in found.values() if resolver is not None and isinstance(each, str)):
            _LOG.debug("%s: %s is %s", op, name, path)
    return resolved


def resource_files(function: str, params: tuple[tuple[str, Any], ...], op: str) -> list[str]:
    """Paths of the models, word lists and code of the user that a function's parameters name, where they are on this machine."""
    files: list[str] = []
    for name, value in params:
        if (function, name) in _CODE:
            files += _CODE[function, name](value)
        elif (function, name) == ("share_in_list", "word_list"):
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
