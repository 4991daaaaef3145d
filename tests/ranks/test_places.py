"""A rank without splits works for those that have some, and ranks with devices for all others: nothing else changes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from djfast.runners.job.places import Places
from tests.ranks import picky_op
from tests.ranks.outcomes import files_of, run_locally, run_with_ranks
from tests.ranks.threads import run_threads

ENDS: dict[str, list[Any]] = {
    "nothing": [],
    "deduplicators": [{"document_deduplicator": {}}, {"document_simhash_deduplicator": {"window_size": 2}}],
    "selector": [{"topk_specified_field_selector": {"field_key": "__dj__stats__.text_len", "topk": 90}}],
}


@pytest.fixture(autouse=True)
def _a_slow_op() -> Iterator[None]:
    with picky_op.declared():
        yield


@pytest.fixture
def sent_away(monkeypatch: pytest.MonkeyPatch) -> dict[int, int]:
    """How many blocks each rank had worked on elsewhere."""
    counts: dict[int, int] = {}
    close = Places.close

    def counted(self: Places) -> None:
        counts[self._ranks.rank] = counts.get(self._ranks.rank, 0) + self.sent_away
        close(self)

    monkeypatch.setattr(Places, "close", counted)
    return counts


def write_rows(folder: Path, suffix: str) -> Path:
    """Write texts of which some are the same, as one split can hold them."""
    rng = random.Random(3)
    texts = [" ".join(f"word{rng.randrange(40)}" for _ in range(60)) for _ in range(120)]
    rows = [{"id": number, "text": rng.choice(texts)} for number in range(160)]
    path = folder / f"in.{suffix}"
    if suffix == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=20)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "no JSON\n")
    return path


def recipe_of(source: Path, folder: Path, process: list[Any], **settings: Any) -> dict[str, Any]:
    return {
        "dataset_path": str(source),
        "export_path": str(folder / "out.jsonl"),
        "process": process,
        "np": 1,
        "batch_bytes": 4096,
        "split_bytes": 1 << 40,
        "keep_stats_in_res_ds": True,
        **settings,
    }


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@pytest.mark.parametrize("end", ENDS)
def test_a_rank_without_splits_works_for_the_others(tmp_path: Path, suffix: str, end: str, sent_away: dict[int, int]) -> None:
    source = write_rows(tmp_path, suffix)
    slow = {picky_op.NAME: {"one_in": 7, "seconds": 0.003}}
    process = [{"text_length_filter": {"min_len": 10}}, slow, *ENDS[end]]
    expected = run_locally(recipe_of(source, tmp_path / "local", process))
    recipe = recipe_of(source, tmp_path / "ranks", process)
    assert run_threads(2, lambda ranks: run_with_ranks(recipe, ranks))[0] == expected
    assert files_of(tmp_path / "ranks") == files_of(tmp_path / "local")
    # The rank that got the only split may be either; about half of the batches, here 20 or so, go to the other one.
    assert sum(sent_away.values()) > 3
    assert sorted(sent_away) == [0, 1]
    assert 0 in sent_away.values()


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_ranks_with_devices_do_what_is_for_devices(tmp_path: Path, suffix: str, sent_away: dict[int, int]) -> None:
    source = write_rows(tmp_path, suffix)
    process = [
        {"text_length_filter": {"min_len": 10}},
        {"words_num_filter": {"min_num": 5, "accelerator": "cuda"}},
        {"document_deduplicator": {}},
        {"whitespace_normalization_mapper": {"accelerator": "cuda"}},
    ]
    expected = run_locally(recipe_of(source, tmp_path / "local", process))
    recipe = recipe_of(source, tmp_path / "ranks", process, device_ranks=1, split_bytes=8000)
    assert run_threads(3, lambda ranks: run_with_ranks(recipe, ranks))[0] == expected
    assert files_of(tmp_path / "ranks") == files_of(tmp_path / "local")
    assert sent_away[2] == 0
    assert sent_away[0] + sent_away[1] > 10
