"""What a running job shows."""

from __future__ import annotations

import io

from djfast.runners.progress import Progress
from djfast.runners.report import OpReport, Report, Tally


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def tally() -> Tally:
    counted = Tally({0: "text_length_filter"})
    counted.rows_read, counted.bytes_read = 2000, 5_000_000
    counted.add_op(0, 2000, 1500)
    return counted


def test_a_log_gets_a_plain_line_every_ten_seconds() -> None:
    now = [0.0]
    stream = io.StringIO()
    progress = Progress(stream, clock=lambda: now[0])
    for second in range(1, 22):
        now[0] = float(second)
        progress.update(tally())
    lines = stream.getvalue().splitlines()
    assert lines == [
        "djfast: 2,000 rows, 200 rows/s, 0.5 MB/s; text_length_filter 2,000 > 1,500",
        "djfast: 2,000 rows, 100 rows/s, 0.2 MB/s; text_length_filter 2,000 > 1,500",
    ]


def test_a_terminal_is_redrawn_and_cleared_at_the_end() -> None:
    now = [0.0]
    stream = Terminal()
    progress = Progress(stream, clock=lambda: now[0])
    for step in (1.0, 2.0):
        now[0] = step
        progress.update(tally())
    progress.clear()
    assert stream.getvalue().count("text_length_filter 2,000 > 1,500\n") == 2
    assert stream.getvalue().endswith("\x1b[2A\x1b[J")


def test_ops_are_shown_as_they_run() -> None:
    counted = Tally({1: "text_length_filter", 0: "words_num_filter"})
    counted.add_batch((1, 0), 10, [(1, 10, 7, 5), (0, 7, 4, 5)])
    stream = io.StringIO()
    now = [0.0]
    progress = Progress(stream, clock=lambda: now[0])
    now[0] = 10.0
    progress.update(counted)
    assert stream.getvalue().endswith("text_length_filter 10 > 7, words_num_filter 7 > 4\n")
    assert [(op.name, op.rows_in, op.rows_out) for op in Tally.of(counted.names, counted.to_record()).ops({})] == [
        ("text_length_filter", 10, 7),
        ("words_num_filter", 7, 4),
    ]


def test_a_quiet_run_shows_nothing() -> None:
    stream = io.StringIO()
    progress = Progress(stream, is_quiet=True)
    progress.update(tally())
    assert stream.getvalue() == ""


def test_the_funnel_names_every_op() -> None:
    ops = (OpReport("a_filter", 10, 5, 1, 0.25), OpReport("b_deduplicator", 5, 4, 0, 0.0))
    report = Report(11, 4, 2, 3_000_000, 1.5, 2, ops, ("out.jsonl",), None, "out.rejected.jsonl", ())
    assert [line.split() for line in report.funnel()[1:]] == [
        ["a_filter", "10", "5", "50.0%", "1", "0.25"],
        ["b_deduplicator", "5", "4", "80.0%", "0", "0.00"],
    ]
    assert report.last_line() == "11 rows in, 4 out, 2 rejected (out.rejected.jsonl) in 1.50 s (2.0 MB/s) -> out.jsonl"
