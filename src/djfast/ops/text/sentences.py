"""Mappers that work on the sentences of a text."""

from __future__ import annotations

from djfast.declare import Example, Mapper, param
from djfast.expr import Expr, call, col

_LANGUAGES = {"en": "english", "fr": "french", "pt": "portuguese", "es": "spanish"}


class SentenceSplitMapper(Mapper, name="sentence_split_mapper"):
    """Splits a text into sentences, one a line.

    White space between sentences becomes one line feed; line feeds inside a sentence stay. Needs the Punkt model of the
    language in NLTK's format: the folder `nltk_data/tokenizers/punkt_tab` in a folder of models, or the package that
    `djfast[sentences]` brings. The empty text stays empty.
    """

    source = "Kiss and Strunk, Unsupervised Multilingual Sentence Boundary Detection, 2006, as written in NLTK."
    examples = (
        Example(
            rows=[{"text": "Mr. Smith came. He left.  Why?"}, {"text": "one"}, {"text": ""}],
            params={},
            expect=[{"text": "Mr. Smith came.\nHe left.\nWhy?"}, {"text": "one"}, {"text": ""}],
        ),
    )

    lang: str = param("Language of the text.", default="en", choices=tuple(_LANGUAGES))

    def assign(self) -> dict[str, Expr]:
        """Return the sentences, joined by line feeds."""
        return {"text": call("sentence_lines", col("text"), model=_LANGUAGES[self.lang])}
