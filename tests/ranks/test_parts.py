"""Part files: rows, keys and rejected rows come back as they went in."""

from __future__ import annotations

import json
import tempfile
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djfast.errors import ResumeError
from djfast.rows.json_rows import JsonPiece
from djfast.runners.job.parts import PartFile, PartWriter
from djfast.runners.rejected import Rejected, row_member
from djfast.runners.report import Tally
from tests.ranks.made_parts import Keys, MadeBatch, done_of, write_part

LINE = st.binary(max_size=30).map(lambda line: line.replace(b"\n", b" ") + b"\n")
ROW = st.binary(max_size=20).map(lambda row: row.replace(b"\n", b" ")) | st.sampled_from(
    [b'{"text": null}\r', b"\xff\xfe", {"text": "a\nb \ud800", "n": [1, None]}, b"", b"[1]"]
)
REJECTED = st.builds(
    Rejected, st.sampled_from(["read", "op"]), st.integers(-1, 2), st.text(max_size=9), st.none() | st.text(), st.integers(1), ROW
)


def keys_of(rows: int) -> st.SearchStrategy[tuple[bytes, bytes | None]]:
    present = st.none() | st.lists(st.sampled_from([0, 1]), min_size=rows, max_size=rows).map(bytes)
    return st.tuples(st.binary(max_size=40), present)


@st.composite
def made_batches(draw: st.DrawFn) -> tuple[int, list[MadeBatch]]:
    """Batches, empty ones too, with keys of so many deduplicators each."""
    dedups = draw(st.integers(0, 3))
    batches = []
    for lines in draw(st.lists(st.lists(LINE, max_size=5), max_size=4)):
        keys: Keys = [draw(keys_of(len(lines))) for _ in range(dedups)]
        batches.append(MadeBatch(lines, keys, draw(st.lists(REJECTED, max_size=2))))
    return dedups, batches


@given(made_batches(), st.integers(0, 1))
def test_a_part_holds_what_was_written(made: tuple[int, list[MadeBatch]], stage: int) -> None:
    dedups, batches = made
    filled = [batch for batch in batches if batch.lines]
    with tempfile.TemporaryDirectory() as folder:
        entry = write_part(Path(folder), 1234, batches, stage=stage)
        part = PartFile(Path(folder), entry)
        assert [path.suffix for path in part.path.parent.iterdir()] == [".part"]
        pieces = list(part.pieces(JsonPiece.unpack))
        assert [piece.lines for piece in pieces] == [b"".join(batch.lines) for batch in filled]
        lines_before = [sum(len(b.lines) + len(b.rejected) for b in batches[:i]) for i, each in enumerate(batches) if each.lines]
        assert [array("Q", piece.numbers)[0] for piece in pieces] == lines_before
        for dedup in range(dedups):
            found = [(each.rows, each.keys, each.present) for each in part.keys(dedup, dedups)]
            # A batch without keys for some rows and one where none of no rows has any are the same.
            assert found == [(len(b.lines), b.keys[dedup][0], b.keys[dedup][1] or None) for b in filled]
        rejected = [row for batch in batches for row in batch.rejected]
        heads = [{k: v for k, v in row._asdict().items() if k != "row"} for row in rejected]
        assert [(head, member) for head, member in part.rejected()] == [
            (head, row_member(row.row)) for head, row in zip(heads, rejected)
        ]
        assert sum(count for _, count in entry.rejected) == len(rejected) == entry.tally["rejected"]
        assert entry.rows == sum(len(batch.lines) for batch in batches)
        assert entry.tally["rows_read"] == (entry.lines if stage == 0 else 0)


def test_a_part_is_invisible_until_it_is_whole_and_gone_when_it_is_given_up(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path, 0, 7, "rank", Tally({}))
    writer.add(done_of(MadeBatch([b"{}\n"], [])), iter([]), is_first_stage=True)
    assert not list(tmp_path.rglob("*.part"))
    writer.abandon()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_keys_that_are_cut_off_are_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    part = PartFile(tmp_path, write_part(tmp_path, 0, [MadeBatch([b"{}\n"], [(b"k" * 16, None)])]))
    part.path.write_bytes(part.path.read_bytes()[:-5])
    with pytest.raises(ResumeError, match=r"cut off; remove .*\.part and run again"):
        list(part.keys(0, 1))


def test_heads_of_rejected_rows_are_lines(tmp_path: Path) -> None:
    row = Rejected("op", 0, "a\nb\r\u2028", "file\n", 3, b'{"text": "x"}\r')
    entry = write_part(tmp_path, 0, [MadeBatch([], [], [row])])
    [(head, member)] = PartFile(tmp_path, entry).rejected()
    assert (head["reason"], head["file"]) == (row.reason, row.file)
    assert json.loads(b"{" + member + b"}") == {"row": {"text": "x"}}
