"""The memory of a run: large rows go their way alone, and those that would not fit are rejected with the figure."""

from __future__ import annotations

import json
import threading
import time
import weakref
from collections.abc import Iterator
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import djfast
from djfast.runners.watch import Watch
from djfast.runners.workers import in_order

MIB = 1 << 20


@pytest.mark.parametrize("threads", [2, 4])
def test_items_on_their_way_weigh_no_more_than_they_may(threads: int) -> None:
    lock = threading.Lock()
    at_work: list[int] = []
    seen: list[list[int]] = []
    weights = [1, 3, 20, 2, 2, 9, 9, 1, 1, 1, 30, 1]

    def items() -> Iterator[int]:
        for weight in weights:
            with lock:
                assert not any(each >= 10 for each in at_work), "an item is read while a heavy one is worked on"
            yield weight

    def work(weight: int) -> int:
        with lock:
            at_work.append(weight)
            seen.append(list(at_work))
        time.sleep(0.002)
        with lock:
            at_work.remove(weight)
        return weight

    assert list(in_order(items(), work, threads=threads, weigh=lambda item: item, most_weight=10)) == weights
    assert all(sum(together) <= 10 or len(together) == 1 for together in seen)


class _Rows:
    """Something that is gone when nobody holds it."""


def _is_gone(reference: weakref.ref[_Rows]) -> bool:
    deadline = time.monotonic() + 10  # a thread lets go a moment after it says that it is done
    while reference() is not None and time.monotonic() < deadline:
        time.sleep(0.001)
    return reference() is None


def test_threads_that_wait_keep_no_result() -> None:
    held: list[weakref.ref[_Rows]] = []
    more = iter(in_order(range(8), lambda _: _Rows(), threads=4))
    for _ in range(8):
        held.append(weakref.ref(next(more)))
    assert all(map(_is_gone, held))
    more.close()


def test_the_watch_keeps_no_batch_that_is_done() -> None:
    watch = Watch(60)
    rows = _Rows()
    reference = weakref.ref(rows)
    assert watch.native(partial(id, rows))
    del rows
    assert _is_gone(reference)
    watch.close()


PROCESS = [{"word_repetition_filter": {"max_ratio": 1}}, {"character_repetition_filter": {"max_ratio": 1}}]


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
@pytest.mark.parametrize("np", [1, 3])
def test_a_row_that_would_not_fit_is_rejected_with_the_figure(tmp_path, form: str, np: int) -> None:
    texts = ["small", "a b " * (6 * MIB), "middle " * 100_000, "last"]
    source = tmp_path / f"in.{form}"
    if form == "jsonl":
        source.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    else:
        pq.write_table(pa.table({"text": texts}), source)
    recipe = {"dataset_path": str(source), "export_path": str(tmp_path / "out/o.jsonl"), "np": np, "memory": "256MiB"}
    report = djfast.run({**recipe, "process": PROCESS})
    assert (report.rows_read, report.rows_written, report.rows_rejected) == (4, 3, 1)
    [rejected] = [json.loads(line) for line in (tmp_path / "out/o.rejected.jsonl").read_text().splitlines()]
    assert rejected["line"] == 2
    assert "with this `memory`; raise it, got 2516" in rejected["reason"]
    report = djfast.run({**recipe, "memory": "2GiB", "process": PROCESS})
    assert report.rows_rejected == 0


def test_a_table_row_that_would_not_fit_is_rejected_where_rows_go_as_lines(tmp_path) -> None:
    source = tmp_path / "in.parquet"
    pq.write_table(pa.table({"id": [1, 2, 3], "text": ["small", "\U0001f600 many words " * MIB, "last"]}), source)
    recipe = {"dataset_path": str(source), "export_path": str(tmp_path / "o.jsonl"), "np": 2, "memory": "256MiB"}
    report = djfast.run({**recipe, "process": [{"python_lambda_mapper": {"lambda_str": "lambda row: row"}}]})
    assert (report.rows_read, report.rows_written, report.rows_rejected) == (3, 2, 1)
    [rejected] = [json.loads(line) for line in (tmp_path / "o.rejected.jsonl").read_text().splitlines()]
    assert rejected["line"] == 2
    assert f"with this `memory`; raise it, got {len('😀 many words '.encode()) * MIB}" in rejected["reason"]
