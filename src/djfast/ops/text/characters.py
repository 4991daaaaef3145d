"""Filters on the share of classes of characters."""

from __future__ import annotations

from djfast.declare import Example, Filter, param
from djfast.expr import Expr, call, col


class AlphanumericFilter(Filter, name="alphanumeric_filter"):
    """Keeps texts whose share of letters and digits lies in a range.

    Letters and digits of every script count. The empty text has the share 0. With `tokenization` the stat is another one,
    `alpha_token_ratio`: the number of letters, without digits, per token of the tokenizer EleutherAI/pythia-6.9b-deduped.
    That ratio is usually above 1, so both limits need other values.
    """

    examples = (
        Example(
            rows=[{"text": "abc 123"}, {"text": "-- -- a"}, {"text": ""}],
            params={},
            expect=[{"text": "abc 123", "alnum_ratio": 0.8571428571428571}],
        ),
        Example(
            rows=[{"text": "abc 123"}, {"text": "-- -- a"}, {"text": ""}],
            params={"min_ratio": 0.1, "max_ratio": 0.5},
            expect=[{"text": "-- -- a", "alnum_ratio": 0.14285714285714285}],
        ),
    )

    tokenization: bool = param("Whether letters are counted per token instead of per character.", default=False)
    min_ratio: float | None = param("Smallest share kept; null sets no limit.", default=0.25, ge=0)
    max_ratio: float | None = param("Largest share kept; null sets no limit.", default=None, ge=0)

    @property
    def stat(self) -> str:
        """Name of the stat, which depends on the mode."""
        return "alpha_token_ratio" if self.tokenization else "alnum_ratio"

    def stats(self) -> dict[str, Expr]:
        """Letters and digits per character, or letters per token."""
        text = col("text")
        if self.tokenization:
            tokens = call("hf_token_count", text, tokenizer="EleutherAI/pythia-6.9b-deduped")
            return {self.stat: call("ratio", call("count_class", text, cls="alpha"), tokens)}
        return {self.stat: call("ratio", call("count_class", text, cls="alnum"), call("text_length", text))}

    def keep(self) -> Expr:
        """Share in range."""
        return self.in_range(self.stat, self.min_ratio, self.max_ratio)


class SpecialCharactersFilter(Filter, name="special_characters_filter"):
    """Keeps texts whose share of special characters lies in a range.

    Special characters are white space, digits, punctuation, symbols and emoji of one code point, and, as in Data-Juicer's
    table, a few letters (for example U+4E00); a no-break space is not one. Ordinary English has a share of about 0.2. The
    empty text has the share 0.
    """

    examples = (
        Example(
            rows=[{"text": "plain words"}, {"text": "$ 12.50 !"}, {"text": ""}],
            params={},
            expect=[
                {"text": "plain words", "special_char_ratio": 0.09090909090909091},
                {"text": "", "special_char_ratio": 0.0},
            ],
        ),
        Example(
            rows=[{"text": "plain words"}, {"text": "$ 12.50 !"}, {"text": ""}],
            params={"min_ratio": 0.5, "max_ratio": 1.0},
            expect=[{"text": "$ 12.50 !", "special_char_ratio": 1.0}],
        ),
    )

    min_ratio: float | None = param("Smallest share kept; null sets no limit.", default=0.0, ge=0)
    max_ratio: float | None = param("Largest share kept; null sets no limit.", default=0.25, ge=0)

    def stats(self) -> dict[str, Expr]:
        """Return special characters per character."""
        text = col("text")
        return {"special_char_ratio": call("ratio", call("count_class", text, cls="special"), call("text_length", text))}

    def keep(self) -> Expr:
        """Share in range."""
        return self.in_range("special_char_ratio", self.min_ratio, self.max_ratio)
