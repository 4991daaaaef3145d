"""Texts with tokens that stand for media and for the ends of chunks: put in, and taken out again."""

from __future__ import annotations

import zlib

from djfast.convert.form import BadRow


def check_free(text: str, *tokens: str) -> None:
    """Make sure that a text holds none of the tokens, which could not be told from ours later."""
    for token in tokens:
        if token in text:
            raise BadRow(f"the text holds {token!r}, which has a special meaning")


def ambiguous() -> BadRow:
    """Return what to raise for a text that would not come back as it is, such as one with half a token at its end."""
    return BadRow("the text holds parts of tokens or markers, which could not be told from ours")


def anchored(text: str, tokens: list[str], separator: str, position: str) -> str:
    """Return a text with tokens before or after it."""
    if position == "random":
        position = "before" if zlib.crc32(text.encode("utf-8", "surrogatepass")) & 1 else "after"
    return separator.join([*tokens, text] if position == "before" else [text, *tokens])


def freed(text: str, token: str, separator: str) -> tuple[str, int]:
    """Take the tokens before and after a text away; return the text and the number of tokens."""
    count = 0
    while text.startswith(token):
        text = text.removeprefix(token).removeprefix(separator)
        count += 1
    while text.endswith(token):
        text = text.removesuffix(token).removesuffix(separator)
        count += 1
    return text, count


def captioned(text: str, token: str, separator: str, position: str, end: str) -> str:
    """Return the text of one medium; `end` is what stands behind it."""
    return anchored(text, [token], separator, position) + (separator + end if end else "")


def caption_of(text: str, token: str, separator: str, end: str) -> str:
    """Return what `captioned` was given."""
    text, count = freed(_without_end(text, separator, end), token, separator)
    if count != 1 or token in text:
        raise BadRow(f"the text must have {token!r} once, before or after all else")
    if end in text:
        raise BadRow(f"the text must have {end!r} only at its end")
    return text


def _without_end(text: str, separator: str, end: str) -> str:
    if text.endswith(end):
        return text.removesuffix(end).removesuffix(separator)
    return text
