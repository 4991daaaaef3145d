"""The deduplicator of lines."""

from __future__ import annotations

from djfast.declare import Example, Survey, Surveyor, param
from djfast.expr import Expr, call, col


class DocumentLineDeduplicator(Surveyor, name="document_line_deduplicator"):
    """Removes lines that occur in many rows, such as menus and licence headers.

    A line counts once for each row that contains it. If more rows contain a line than `frequency_threshold` allows, the line
    is removed from all of them: no copy stays. Rows are never dropped, but a text may become empty. White space around a line
    is ignored. A data set of one row does not change.
    """

    frequency_threshold: int = param(
        "Largest number of rows that may contain a line; a line that more rows contain is removed.", default=6, unit="rows", ge=0
    )
    lowercase: bool = param("Compare without regard to case.", default=False)
    ignore_special_character: bool = param("Compare without white space, decimal digits and ASCII punctuation.", default=False)
    min_line_length: int = param("Shorter lines stay.", default=2, unit="code points")
    skip_brackets: bool = param("Lines of brackets and semicolons only stay.", default=True)
    skip_markdown_headers: bool = param("Lines that begin with `#` stay.", default=True)
    skip_latex_env: bool = param("Lines that begin with `\\begin{` or `\\end{` stay.", default=True)
    skip_html_tags: bool = param("Lines that are one HTML tag stay.", default=True)

    examples = (
        Example(
            rows=[{"text": "Home | About\none"}, {"text": "two\n Home | About"}, {"text": ""}],
            params={"frequency_threshold": 1},
            expect=[{"text": "one"}, {"text": "two"}, {"text": ""}],
        ),
    )

    def survey(self) -> Survey:
        """Count the lines of each row once."""
        return Survey(call("distinct_numbers", self._keys()), self.frequency_threshold)

    def assign(self) -> dict[str, Expr]:
        """Return the text without frequent lines."""
        return {"text": call("without_frequent_lines", col("text"), self._keys())}

    def _keys(self) -> Expr:
        return call(
            "line_keys",
            col("text"),
            lowercase=self.lowercase,
            ignore_special_character=self.ignore_special_character,
            min_line_length=self.min_line_length,
            skip_brackets=self.skip_brackets,
            skip_markdown_headers=self.skip_markdown_headers,
            skip_latex_env=self.skip_latex_env,
            skip_html_tags=self.skip_html_tags,
        )
