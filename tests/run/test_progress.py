"""What a running job shows."""

from __future__ import annotations

import fcntl
import gzip
import io
import json
import os
import pty
import re
import struct
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.io.intake import Intake
from djfast.ranks.alone import Alone
from djfast.recipe.load import load_recipe
from djfast.runners import progress as shown
from djfast.runners.inputs import input_files, rows_of
from djfast.runners.job.runner import Job
from djfast.runners.job.stopping import Stopping
from djfast.runners.local import run_recipe
from djfast.runners.progress import Progress
from djfast.runners.report import OpReport, Report, Tally

OPS = ["fix_unicode_mapper", "words_num_filter", "document_minhash_deduplicator", *(f"some_op_{i}" for i in range(30))]


def tally(rows: int = 53_562) -> Tally:
    counted = Tally(dict(enumerate(OPS)))
    counted.rows_read, counted.bytes_read = rows, 145_600_000
    counted.add_op(0, rows, rows)
    counted.add_op(1, rows, int(rows * 0.725))
    return counted


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(shown, "_time_of_day", lambda: "12:03:10")
    return Clock()


def test_a_line_in_a_log_says_how_far_the_run_is(clock: Clock) -> None:
    stream = io.StringIO()
    progress = Progress(stream, clock=clock)
    with progress.showing("djfast 1.0: r.yaml, docs.jsonl (1.0 MB), 2 threads", ["reading"]):
        progress.enter(0, lambda: clock.seconds / 40)
        progress.update(tally())
        clock.seconds = 16.4
        progress.show()
    assert stream.getvalue().splitlines() == [
        "12:03:10 djfast 1.0: r.yaml, docs.jsonl (1.0 MB), 2 threads",
        "12:03:10 41% 53,562/131k rows 8.9 MB/s ETA 0:24 kept 72.5% rejected 0",
    ]


def test_a_phase_has_its_own_share(clock: Clock) -> None:
    stream = io.StringIO()
    progress = Progress(stream, clock=clock)
    with progress.showing("", ["reading", "comparing rows: document_minhash_deduplicator", "writing"]):
        progress.update(tally())
        clock.seconds = 1000.0
        progress.enter(1, lambda: (clock.seconds - 1000) / 10)
        clock.seconds = 1004.0
        progress.show()
    [_, line] = stream.getvalue().splitlines()
    assert line == (
        "12:03:10 2/3 comparing rows: document_minhash_deduplicator 40% 53,562 rows ETA 0:06 kept 72.5% rejected 0"
    )


def test_a_resumed_phase_is_not_taken_for_a_fast_one(clock: Clock) -> None:
    stream = io.StringIO()
    progress = Progress(stream, clock=clock)
    with progress.showing("", ["reading"]):
        progress.update(tally())
        progress.enter(0, lambda: 0.5 + clock.seconds / 100)
        clock.seconds = 10.0
        progress.show()
    [_, line] = stream.getvalue().splitlines()
    assert line == "12:03:10 60% 53,562 rows ETA 0:40 kept 72.5% rejected 0"


def test_a_quiet_run_shows_nothing(clock: Clock) -> None:
    stream = io.StringIO()
    progress = Progress(stream, is_quiet=True, clock=clock)
    with progress.showing("heading", ["reading"]):
        progress.update(tally())
        progress.note("a note")
    assert stream.getvalue() == ""


def test_a_run_in_a_dumb_terminal_writes_a_log(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with Screen(80, 14) as screen:
        progress = Progress(screen.stream, clock=clock)
        with progress.showing("heading", ["reading"]):
            pass
        assert screen.shown() == ["12:03:10 heading"]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.4, "0:59"), (61, "1:01"), (3_725, "1:02:05"), (4e5, "111:06:40")])
def test_times_are_short(seconds: float, text: str) -> None:
    assert shown._seconds(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0"), (9_999, "9,999"), (12_345, "12k"), (1_234_567, "1.2M"), (45e9, "45G"), (2.5e12, "2.5T")]
)
def test_large_numbers_are_short(count: float, text: str) -> None:
    assert shown._about(count) == text


class Screen:
    """A terminal: what stands in its window, and what has left it at the top."""

    def __init__(self, columns: int, rows: int) -> None:
        self.master, slave = pty.openpty()
        self.stream = open(slave, "w", encoding="utf-8")  # noqa: SIM115 - closed below
        self.gone: list[str] = []
        self.lines = [""]
        self.row = self.column = 0
        self.resize(columns, rows)

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        os.close(self.master)

    def resize(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def shown(self) -> list[str]:
        """Take what was written, and return the lines of the window that are not empty."""
        os.set_blocking(self.master, False)
        data = b""
        try:
            while part := os.read(self.master, 1 << 16):
                data += part
        except (BlockingIOError, OSError):
            pass
        for token in re.findall(r"\x1b\[\d*[A-Z]|\r|\n|[^\x1b\r\n]+", data.decode()):
            self._take(token)
        return [line for line in self.lines if line.strip()]

    def _take(self, token: str) -> None:
        if token == "\r":
            self.column = 0
        elif token == "\n":
            self._down()
        elif token == "\x1b[J":
            self.lines[self.row :] = [self.lines[self.row][: self.column]]
        elif token.startswith("\x1b["):
            assert token.endswith("A"), token
            self.row = max(0, self.row - int(token[2:-1]))
        else:
            for character in token:
                if self.column == self.columns:
                    self.column = 0
                    self._down()
                line = self.lines[self.row]
                self.lines[self.row] = line[: self.column].ljust(self.column) + character + line[self.column + 1 :]
                self.column += 1

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.lines):
            self.lines.append("")
        if self.row == self.rows:
            self.gone.append(self.lines.pop(0))
            self.row -= 1


@pytest.fixture
def screen() -> Iterator[Screen]:
    with Screen(80, 14) as made:
        yield made


@pytest.mark.parametrize("columns", [80, 40])
def test_live_lines_fit_the_terminal_and_do_not_scroll(clock: Clock, columns: int) -> None:
    with Screen(columns, 14) as screen:
        print("\n" * 30 + "$ djfast run r.yaml", file=screen.stream, flush=True)  # at the bottom of the window
        screen.shown()
        screen.gone.clear()
        counted = tally()
        for op in range(2, len(OPS)):
            counted.add_op(op, 30_000, 20_000)
        progress = Progress(screen.stream, clock=clock)
        with progress.showing("heading", ["reading", "writing"]):
            progress.update(counted)
            progress.enter(0, lambda: clock.seconds / 100)
            for second in range(1, 50):
                clock.seconds = float(second)
                progress.show()
                lines = screen.shown()
                assert lines[0] == "$ djfast run r.yaml"
                assert len(lines) - 1 <= 14 - 3
                assert max(map(len, lines)) < columns
            assert f"{second}%" in lines[1]
            assert lines[-1] == "and 26 more OPs"
            assert len([line for line in screen.gone if line.strip()]) == 0
        assert screen.shown() == ["$ djfast run r.yaml"]


def test_live_lines_follow_the_size_of_the_terminal(clock: Clock, screen: Screen) -> None:
    progress = Progress(screen.stream, clock=clock)
    with progress.showing("heading", ["reading"]):
        progress.update(tally())
        progress.enter(0, lambda: 0.5)
        for columns, rows in ((80, 14), (30, 5), (20, 1), (120, 40), (0, 0)):
            screen.resize(columns, rows)
            progress.show()
            lines = screen.shown()
            assert lines
            assert max(map(len, lines)) < (columns or 80)
            assert len(lines) <= max(1, (rows or 24) - 3)


def test_what_others_write_stays_as_it_is(clock: Clock, screen: Screen) -> None:
    progress = Progress(screen.stream, clock=clock)
    with progress.showing("heading", ["reading"]):
        progress.update(tally())
        progress.show()
        print("printed by a function of the user", file=screen.stream, flush=True)
        progress.show()
        progress.note("a note")
        progress.show()
        lines = screen.shown()
        assert lines[:2] == ["printed by a function of the user", "djfast: a note"]
        assert len([line for line in lines if "53,562 rows" in line]) == 1
    assert screen.shown() == ["printed by a function of the user", "djfast: a note"]


def test_an_op_is_shown_with_the_rows_it_keeps(clock: Clock, screen: Screen) -> None:
    progress = Progress(screen.stream, clock=clock)
    with progress.showing("heading", ["reading", "comparing rows: document_minhash_deduplicator"]):
        progress.enter(0, lambda: clock.seconds / 40)
        progress.update(tally())
        clock.seconds = 16.4
        progress.show()
        assert screen.shown() == [
            "[################........................] 41% ETA 0:24 0:16 elapsed",
            "53,562/131k rows 8.9 MB/s kept 72.5% rejected 0",
            "1/2 reading",
            "53,562 > 53,562 100.0% fix_unicode_mapper",
            "53,562 > 38,832  72.5% words_num_filter",
        ]


def test_ops_are_shown_as_they_run(clock: Clock, screen: Screen) -> None:
    counted = Tally({1: "text_length_filter", 0: "words_num_filter"})
    counted.add_batch((1, 0), 10, [(1, 10, 7, 5), (0, 7, 4, 5)])
    progress = Progress(screen.stream, clock=clock)
    with progress.showing("heading", ["reading"]):
        progress.update(counted)
        progress.show()
        assert [line.split()[-1] for line in screen.shown()[-2:]] == ["text_length_filter", "words_num_filter"]
    assert [(op.name, op.rows_in, op.rows_out) for op in Tally.of(counted.names, counted.to_record()).ops({})] == [
        ("text_length_filter", 10, 7),
        ("words_num_filter", 7, 4),
    ]


class Recorded(Progress):
    """Keeps what a run tells about its phases."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.phases: list[int] = []
        self.ends: list[float | None] = []

    def enter(self, phase: int, share: shown.Share) -> None:
        if self.phases:
            self.ends.append(self._share())
        self.phases.append(phase)
        super().enter(phase, share)


def recipe(folder: Path, **keys: Any) -> Any:
    rows = [{"text": f"a text with some words, number {number % 400}"} for number in range(1000)]
    (folder / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    process = [{"words_num_filter": {"min_num": 1}}, "document_deduplicator", {"text_length_filter": {"min_len": 1}}]
    paths = {"dataset_path": str(folder / "in.jsonl"), "export_path": str(folder / "out.jsonl")}
    return load_recipe({**paths, "process": process, "batch_bytes": 4096, "np": 2, **keys})


def test_a_run_goes_through_its_phases_to_their_ends(tmp_path: Path) -> None:
    progress = Recorded()
    run_recipe(recipe(tmp_path), progress=progress)
    assert progress.phases == [0, 1, 2]
    assert [*progress.ends, progress._share()] == [1.0, 1.0, 1.0]
    assert progress._phases == ["reading", "comparing rows: document_deduplicator", "text_length_filter"]
    heading = progress.stream.getvalue()  # type: ignore[attr-defined]
    assert re.fullmatch(rf"\d\d:\d\d:\d\d djfast \S+: a recipe from Python, {tmp_path}/in.jsonl \(0.0 MB\), 2 threads\n", heading)


def test_what_waited_to_the_end_is_written_in_a_phase_of_its_own(tmp_path: Path) -> None:
    progress = Recorded()
    run_recipe(recipe(tmp_path, process=[{"random_selector": {"select_ratio": 0.5}}, "document_deduplicator"]), progress=progress)
    assert progress._phases[-1] == "writing"
    assert progress.phases == [0, 1, 2, 3, 4]
    assert progress._share() == 1.0


def test_a_job_goes_through_its_phases_to_their_ends(tmp_path: Path) -> None:
    progress = Recorded()
    job = Job(recipe(tmp_path, split_bytes=8192), Alone(), progress=progress, stopping=Stopping())
    job.run()
    assert progress.phases == [0, 1, 2, 3]
    assert progress._share() == 1.0
    assert "1 ranks" not in progress.stream.getvalue()  # type: ignore[attr-defined]


def _lines(path: Path) -> None:
    path.write_text("".join(json.dumps({"text": f"text {number} " * 20}) + "\n" for number in range(2000)))


def _written(form: str, path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    table = pa.table({"text": [f"text {number} " * 20 for number in range(2000)]})
    if form == "parquet":
        import pyarrow.parquet as pq

        pq.write_table(table, path, row_group_size=300)
    elif form == "arrow":
        import pyarrow.feather as feather

        feather.write_feather(table, path, compression="uncompressed", chunksize=300)
    elif form == "csv":
        path.write_text("text\n" + "".join(f"text {number}\n" for number in range(2000)))
    elif form == "txt":
        path.write_text("a document\n" * 100)
    elif form.endswith("gz"):
        plain = path.with_suffix("")
        _lines(plain)
        path.write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    else:
        _lines(path)


@pytest.mark.parametrize("form", ["jsonl", "jsonl.gz", "json.gz", "parquet", "arrow", "csv", "txt"])
def test_all_bytes_of_the_files_are_taken_in(tmp_path: Path, form: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a", "b"):
        _written(form, folder / f"{name}.{form}")
    given = load_recipe({"dataset_path": str(folder), "export_path": str(tmp_path / "o.jsonl"), "process": []})
    files = input_files(given)
    total = sum(os.path.getsize(file.path) for file in files)
    intake = Intake(total)
    done = 0
    shares = []
    for block in intake.blocks(rows_of(files, given, 4096).items()):
        done += block.byte_count
        shares.append(intake.share_of(done, 0))
        assert intake.bytes_of(0) == 0
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0, abs=0.01)
    assert intake.taken == pytest.approx(total, rel=0.01)


@pytest.mark.parametrize("keys", [{}, {"use_checkpoint": True}])
def test_a_run_from_python_is_shown_if_it_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str], keys: Any) -> None:
    given = recipe(tmp_path, **keys).text
    djfast.run(given)
    assert capsys.readouterr().err == ""
    djfast.run(given, progress=True, export_path=str(tmp_path / "other.jsonl"))
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith("2 threads")


def test_a_limit_of_rows_is_the_whole_of_a_run(tmp_path: Path) -> None:
    progress = Recorded()
    run_recipe(recipe(tmp_path, process=[{"text_length_filter": {"min_len": 1}}], limit=100), progress=progress)
    assert progress._share() == 1.0


def test_the_funnel_begins_with_the_rows_that_were_read_and_names_every_op() -> None:
    ops = (OpReport("a_filter", 10, 5, 1, 0.25), OpReport("b_deduplicator", 5, 4, 0, 0.0))
    report = Report(11, 4, 2, 3_000_000, 1.5, 2, ops, ("out.jsonl",), None, "out.rejected.jsonl", ())
    assert [line.split() for line in report.funnel()[1:]] == [
        ["read", "11", "10", "90.9%", "1", "-"],
        ["a_filter", "10", "5", "50.0%", "1", "0.25"],
        ["b_deduplicator", "5", "4", "80.0%", "0", "0.00"],
    ]
    assert report.last_line() == "11 rows in, 4 out, 2 rejected (out.rejected.jsonl) in 1.50 s (2.0 MB/s) -> out.jsonl"
