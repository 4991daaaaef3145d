"""Filters on how much of a text repeats itself. The two ratios follow different formulas."""

from __future__ import annotations

from djfast.declare import Example, Filter, param
from djfast.expr import Expr, call, col
from djfast.ops.text.tokenization import LARGEST_INT, refined_words


class CharacterRepetitionFilter(Filter, name="character_repetition_filter"):
    """Keeps texts whose character n-gram repetition ratio lies between `min_ratio` and `max_ratio`.

    The ratio is the number of occurrences of the k most frequent n-grams, divided by the number of all n-grams. k is the
    square root of the number of distinct n-grams, rounded down; n-grams that occur once are not among the k. Case matters. A
    text shorter than `rep_len`, the empty one included, has the ratio 0.
    """

    examples = (
        Example(
            rows=[{"text": "abababababab"}, {"text": "nothing twice"}, {"text": ""}],
            params={"rep_len": 3, "max_ratio": 0.3},
            expect=[{"text": "nothing twice", "char_rep_ratio": 0.0}, {"text": "", "char_rep_ratio": 0.0}],
        ),
        Example(
            rows=[{"text": "abababababab"}, {"text": "nothing twice"}, {"text": ""}],
            params={"rep_len": 3, "min_ratio": 0.4},
            expect=[{"text": "abababababab", "char_rep_ratio": 0.5}],
        ),
    )

    rep_len: int = param("Length of the n-grams.", default=10, unit="code points", ge=1, le=LARGEST_INT)
    min_ratio: float | None = param("Smallest ratio kept; null sets no limit.", default=0.0, ge=0)
    max_ratio: float | None = param("Largest ratio kept; null sets no limit.", default=0.5, ge=0)

    def stats(self) -> dict[str, Expr]:
        """Share of the most frequent n-grams."""
        return {"char_rep_ratio": call("char_ngram_repetition", col("text"), n=self.rep_len)}

    def keep(self) -> Expr:
        """Ratio in range."""
        return self.in_range("char_rep_ratio", self.min_ratio, self.max_ratio)


class WordRepetitionFilter(Filter, name="word_repetition_filter"):
    """Keeps texts whose word n-gram repetition ratio lies between `min_ratio` and `max_ratio`.

    The ratio is the share of n-grams that occur more than once. Words are lowercased and stripped of special characters at
    their ends. A text with fewer than `rep_len` words, the empty one included, has the ratio 0.
    """

    examples = (
        Example(
            rows=[{"text": "So it goes, so it goes."}, {"text": "every word is here once"}, {"text": ""}],
            params={"rep_len": 2},
            expect=[
                {"text": "every word is here once", "word_rep_ratio": 0.0},
                {"text": "", "word_rep_ratio": 0.0},
            ],
        ),
        Example(
            rows=[{"text": "So it goes, so it goes."}, {"text": "every word is here once"}, {"text": ""}],
            params={"rep_len": 2, "min_ratio": 0.1, "max_ratio": 1.0},
            expect=[{"text": "So it goes, so it goes.", "word_rep_ratio": 0.8}],
        ),
    )

    lang: str = param("Language of the SentencePiece model; read only with tokenization.", default="en")
    tokenization: bool = param("Whether the pieces of a SentencePiece model are counted instead of words.", default=False)
    rep_len: int = param("Length of the n-grams.", default=10, unit="words", ge=1, le=LARGEST_INT)
    min_ratio: float | None = param("Smallest ratio kept; null sets no limit.", default=0.0, ge=0)
    max_ratio: float | None = param("Largest ratio kept; null sets no limit.", default=0.5, ge=0)

    def stats(self) -> dict[str, Expr]:
        """Share of n-grams that occur more than once."""
        refined = refined_words(col("text"), self.lang, tokenization=self.tokenization)
        return {"word_rep_ratio": call("ngram_repetition", refined, n=self.rep_len)}

    def keep(self) -> Expr:
        """Ratio in range."""
        return self.in_range("word_rep_ratio", self.min_ratio, self.max_ratio)
