"""The journal: what was written is read back, what a crash left half written is not."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from djfast.runners.job.journal import AnswerEntry, DoneEntry, Entry, Journal, PartEntry, SuspectEntry

COUNT = st.integers(0, 2**63)
SMALL = st.integers(0, 3)
NAME = st.text(max_size=8) | st.sampled_from(["line\nfeed", "return\r", "\u2028", "\ud800", "\x85", "\x00", '"', "数据"])
TALLY = st.fixed_dictionaries(
    {"ops": st.lists(st.lists(COUNT, min_size=3, max_size=3), max_size=2), "rows_read": COUNT, "seconds": st.just([[0, 0.25]])}
)
PART = st.builds(
    PartEntry,
    *[SMALL, SMALL, NAME, COUNT, COUNT, COUNT, TALLY],
    st.lists(st.lists(COUNT, min_size=2, max_size=2), max_size=2),
    COUNT,
    COUNT,
)
MASK = st.tuples(COUNT, NAME, COUNT, COUNT, COUNT).map(list)
ANSWER = st.builds(AnswerEntry, SMALL, st.lists(MASK, max_size=2), st.lists(st.lists(COUNT, min_size=3, max_size=3), max_size=2))
DONE = st.builds(DoneEntry, st.lists(st.tuples(NAME, COUNT).map(list), max_size=2))
SUSPECT = st.builds(SuspectEntry, SMALL, NAME, st.just(2.5))
ENTRIES = st.lists(st.one_of(PART, ANSWER, DONE, SUSPECT), max_size=8)


def part(split: int, *, path: str = "a.part", stage: int = 0) -> PartEntry:
    return PartEntry(stage, split, path, 1, 2, 3, {}, [], 4, 5)


def state(journal: Journal) -> tuple[Any, ...]:
    return journal.parts, journal.answers, journal.suspects, journal.done


def written(folder: Path, writer: str, entries: list[Entry]) -> Journal:
    journal = Journal(folder, writer)
    for entry in entries:
        journal.append(entry)
    journal.close()
    return journal


def read(folder: Path) -> Journal:
    journal = Journal(folder, "reader")
    journal.read()
    return journal


@given(ENTRIES)
def test_what_one_process_wrote_is_read_back(entries: list[Entry]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = written(Path(folder), "rank", entries)
        assert state(read(Path(folder))) == state(journal)
        copy = Journal(Path(folder), "other")
        copy.take_lines([journal.all_lines()])
        assert state(copy) == state(journal)
        assert journal.fresh_lines().count(b"\n") == len(entries)
        assert journal.fresh_lines() == b""


@given(ENTRIES, st.randoms(use_true_random=False))
def test_of_parts_that_two_ranks_finished_all_choose_the_same(entries: list[Entry], rng: random.Random) -> None:
    parts = [entry for entry in entries if isinstance(entry, PartEntry)]
    with tempfile.TemporaryDirectory() as folder:
        lines = [written(Path(folder), f"rank-{number}", [entry]).fresh_lines() for number, entry in enumerate(parts)]
        expected = {key: entry.path for key, entry in read(Path(folder)).parts.items()}
        rng.shuffle(lines)
        journal = Journal(Path(folder), "other")
        journal.take_lines(lines)
        assert {key: entry.path for key, entry in journal.parts.items()} == expected


@given(st.integers(0, 400), st.binary(max_size=20))
def test_a_line_that_was_cut_off_is_no_entry(cut: int, garbage: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        written(Path(folder), "rank", [part(0), part(1), part(2)])
        path = Path(folder) / "rank.jsonl"
        data = path.read_bytes()
        cut = min(cut, len(data))
        whole = data[:cut].count(b"\n") + (data[cut : cut + 1] == b"\n")  # the line feed itself may be what is missing
        path.write_bytes(data[:cut])
        assert sorted(read(Path(folder)).parts) == [(0, split) for split in range(whole)]
        # File systems may leave blocks of zeros, or of an old file, behind what they lost.
        path.write_bytes(data[:cut] + b"\n" + garbage + b"\0" * 100)
        assert sorted(read(Path(folder)).parts) == [(0, split) for split in range(whole)]


@given(st.integers(0, 1000), st.integers(0, 7))
def test_a_changed_bit_is_noticed(place: int, bit: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        written(Path(folder), "rank", [part(0), part(1)])
        path = Path(folder) / "rank.jsonl"
        data = bytearray(path.read_bytes())
        data[place % len(data)] ^= 1 << bit
        path.write_bytes(data)
        found = read(Path(folder)).parts
        assert len(found) < 2
        assert all(entry == part(split) for (_, split), entry in found.items())


def test_an_empty_line_with_its_checksum_is_no_entry(tmp_path: Path) -> None:
    (tmp_path / "rank.jsonl").write_bytes(b"00000000 \n00000000\n\n")
    assert state(read(tmp_path)) == state(Journal(tmp_path, "none"))


def test_a_file_that_takes_a_few_bytes_at_a_time_gets_whole_lines(tmp_path: Path) -> None:
    class Slow:
        def __init__(self, file: Any) -> None:
            self.file = file

        def write(self, data: bytes) -> int:
            return int(self.file.write(data[:7]))

        def fileno(self) -> int:
            return int(self.file.fileno())

        def close(self) -> None:
            self.file.close()

    journal = Journal(tmp_path, "rank")
    journal.append(part(0))
    journal._file = Slow(journal._file)  # type: ignore[assignment]
    journal.append(part(1))
    journal.append(part(2))
    journal.close()
    assert sorted(read(tmp_path).parts) == [(0, 0), (0, 1), (0, 2)]


def test_other_files_and_no_folder_are_no_journal(tmp_path: Path) -> None:
    assert read(tmp_path / "none").parts == {}
    (tmp_path / "rank.jsonl.tmp").write_bytes(written(tmp_path / "elsewhere", "rank", [part(0)]).fresh_lines())
    assert read(tmp_path).parts == {}
