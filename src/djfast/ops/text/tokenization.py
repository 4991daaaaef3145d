"""Expressions that several text OPs share, so that equal work is written, and done, once."""

from __future__ import annotations

from djfast.expr import Expr, call

LARGEST_INT = 2**63 - 1


def pieces(text: Expr, lang: str) -> Expr:
    """Pieces of the SentencePiece model of a language."""
    return call("sentencepiece_pieces", text, model=f"{lang}.sp.model")


def count_pieces(text: Expr, lang: str) -> Expr:
    """Count the pieces that are not made of special characters only."""
    return call("list_length", call("words_of_pieces", pieces(text, lang), lower=False, groups=(), join=""))


def refined_words(
    text: Expr, lang: str, *, tokenization: bool, groups: list[int] | None = None, join: str = ""
) -> Expr:
    """Lowercase words or pieces without special characters at their ends, then their groups.

    Splitting and lowercasing commute for words, so the text is lowercased first: several OPs share that. Pieces
    depend on the case of the text and are lowercased afterwards.
    """
    sizes = tuple(groups or ())
    join = join if sizes else ""
    if tokenization:
        return call("words_of_pieces", pieces(text, lang), lower=True, groups=sizes, join=join)
    return call("words", call("lower", text), groups=sizes, join=join)
