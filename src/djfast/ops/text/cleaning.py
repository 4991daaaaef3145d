"""Mappers that clean a text: addresses and links out, characters put right."""

from __future__ import annotations

from djfast.declare import Example, Mapper, param
from djfast.errors import RecipeError
from djfast.expr import Expr, call, col

EMAIL = r"[A-Za-z0-9.\-+_]+@[a-z0-9.\-+_]+\.[a-z]+"
LINK = (
    r"(?i)\b((?:[a-z][\w-]+:(?:\/{1,3}|[a-z0-9%])|www\d{0,3}[.]|[a-z0-9.\-]+[.][a-z]{2,4}\/)"
    r"(?:[^\s()<>]+|\(([^\s()<>]+|(\([^\s()<>]+\)))*\))+"
    r"(?:\(([^\s()<>]+|(\([^\s()<>]+\)))*\)|[^\s`!()\[\]{};:\'\".,<>?«»“”‘’]))"
)


class PatternCleaner(Mapper):
    """What the mappers that replace matches of a pattern have in common."""

    pattern: str | None = param("Regular expression to use instead of the built-in one.", default=None)
    repl: str = param(
        r"What stands in place of a match: a template in which `\1` or `\g<name>` is a group.", default=""
    )

    def replaced(self, function: str, built_in: str) -> Expr:
        """Replace by native code where pattern and replacement allow it, else by the regular-expression engine."""
        pattern = built_in if self.pattern is None else self.pattern
        if pattern == built_in and "\\" not in self.repl:
            return call(function, col("text"), repl=self.repl)
        return call("regex_replace", col("text"), pattern=pattern, repl=self.repl)


class CleanEmailMapper(PatternCleaner, name="clean_email_mapper"):
    """Removes or replaces e-mail addresses.

    The built-in pattern wants lowercase letters after the @: `A@EXAMPLE.com` stays. A given pattern is compiled so
    that a dot matches line feeds too. The empty text stays empty.
    """

    examples = (
        Example(
            rows=[{"text": "write to foo.bar@example.com now"}, {"text": "A@EXAMPLE.com"}, {"text": ""}],
            params={},
            expect=[{"text": "write to  now"}, {"text": "A@EXAMPLE.com"}, {"text": ""}],
        ),
        Example(
            rows=[{"text": "write to foo.bar@example.com now"}],
            params={"repl": "<EMAIL>"},
            expect=[{"text": "write to <EMAIL> now"}],
        ),
    )

    def assign(self) -> dict[str, Expr]:
        """Return the text without addresses."""
        return {"text": self.replaced("clean_email", EMAIL)}


class CleanLinksMapper(PatternCleaner, name="clean_links_mapper"):
    """Removes or replaces links.

    The built-in pattern finds schemes (`https://`, `mailto:`), `www.` and domains followed by a slash; a bare
    `foo.com` stays. Text without spaces after a link, such as Chinese, goes with it. The empty text stays empty.
    """

    examples = (
        Example(
            rows=[{"text": "see https://example.com/a_(b)?q=1 there"}, {"text": "foo.com"}, {"text": ""}],
            params={},
            expect=[{"text": "see  there"}, {"text": "foo.com"}, {"text": ""}],
        ),
        Example(
            rows=[{"text": "www.example.com."}],
            params={"repl": "<LINK>"},
            expect=[{"text": "<LINK>."}],
        ),
    )

    def assign(self) -> dict[str, Expr]:
        """Return the text without links."""
        return {"text": self.replaced("clean_links", LINK)}


class FixUnicodeMapper(Mapper, name="fix_unicode_mapper"):
    """Repairs text that was decoded wrongly and normalises it.

    Mojibake is undone, HTML entities are unescaped (up to the first line with a `<`), curly quotes become straight,
    full-width letters and ligatures become plain ones, every line break becomes a line feed, control characters go.
    The empty text stays empty.
    """

    source = "Speer, ftfy, 2019: the rules of release 6.3."
    examples = (
        Example(
            rows=[{"text": "âœ” No problems"}, {"text": "“curly”"}, {"text": ""}],
            params={},
            expect=[{"text": "✔ No problems"}, {"text": '"curly"'}, {"text": ""}],
        ),
        Example(rows=[{"text": "x²"}], params={"normalization": "NFKC"}, expect=[{"text": "x2"}]),
    )

    normalization: str | None = param(
        "Unicode normal form of the result: NFC, NFKC, NFD or NFKD, in any case; null or empty is NFC.", default=None
    )

    def validate(self) -> None:
        """Check the normal form."""
        if (self.normalization or "NFC").upper() not in ("NFC", "NFKC", "NFD", "NFKD"):
            raise RecipeError(
                f"{self.spec.name}: normalization must be one of NFC, NFKC, NFD, NFKD, got {self.normalization!r}"
            )

    def assign(self) -> dict[str, Expr]:
        """Return the repaired text: native code settles most lines and hands the few hard ones over."""
        text = col("text")
        form = (self.normalization or "NFC").upper()
        fixed = call("fix_lines", text, normalization=form)
        answers = call("ftfy_lines", call("hard_lines", fixed), normalization=form)
        return {"text": call("merge_lines", text, fixed, answers)}


class PunctuationNormalizationMapper(Mapper, name="punctuation_normalization_mapper"):
    """Replaces Chinese and typographic punctuation by its ASCII counterpart.

    One code point at a time; `…` becomes three dots, `—` a hyphen between spaces. The full-width digit one becomes a
    double quote: an old error of the table that published data sets carry. The left single quote stays. The empty
    text stays empty.
    """

    examples = (
        Example(
            rows=[{"text": "你好，世界！"}, {"text": "“a” — b…"}, {"text": ""}],
            params={},
            expect=[{"text": "你好,世界!"}, {"text": '"a"  -  b...'}, {"text": ""}],
        ),
    )

    def assign(self) -> dict[str, Expr]:
        """Return the text with plain punctuation."""
        return {"text": call("normalize_punctuation", col("text"))}


class WhitespaceNormalizationMapper(Mapper, name="whitespace_normalization_mapper"):
    """Trims a text and turns every kind of space into the plain one.

    Line breaks inside the text stay, runs of spaces are not shortened, and zero-width characters become spaces. A text
    of white space only becomes empty.
    """

    examples = (
        Example(
            rows=[{"text": "  a\tb\u3000c\n d \n"}, {"text": " \n"}, {"text": ""}],
            params={},
            expect=[{"text": "a b c\n d"}, {"text": ""}, {"text": ""}],
        ),
    )

    def assign(self) -> dict[str, Expr]:
        """Return the text with plain spaces."""
        return {"text": call("normalize_whitespace", col("text"))}
