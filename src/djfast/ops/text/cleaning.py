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


IP = (
    r"(?:(?:1[0-9][0-9]\.)|(?:2[0-4][0-9]\.)|(?:25[0-5]\.)|(?:[1-9][0-9]\.)|(?:[0-9]\.)){3}"
    r"(?:(?:1[0-9][0-9])|(?:2[0-4][0-9])|(?:25[0-5])|(?:[1-9][0-9])|(?:[0-9]))"
    r"|([\da-fA-F]{1,4}:){7}[\da-fA-F]{1,4}"
)
_METACHARACTERS = frozenset("\\.^$*+?{}[]|()")


class PatternCleaner(Mapper):
    """What the mappers that replace matches of a pattern have in common."""

    pattern: str | None = param("Regular expression to use instead of the built-in one.", default=None)
    repl: str = param("Replacement of a match: a template in which `\\1` or `\\g<name>` is a group.", default="")

    def replaced(self, function: str, built_in: str) -> Expr:
        """Replace by native code where pattern and replacement allow it, else by the regular-expression engine."""
        pattern = built_in if self.pattern is None else self.pattern
        if pattern == built_in and "\\" not in self.repl:
            return call(function, col("text"), repl=self.repl)
        return call("regex_replace", col("text"), pattern=pattern, repl=self.repl)


class CleanEmailMapper(PatternCleaner, name="clean_email_mapper"):
    """Removes or replaces e-mail addresses.

    The built-in pattern requires lowercase letters after the @: `A@EXAMPLE.com` stays. In a pattern that you give, a dot also
    matches line feeds. The empty text stays empty.
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

    The built-in pattern finds schemes (`https://`, `mailto:`), `www.`, and domains followed by a slash; a bare `foo.com`
    stays. Text that follows a link without a space, as in Chinese, is removed with it. The empty text stays empty.
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


class CleanIpMapper(PatternCleaner, name="clean_ip_mapper"):
    """Removes or replaces IP addresses.

    The built-in pattern finds IPv4 addresses and IPv6 addresses of eight groups; `::1` stays. The pattern ignores word
    boundaries: of `1.2.3.4.5` the first four numbers are removed, and `00.1.2.3` becomes `0`. The empty text stays empty.
    """

    examples = (
        Example(
            rows=[{"text": "ftp at 192.168.0.1:21"}, {"text": "2001:db8:0:0:0:ff00:42:8329 up"}, {"text": ""}],
            params={},
            expect=[{"text": "ftp at :21"}, {"text": " up"}, {"text": ""}],
        ),
        Example(
            rows=[{"text": "version 1.2.3.4.5"}],
            params={"repl": "<IP>"},
            expect=[{"text": "version <IP>.5"}],
        ),
    )

    def assign(self) -> dict[str, Expr]:
        """Return the text without addresses."""
        return {"text": self.replaced("clean_ip", IP)}


class CleanCopyrightMapper(Mapper, name="clean_copyright_mapper"):
    """Removes the copyright notice of a source file.

    The first block comment (`/* ... */`) of the text is removed if it contains "copyright" in any case; otherwise nothing
    changes. If a text has no block comment, its leading lines that are empty or begin with `//`, `#` or `--` are removed,
    whatever they say, Markdown headings included. The empty text stays empty.
    """

    examples = (
        Example(
            rows=[{"text": "/* Copyright 2020 */\nint i;"}, {"text": "# tool\n\nx = 1 # one\n"}, {"text": ""}],
            params={},
            expect=[{"text": "\nint i;"}, {"text": "x = 1 # one\n"}, {"text": ""}],
        ),
        Example(rows=[{"text": "// a\n/* b */"}], params={}, expect=[{"text": "// a\n/* b */"}]),
    )

    def assign(self) -> dict[str, Expr]:
        """Return the text without the notice."""
        return {"text": call("clean_copyright", col("text"))}


class CleanHtmlMapper(Mapper, name="clean_html_mapper"):
    """Extracts plain text from HTML.

    First, `<li>` and `<ol>`, in exactly this spelling, are replaced by a line break and an asterisk. Then the text is parsed
    as HTML5, and the strings of the document are joined without separators. They include the title and the contents of
    scripts and styles, but not comments and templates. A text without markup loses its leading white space; carriage returns
    become line feeds and U+0000 is removed. A row is rejected if more than 10000 elements are open at once, or if so many
    formatting elements stay open that parsing would copy millions of them. The empty text stays empty.
    """

    source = "HTML5 as parsed by Lexbor."
    examples = (
        Example(
            rows=[{"text": "<p>a &amp; b<br>c</p><li>d</li>"}, {"text": "  1 < 2"}, {"text": ""}],
            params={},
            expect=[{"text": "a & bc\n*d"}, {"text": "1 < 2"}, {"text": ""}],
        ),
    )

    def assign(self) -> dict[str, Expr]:
        """Return the text without markup."""
        return {"text": call("html_text", col("text"))}


class ReplaceContentMapper(Mapper, name="replace_content_mapper"):
    """Replaces matches of one or several regular expressions.

    The patterns are applied one after the other; a dot also matches line feeds. Without a pattern nothing changes. The empty
    text stays empty unless a pattern matches it.
    """

    examples = (
        Example(
            rows=[{"text": "tel. 12 34"}, {"text": "none"}, {"text": ""}],
            params={"pattern": [r"(\d+) (\d+)", "tel."], "repl": [r"\2\1", "Tel:"]},
            expect=[{"text": "Tel: 3412"}, {"text": "none"}, {"text": ""}],
        ),
        Example(rows=[{"text": "ab"}], params={"pattern": "", "repl": "-"}, expect=[{"text": "-a-b-"}]),
    )

    pattern: str | list[str] | None = param("Regular expression, or several; null changes nothing.", default=None)
    repl: str | list[str] = param(
        "Replacement of a match: a template in which `\\1` or `\\g<name>` is a group. A list has one for each pattern.",
        default="",
    )

    def validate(self) -> None:
        """Check that every pattern has a replacement."""
        if isinstance(self.repl, list) and len(self.repl) < len(self.patterns):
            raise RecipeError(
                f"{self.spec.name}: repl must have one entry for each of the {len(self.patterns)} patterns, got {len(self.repl)}"
            )

    @property
    def patterns(self) -> list[str]:
        """The patterns in their order."""
        if self.pattern is None:
            return []
        return [self.pattern] if isinstance(self.pattern, str) else self.pattern

    def assign(self) -> dict[str, Expr]:
        """Return the text with one replacement around the other, each native where the pattern is a plain text."""
        text = col("text")
        for number, pattern in enumerate(self.patterns):
            repl = self.repl if isinstance(self.repl, str) else self.repl[number]
            if _is_literal(pattern) and "\\" not in repl:
                text = call("replace_literal", text, literal=pattern, repl=repl)
            else:
                text = call("regex_replace", text, pattern=pattern, repl=repl)
        return {"text": text}


def _is_literal(pattern: str) -> bool:
    """Whether a pattern matches itself only. The empty one matches everywhere; a raw string's wrapper is not matched."""
    return pattern != "" and not pattern.startswith(("r'", 'r"')) and _METACHARACTERS.isdisjoint(pattern)


class FixUnicodeMapper(Mapper, name="fix_unicode_mapper"):
    """Repairs wrongly decoded text (mojibake) and normalises Unicode.

    Mojibake is undone, HTML entities are unescaped (up to the first line that contains `<`), curly quotes become straight,
    full-width letters and ligatures become plain letters, every line break becomes a line feed, and control characters are
    removed. The empty text stays empty.
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
            raise RecipeError(f"{self.spec.name}: normalization must be one of NFC, NFKC, NFD, NFKD, got {self.normalization!r}")

    def assign(self) -> dict[str, Expr]:
        """Return the repaired text: native code settles most lines and hands the few hard ones over."""
        text = col("text")
        form = (self.normalization or "NFC").upper()
        fixed = call("fix_lines", text, normalization=form)
        answers = call("ftfy_lines", call("hard_lines", fixed), normalization=form)
        return {"text": call("merge_lines", text, fixed, answers)}


class PunctuationNormalizationMapper(Mapper, name="punctuation_normalization_mapper"):
    """Replaces Chinese and typographic punctuation by its ASCII counterpart.

    Each code point is replaced on its own; `…` becomes three dots, `—` a hyphen between spaces. The full-width digit one
    becomes a double quote: an old error of the table, which published data sets contain. The left single quote stays. The
    empty text stays empty.
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
    """Strips a text and replaces every kind of space by the plain one.

    Line breaks inside the text stay, runs of spaces are not shortened, and zero-width characters become spaces. A text of
    white space only becomes empty.
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
