"""Mappers that take things out of HTML."""

from __future__ import annotations

from djfast.declare import Example, Mapper, param
from djfast.expr import Expr, call, col


class ExtractTablesFromHtmlMapper(Mapper, name="extract_tables_from_html_mapper"):
    """Extracts the tables of an HTML text into a tag: tables are lists of rows, rows are lists of cells, cells are strings.

    Tables come in the order of the text. A nested table follows the table around it, whose rows and cells also contain those
    of the nested one. Strings inside a cell are stripped and joined without a space. Rows without cells and tables without
    rows are left out. HTML is not repaired: a cell that is never closed contains what follows it. A text without tables, the
    empty one included, gets the empty list. A row that has the tag keeps it. A row whose tables would be huge, as unclosed
    cells can make them, is rejected.
    """

    examples = (
        Example(
            rows=[
                {"text": "<p>x</p><table><tr><th>Name</th></tr><tr><td> Ann </td><td>1</td></tr></table>"},
                {"text": "no table"},
                {"text": ""},
            ],
            params={},
            expect=[
                {"__dj__meta__": {"html_tables": [[["Name"], ["Ann", "1"]]]}},
                {"__dj__meta__": {"html_tables": []}},
                {"__dj__meta__": {"html_tables": []}},
            ],
        ),
        Example(
            rows=[{"text": "<table><tr><th>Name</th></tr><tr><td>Ann</td></tr></table>"}],
            params={"include_header": False, "tables_field_name": "tables"},
            expect=[{"__dj__meta__": {"tables": [[["Ann"]]]}}],
        ),
        Example(
            rows=[{"text": "<TABLE border=1><tr><td>a<br>b</TABLE>"}],
            params={"retain_html_tags": True},
            expect=[{"__dj__meta__": {"html_tables": ['<table border="1"><tr><td>a<br/>b</td></tr></table>']}}],
        ),
    )

    tables_field_name: str = param("Name of the tag.", default="html_tables")
    retain_html_tags: bool = param("Whether each table is written as HTML instead of rows of cells.", default=False)
    include_header: bool = param(
        "Whether rows with a header cell are written; has no effect with retain_html_tags.", default=True
    )

    def tags(self) -> dict[str, Expr]:
        """Return the tables."""
        if self.retain_html_tags:
            return {self.tables_field_name: call("html_table_sources", col("text"))}
        return {self.tables_field_name: call("html_tables", col("text"), include_header=self.include_header)}
