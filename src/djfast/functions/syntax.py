"""What a spaCy model says of the words of a text: verbs, and how many words depend on each entity."""

from __future__ import annotations

import functools
import json
import os
import threading
from collections.abc import Callable, Sequence
from typing import Any

from djfast.errors import MissingExtraError, ModelError

_SPECIAL_TOKENS = ("<__dj__image>", "<__dj__audio>", "<__dj__video>", "<|__dj__eoc|>")
_VERB_TAGS = frozenset({"VV", "VB", "VBP", "VBZ", "VBD", "VBG", "VBN"})
_ENTITY_PARTS = frozenset({"NOUN", "PROPN", "PRON"})
_ENTITY_TAGS = frozenset({"NN", "NR", "PN", "NNS", "NNP", "NNPS", "PRP"})
# The parser stays: the rules that tell verbs from auxiliaries look at its labels.
_UNUSED = ("ner", "lemmatizer", "senter", "entity_linker", "textcat", "textcat_multilabel", "spancat")
_TEXTS_AT_ONCE = 64


def bind_syntax(model: str) -> Callable[[Sequence[str]], list[Any]]:
    """Return the function from texts to JSON objects of ``num_action`` and ``num_dependency_edges``.

    The media tokens of a text are not read. A text longer than the model's limit is an error of its row.

    Parameters
    ----------
    model : str
        Folder of a spaCy model.
    """
    loaded = _load(model)

    def syntax(texts: Sequence[str]) -> list[Any]:
        answers: list[Any] = [None] * len(texts)
        wanted: list[tuple[str, int]] = []
        for number, text in enumerate(texts):
            bare = _without_special_tokens(text)
            if len(bare) > loaded.longest:
                answers[number] = ValueError(f"a text must have at most {loaded.longest} characters, got {len(bare)}")
            else:
                wanted.append((bare, number))
        for number, answer in loaded.parsed(wanted):
            answers[number] = answer
        return answers

    return syntax


def bind_verb_count() -> Callable[[str], int]:
    """Return the function from what `syntax` says to its number of verbs."""
    return lambda syntax: int(json.loads(syntax)["num_action"])


class _Model:
    """A spaCy model, used by one thread at a time."""

    def __init__(self, folder: str) -> None:
        import spacy

        try:
            self._pipeline = spacy.load(folder, exclude=list(_UNUSED))
        except ImportError as error:  # tokenizers of some languages are packages of their own
            raise MissingExtraError(f"the spaCy model {folder} needs a package: {error}") from error
        except (OSError, ValueError, KeyError) as error:
            raise ModelError(f"{folder} is not a spaCy model that can be read here: {error}") from error
        self.longest = self._pipeline.max_length
        self._lock = threading.Lock()

    def parsed(self, texts: list[tuple[str, int]]) -> list[tuple[int, str]]:
        # The zone frees the words of these texts, which would otherwise stay in the vocabulary for ever.
        with self._lock, self._pipeline.memory_zone():
            parsed = self._pipeline.pipe(texts, as_tuples=True, batch_size=_TEXTS_AT_ONCE)
            return [(number, _described(document)) for document, number in parsed]


def _described(document: Any) -> str:
    verbs = sum(token.pos_ == "VERB" and token.tag_ in _VERB_TAGS for token in document)
    edges = {token.i: int(token.dep_ != "ROOT") for token in document if _is_entity(token)}
    for token in document:
        if token.pos_ != "PUNCT" and token.dep_ != "ROOT" and token.head.i in edges:
            edges[token.head.i] += 1
    return json.dumps({"num_action": verbs, "num_dependency_edges": list(edges.values())}, separators=(",", ":"))


def _is_entity(token: Any) -> bool:
    return token.pos_ in _ENTITY_PARTS and token.tag_ in _ENTITY_TAGS


def _without_special_tokens(text: str) -> str:
    for token in _SPECIAL_TOKENS:
        text = text.replace(token, "")
    return text.strip()


_load_lock = threading.Lock()


def _load(folder: str) -> _Model:
    """Return a model that all OPs and threads of the process share."""
    try:
        changed = os.stat(os.path.join(folder, "meta.json")).st_mtime_ns
    except OSError as error:
        raise ModelError(f"cannot read the model {folder}: {error.strerror}") from error
    with _load_lock:
        return _load_once(folder, changed)


@functools.lru_cache(maxsize=4)
def _load_once(folder: str, changed: int) -> _Model:
    return _Model(folder)
