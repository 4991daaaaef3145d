"""Sentences of a text by NLTK's Punkt."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from djfast.errors import ModelError


def bind_sentence_lines(model: str) -> Callable[[str], str]:
    """Return the function from a text to its sentences, joined by line feeds.

    Parameters
    ----------
    model : str
        Folder of a ``punkt_tab`` model, or the file of one inside the package `punkt`.

    Raises
    ------
    ModelError
        If the model cannot be read.
    """
    from nltk.tokenize.punkt import PunktLanguageVars, PunktParameters, PunktSentenceTokenizer

    class Language(PunktLanguageVars):  # type: ignore[misc]
        """Searches with `re`: the library's own searches end after some seconds of all threads together."""

        def period_context_re(self) -> re.Pattern[str]:
            return _recompiled(super().period_context_re())

        def _word_tokenizer_re(self) -> re.Pattern[str]:
            return _recompiled(super()._word_tokenizer_re())

    parameters = PunktParameters()
    fill = _fill_from_package if model.endswith(".py") else _fill_from_folder
    fill(parameters, Path(model))
    tokenizer = PunktSentenceTokenizer(parameters, lang_vars=Language())
    return lambda text: "\n".join(tokenizer.tokenize(text))


@functools.lru_cache(maxsize=8)
def _recompiled(pattern: Any) -> re.Pattern[str]:
    return re.compile(pattern.pattern, re.UNICODE | re.VERBOSE)


class _Contexts(dict[str, int]):
    """Contexts of word types. Unlike the library's own it does not grow with every unknown word it is asked for."""

    def __missing__(self, word: str) -> int:
        return 0


def _fill_from_folder(parameters: Any, folder: Path) -> None:
    try:
        parameters.abbrev_types = set(_lines(folder / "abbrev_types.txt"))
        parameters.sent_starters = set(_lines(folder / "sent_starters.txt"))
        pairs = (line.split("\t") for line in _lines(folder / "collocations.tab"))
        parameters.collocations = {(first, second) for first, second in pairs}
        contexts = (line.split("\t") for line in _lines(folder / "ortho_context.tab"))
        parameters.ortho_context = _Contexts((word, int(flags)) for word, flags in contexts)
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder} is not a Punkt model: {error}") from error


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def _fill_from_package(parameters: Any, file: Path) -> None:
    model = importlib.import_module(f"punkt.data.{file.stem}")
    parameters.abbrev_types = set(model.ABBREV_TYPES)
    parameters.sent_starters = set(model.SENT_STARTERS)
    parameters.collocations = set(model.COLLOCATIONS)
    parameters.ortho_context = _Contexts(model.ORTHO_CONTEXT)
