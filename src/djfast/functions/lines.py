"""Lines of a text, and their sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from djfast.functions.user_code import user_lambda

_UNCOMPARED = re.compile("[^a-zA-Z0-9\u4e00-\u9fa5\n\t ]")


def bind_without_frequent_lines(frequent: set[int]) -> Callable[[str, Sequence[int]], str]:
    """Return the function that drops the lines whose keys are `frequent`."""

    def without_frequent_lines(text: str, keys: Sequence[int]) -> str:
        if frequent.isdisjoint(keys):
            return text
        return "\n".join(line for line, key in zip(text.split("\n"), keys) if key not in frequent)

    return without_frequent_lines


def bind_remove_sentences_of_tokenizer(
    tokenizer: str, lowercase: bool, ignore_special_character: bool, min_length: int  # noqa: FBT001 - bound by name
) -> Callable[[str], str]:
    """Return the function that removes sentences that a text has had before, where a lambda of the user cuts lines.

    Sentences behind the first of a line get a space in front where they begin with none.

    Raises
    ------
    RecipeError
        If the text is no lambda with one argument, or user code is forbidden here.
    """
    cut = user_lambda(tokenizer, "tokenizer")

    def compared(sentence: str) -> str:
        key = sentence.strip()
        key = key.lower() if lowercase else key
        return _UNCOMPARED.sub("", key) if ignore_special_character else key

    def unique_sentences(text: str) -> str:
        seen: set[str] = set()
        lines = []
        for line in text.split("\n"):
            kept = []
            for number, sentence in enumerate(cut(line) if line else ()):
                spaced = f" {sentence}" if number and not sentence[:1].isspace() else sentence
                key = compared(spaced)
                if len(key) < min_length or key not in seen:
                    kept.append(spaced)
                if len(key) >= min_length:
                    seen.add(key)
            lines.append("".join(kept))
        return "\n".join(lines)

    return unique_sentences
