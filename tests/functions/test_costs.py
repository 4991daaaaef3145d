"""Texts that are made to be slow: they take time in proportion to their length, or are rejected and say so."""

from __future__ import annotations

import json
import random
import time

import pytest

from djfast.functions import repair
from djfast.functions.html_tables import bind_html_table_sources, bind_html_tables
from djfast.functions.repair import bind_ftfy_lines, bind_ftfy_text

TAGS = ["<table>", "</table>", "<tr>", "</tr>", "<td>", "</td>", "<th>", "</th>", "<b>", "</b>", "<!-- c -->"]
WORDS = [
    " a ",
    "<script>x</script>",
    "b\n",
    "&amp;",
    " ",
    "<textarea> t </textarea>",
    "<![CDATA[ d ]]>",
    "<template>u</template>",
    "<p>",
]


def tables_by_searching(text: str, *, include_header: bool) -> str:
    from bs4 import BeautifulSoup

    tables = []
    for table in BeautifulSoup(text, "html.parser").find_all("table"):
        rows = [
            [cell.get_text(strip=True) for cell in row.find_all(["td", "th"], recursive=False)]
            for row in table.find_all("tr")
            if include_header or row.find("th", recursive=False) is None
        ]
        tables.append([row for row in rows if row])
    return json.dumps([table for table in tables if table])


@pytest.mark.parametrize("include_header", [True, False])
def test_tables_are_those_that_searching_each_element_finds(include_header: bool) -> None:
    chooser = random.Random(1)
    tables = bind_html_tables(include_header=include_header)
    for _ in range(300):
        text = "<table>" + "".join(chooser.choices(TAGS * 2 + WORDS, k=chooser.randint(1, 40)))
        assert tables(text) == tables_by_searching(text, include_header=include_header), text


@pytest.mark.parametrize(
    "unit", ["<table><tr><td>", "<table><tr>", "<table><td>a", "<tr><td>", "<!--", "<!-- > ", "<a ", "<a b='", "<?", "<![CDATA["]
)
@pytest.mark.parametrize("bind", [lambda: bind_html_tables(include_header=True), bind_html_table_sources])
def test_nested_and_unclosed_elements(unit, bind) -> None:
    tables = bind()
    began = time.process_time()
    try:
        tables("<table>" + unit * (30_000 // len(unit)))
    except ValueError as error:
        assert "nothing closes" in str(error) or "not closed" in str(error)  # noqa: PT017 - both ways are fine
    assert time.process_time() - began < 8


def test_ampersands_that_were_escaped_again_and_again_have_the_outcome_of_ftfy() -> None:
    fix, oracle = bind_ftfy_lines("NFC"), bind_ftfy_text("NFC")
    runs = [f"&{'amp;' * count}" for count in (1, 2, 33, 40, 90)] + [f"&{'#38;' * 50}", f"＆{'#x26;amp;' * 30}"]
    others = ["lt;", "eacute;", "Atilde;", "copy;", " ", "Ã©", "â€™", "a", "&lt;", "<", "é", "\x1b[0m", "#65;"]
    chooser = random.Random(2)
    for _ in range(200):
        line = "".join(chooser.choices(runs + others, k=chooser.randint(1, 8)))
        assert fix([f"1{line}"]) == [oracle(line)], line


@pytest.mark.parametrize("piece", ["amp;", "#38;", "#x26;", "#038;amp;"])
def test_a_long_run_of_escaped_ampersands_is_quick(piece: str) -> None:
    began = time.process_time()
    assert bind_ftfy_lines("NFC")([f"1x &{piece * 100_000}lt;"]) == ["x <"]
    assert time.process_time() - began < 2


def test_entities_within_entities_are_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "_MOST_CHARACTERS", 10_000_000)
    depth = 10_000  # each level is the number of the character that the level outside it needs
    line = "&#5&#5&#4" * depth + ";" * (3 * depth)
    began = time.process_time()
    with pytest.raises(ValueError, match="does not end in time: entities or terminal escapes are nested too deeply"):
        bind_ftfy_lines("NFC")([f"1{line}"])
    assert time.process_time() - began < 5
