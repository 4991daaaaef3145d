"""What a run says of rows that are gone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import djfast


@pytest.mark.parametrize(
    ("process", "notices"),
    [
        (["words_num_filter"], ["no row is left: words_num_filter drops the last 3 of 3"]),
        (
            [{"text_length_filter": {"min_len": 2}}, {"text_length_filter": {"max_len": 3, "min_len": 3}}, "clean_email_mapper"],
            ["no row is left: text_length_filter drops the last 2 of 3"],
        ),
        ([{"text_length_filter": {"min_len": 2}}], []),
    ],
)
def test_the_op_that_leaves_no_row_is_named(process: list[object], notices: list[str], tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in ("a", "bb", "cc")))
    keys = {"dataset_path": str(tmp_path / "in.jsonl"), "export_path": str(tmp_path / "out.jsonl"), "order_filters": False}
    assert [each for each in djfast.run({**keys, "process": process}).notices if "row" in each] == notices
