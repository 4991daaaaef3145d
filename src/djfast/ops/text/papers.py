"""Mappers for the LaTeX sources of papers."""

from __future__ import annotations

from djfast.declare import Example, Mapper, param
from djfast.errors import RecipeError
from djfast.expr import Expr, call, col, row


class LatexMergeTexMapper(Mapper, name="latex_merge_tex_mapper"):
    """Merges the LaTeX sources of an archive into the text.

    The archive is a file whose name ends in `.zip`, `.tar`, `.tar.gz` or `.tgz`. Its members whose names end in `.tex` are
    joined in their order; bytes that are not UTF-8 become replacement characters. Nothing is written to disk, whatever the
    names of members are. If the file is missing, of another kind, broken or without sources, the text becomes empty. A row is
    rejected if its archive unpacks to more than 1 GiB or has more than 100000 members, or if the row names no file.
    """

    examples = (
        Example(
            rows=[{"text": "old", "compressed_file": "no such file.zip"}, {"text": "", "compressed_file": ""}],
            params={},
            expect=[{"text": "", "compressed_file": "no such file.zip"}, {"text": ""}],
        ),
    )

    compressed_file_key: str = param("Field that holds the path of the archive.", default="compressed_file")
    separator: str = param("String between two sources.", default="\n\n")
    max_file_size: int | None = param(
        "Largest source that is read, others are left out; null and 0 set no limit.", default=50 << 20, unit="bytes", ge=0
    )
    max_total_size: int | None = param(
        "Largest total size; the source that exceeds it and all later ones are left out. Null and 0 set no limit.",
        default=100 << 20,
        unit="bytes",
        ge=0,
    )

    def assign(self) -> dict[str, Expr]:
        """Return the sources."""
        limits = {"max_file_size": self.max_file_size or None, "max_total_size": self.max_total_size or None}
        return {"text": call("tex_sources", col(self.compressed_file_key), separator=self.separator, **limits)}


class LatexFigureContextExtractorMapper(Mapper, name="latex_figure_context_extractor_mapper"):
    r"""Extracts every figure of a LaTeX source into a row, with its images, caption, label and the paragraphs that cite it.

    Figures are the environments `figure`, `figure*` and `wrapfigure` that contain an `\includegraphics`. A figure with
    sub-figures (`subfigure`, `\subfigure`, `\subfloat`) gives one row for each of these, with the caption and label of the
    whole figure and the paragraphs that cite it. A figure with two or more minipages gives one row for each minipage that
    contains no table. A row without figures, such as one with the empty text, is dropped. Images are the paths as written in
    the source. Captions may contain braces; an escaped brace does not count as one. Comments are not recognised. Floats,
    displayed formulas and listings belong to no paragraph.
    """

    examples = (
        Example(
            rows=[
                {
                    "text": "See \\ref{f}.\n\n"
                    "\\begin{figure}\\includegraphics{a.png}\\caption{A {\\bf b}}\\label{f}\\end{figure}",
                    "id": 1,
                },
                {"text": "no figure", "id": 2},
                {"text": "", "id": 3},
            ],
            params={},
            expect=[
                {
                    "id": 1,
                    "images": ["a.png"],
                    "caption": "A {\\bf b}",
                    "label": "f",
                    "citing_paragraphs": ["See \\ref{f}."],
                    "parent_caption": "",
                    "parent_label": "",
                }
            ],
        ),
        Example(
            rows=[
                {
                    "text": "\\begin{figure}\\subfloat[L]{\\includegraphics{l}}\\subfloat[R]{\\includegraphics{r}}"
                    "\\caption{Both}\\label{b}\\end{figure}"
                }
            ],
            params={},
            expect=[
                {"images": ["l"], "caption": "L", "parent_caption": "Both", "parent_label": "b"},
                {"images": ["r"], "caption": "R", "parent_caption": "Both", "parent_label": "b"},
            ],
        ),
    )

    citation_commands: list[str] | None = param(
        "Commands that cite a label; null takes \\ref, \\cref, \\Cref and \\autoref.", default=None
    )
    paragraph_separator: str = param("String between two paragraphs; not a pattern.", default="\n\n")
    caption_key: str = param("Field for the caption.", default="caption")
    label_key: str = param("Field for the label.", default="label")
    context_key: str = param("Field for the paragraphs that refer to the figure.", default="citing_paragraphs")
    parent_caption_key: str = param("Field for the caption of the whole figure.", default="parent_caption")
    parent_label_key: str = param("Field for the label of the whole figure.", default="parent_label")

    def validate(self) -> None:
        """Check the separator."""
        if not self.paragraph_separator:
            raise RecipeError(f"{self.spec.name}: paragraph_separator must not be empty, got ''")

    def rewrite(self) -> Expr | None:
        """Return a row for each figure."""
        commands = self.citation_commands
        return call(
            "figure_rows",
            row(),
            text_key="text",
            commands=["ref", "cref", "Cref", "autoref"] if commands is None else commands,
            separator=self.paragraph_separator,
            fields=[
                self.image_key or "images",
                self.caption_key,
                self.label_key,
                self.context_key,
                self.parent_caption_key,
                self.parent_label_key,
            ],
        )
