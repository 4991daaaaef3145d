"""Mappers that cut a text into rows."""

from __future__ import annotations

from djfast.declare import Example, Mapper, param
from djfast.errors import RecipeError
from djfast.expr import Expr, call, row


class TextChunkMapper(Mapper, name="text_chunk_mapper"):
    r"""Splits a text into chunks, one row each; all other fields are repeated.

    With a pattern alone, the text is split at its matches. Chunks of white space are dropped, so a blank text gives no row,
    and the matches of groups in the pattern become chunks, too. With a length alone, the text is cut into windows of that
    length, each `overlap_len` before the end of the last one. With both, the text is cut at the last match inside such a
    window, or at the end of the window if there is no match; only then chunks overlap. A text that is short enough stays one
    row, also the empty one. Patterns are those of the `regex` package, whose white space and words differ slightly from
    Python's `re`: `\s` does not include U+001C to U+001F, and marks are word characters. A text is rejected if the pattern
    takes too long, if it has more than a million chunks, or if overlaps repeat it too often.

    With a tokenizer, lengths are in tokens. The text is tokenised once, and chunks are pieces of the text, so a chunk that
    begins inside a token may have one token more or less when it is tokenised again. The tokenizer is read from disk.
    """

    examples = (
        Example(
            rows=[{"text": "one\n\ntwo\n\n \n\nthree", "id": 1}, {"text": "", "id": 2}],
            params={},
            expect=[{"text": "one", "id": 1}, {"text": "two", "id": 1}, {"text": "three", "id": 1}],
        ),
        Example(
            rows=[{"text": "abcdefghij"}, {"text": ""}],
            params={"max_len": 4, "overlap_len": 1, "split_pattern": None},
            expect=[{"text": "abcd"}, {"text": "defg"}, {"text": "ghij"}, {"text": "j"}, {"text": ""}],
        ),
        Example(
            rows=[{"text": "a bc. def gh"}],
            params={"max_len": 8, "split_pattern": "[. ]+"},
            expect=[{"text": "a bc"}, {"text": "def gh"}],
        ),
    )

    max_len: int | None = param("Longest chunk, in code points or tokens; null cuts at the pattern alone.", default=None, ge=1)
    split_pattern: str | None = param("Regular expression to cut at; null cuts by length alone.", default="\\n\\n")
    overlap_len: int = param("Length that the next chunk repeats of a chunk, in the unit of max_len.", default=0, ge=0)
    tokenizer: str | None = param(
        "Name of a Hugging Face tokenizer, or a folder with its tokenizer.json; null counts code points.", default=None
    )
    trust_remote_code: bool = param("Run code of the model.", default=False, no_effect="a tokenizer.json is data")

    def validate(self) -> None:
        """Check that there is something to cut at."""
        if self.max_len is None and self.split_pattern is None:
            raise RecipeError(f"{self.spec.name}: max_len or split_pattern must be given, got null for both")
        if self.max_len is not None and self.overlap_len >= self.max_len:
            raise RecipeError(
                f"{self.spec.name}: overlap_len must be smaller than max_len ({self.max_len}), got {self.overlap_len}"
            )

    def rewrite(self) -> Expr | None:
        """Return a row for each chunk."""
        cuts = {"max_len": self.max_len, "pattern": self.split_pattern, "overlap": self.overlap_len}
        if self.tokenizer is None or self.max_len is None:
            return call("text_chunks", row(), text_key="text", **cuts)
        return call("token_chunks", row(), text_key="text", tokenizer=self.tokenizer, **cuts)
