"""Mappers that clean LaTeX sources."""

from __future__ import annotations

from djfast.declare import Example, Mapper, param
from djfast.expr import Expr, call, col


class ExpandMacroMapper(Mapper, name="expand_macro_mapper"):
    r"""Expands the macros without arguments that a LaTeX source defines.

    Definitions are `\newcommand{\name}{value}` and `\def\name{value}`, each with its closing brace at the end of the line.
    The macros of `\newcommand` are expanded first, then those of `\def`; a later macro also expands in the value of an
    earlier one. The definitions are expanded too: `\newcommand{\x}{y}` becomes `\newcommand{y}{y}`. Of two uses side by side
    (`\x\x`) the second is not expanded, nor is a use at the end of the text. A row is rejected if its macros make it longer
    than 16 times its length and 64 KiB, or if it has so many that this takes too long. The empty text stays empty.
    """

    examples = (
        Example(
            rows=[{"text": "\\newcommand{\\R}{real}\nin \\R."}, {"text": "\\def\\x{1}\n\\x\\x\n"}, {"text": ""}],
            params={},
            expect=[{"text": "\\newcommand{real}{real}\nin real."}, {"text": "\\def1{1}\n1\\x\n"}, {"text": ""}],
        ),
    )

    def assign(self) -> dict[str, Expr]:
        """Return the text with its macros put in."""
        return {"text": call("expand_macros", col("text"))}


class RemoveBibliographyMapper(Mapper, name="remove_bibliography_mapper"):
    r"""Removes the appendix and bibliography from a LaTeX source.

    Everything is removed from the first `\appendix`, `\bibliography{...}` or `\begin{...}` of references, REFERENCES or
    thebibliography on, the final line break included. The empty text stays empty.
    """

    examples = (
        Example(
            rows=[{"text": "text\n\\bibliography{refs}\n\\end{document}\n"}, {"text": "\\bibliography"}, {"text": ""}],
            params={},
            expect=[{"text": "text\n"}, {"text": "\\bibliography"}, {"text": ""}],
        ),
    )

    def assign(self) -> dict[str, Expr]:
        """Return what stands before the bibliography."""
        return {"text": call("remove_bibliography", col("text"))}


class RemoveCommentsMapper(Mapper, name="remove_comments_mapper"):
    r"""Removes comments from a LaTeX source.

    A comment after other text also removes the character before its percent sign, even a line feed: `a%b` becomes empty. `\%`
    is not a comment. A percent sign at the end of a line stays, unless it also begins the line. The empty text stays empty.
    """

    examples = (
        Example(
            rows=[{"text": "% head\nfive \\% of % all\nit%\nis\n"}, {"text": "a%b"}, {"text": ""}],
            params={},
            expect=[{"text": "five \\% of\nit%\nis\n"}, {"text": ""}, {"text": ""}],
        ),
        Example(rows=[{"text": "% a\nb % c"}], params={"multiline": False}, expect=[{"text": "% a\nb"}]),
    )

    doc_type: str | list[str] = param(
        "Type of the source.", default="tex", no_effect="comments of LaTeX are the only ones that are removed"
    )
    inline: bool = param("Remove comments after other text.", default=True)
    multiline: bool = param("Remove lines that start with a percent sign.", default=True)

    def assign(self) -> dict[str, Expr]:
        """Return the text without comments."""
        text = col("text")
        if self.inline:
            text = call("remove_inline_comments", text)
        if self.multiline:
            text = call("remove_comment_lines", text)
        return {"text": text}


class RemoveHeaderMapper(Mapper, name="remove_header_mapper"):
    r"""Removes everything before the first heading of a LaTeX source.

    Headings are `\chapter`, `\part`, `\section`, `\subsection`, `\subsubsection`, `\paragraph` and `\subparagraph`,
    with or without a star and a short title in brackets. The empty text stays empty.
    """

    examples = (
        Example(
            rows=[{"text": "\\usepackage{x}\n\\section*{One}\ntext"}, {"text": "no heading"}, {"text": ""}],
            params={},
            expect=[{"text": "\\section*{One}\ntext"}, {"text": ""}, {"text": ""}],
        ),
        Example(rows=[{"text": "no heading"}], params={"drop_no_head": False}, expect=[{"text": "no heading"}]),
    )

    drop_no_head: bool = param("Whether a text without headings becomes empty; if false, it does not change.", default=True)

    def assign(self) -> dict[str, Expr]:
        """Return the text from its first heading on."""
        return {"text": call("remove_header", col("text"), drop_no_head=self.drop_no_head)}
