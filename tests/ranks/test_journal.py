"""The journal: what was written is read back, what a crash left half written is not."""

from __future__ import annotations

import io
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from djfast.runners.job.journal import AnswerEntry, DoneEntry, Entry, Journal, MovedEntry, PartEntry, SuspectEntry

COUNT = st.integers(0, 2**63)
SMALL = st.integers(0, 3)
SIZE = st.integers(0, 50)
NAME = st.text(max_size=8) | st.sampled_from(["line\nfeed", "return\r", "\u2028", "\ud800", "\x85", "\x00", '"', "数据"])
TALLY = st.fixed_dictionaries(
    {"ops": st.lists(st.lists(COUNT, min_size=3, max_size=3), max_size=2), "rows_read": COUNT, "seconds": st.just([[0, 0.25]])}
)


def file_of(size: int) -> str:
    """Name of the file of so many bytes that entries have here."""
    return f"数据 {size}"


PART = st.builds(
    lambda stage, split, size, *rest: PartEntry(stage, split, file_of(size), size, *rest),
    *[SMALL, SMALL, SIZE, COUNT, COUNT, TALLY],
    st.lists(st.lists(COUNT, min_size=2, max_size=2), max_size=2),
    COUNT,
    COUNT,
)
MASK = st.tuples(COUNT, st.just(file_of(50)), st.integers(0, 25), st.integers(0, 25), COUNT).map(list)
OPS = st.lists(st.lists(COUNT, min_size=3, max_size=3), max_size=2)
ORDER = st.builds(
    lambda stage, ops, size, cuts: AnswerEntry(stage, [], ops, file_of(size), size, cuts), SMALL, OPS, SIZE, st.lists(COUNT)
)
ANSWER = st.builds(lambda *fields: AnswerEntry(*fields), SMALL, st.lists(MASK, max_size=2), OPS) | ORDER
MOVED = st.builds(
    lambda stage, split, size, buckets: MovedEntry(stage, split, file_of(size), size, buckets),
    *[SMALL, SMALL, SIZE],
    st.lists(st.lists(COUNT, min_size=2, max_size=2), max_size=2),
)
DONE = st.builds(
    DoneEntry, st.lists(st.tuples(NAME, COUNT).map(list), max_size=2), st.lists(NAME), st.dictionaries(NAME, COUNT, max_size=2)
)
SUSPECT = st.builds(SuspectEntry, SMALL, NAME, st.just(2.5))
ENTRIES = st.lists(st.one_of(PART, ANSWER, MOVED, DONE, SUSPECT), max_size=8)


def part(split: int, *, path: str = file_of(1), stage: int = 0) -> PartEntry:
    return PartEntry(stage, split, path, 1, 2, 3, {}, [], 4, 5)


def state(journal: Journal) -> tuple[Any, ...]:
    return journal.parts, journal.answers, journal.moved, journal.suspects, journal.done


def write_files(folder: Path) -> None:
    """Write what entries name."""
    for size in range(51):
        (folder / file_of(size)).write_bytes(bytes(size))


def written(folder: Path, writer: str, entries: list[Entry], *, job: str = "job") -> Journal:
    journal = Journal(folder, job, writer)
    for entry in entries:
        journal.append(entry)
    journal.close()
    return journal


def read(folder: Path) -> Journal:
    journal = Journal(folder, "job", "reader")
    journal.read(joins=False)
    return journal


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job's folder with the files that entries name. Each use of `fresh` begins with an empty journal."""
    folder = tmp_path_factory.mktemp("job")
    write_files(folder)
    return folder


def fresh(folder: Path) -> Path:
    """Forget the journal of a folder."""
    shutil.rmtree(folder / "journal", ignore_errors=True)
    return folder


@given(entries=ENTRIES)
def test_what_one_process_wrote_is_read_back(folder: Path, entries: list[Entry]) -> None:
    journal = written(fresh(folder), "rank", entries)
    assert state(read(folder)) == state(journal)
    copy = Journal(folder, "job", "other")
    copy.take_lines([journal.all_lines()])
    assert state(copy) == state(journal)
    assert journal.fresh_lines().count(b"\n") == len(entries)
    assert journal.fresh_lines() == b""


@given(entries=st.lists(PART, max_size=8), rng=st.randoms(use_true_random=False))
def test_of_parts_that_two_ranks_finished_all_choose_the_same(folder: Path, entries: list[PartEntry], rng: random.Random) -> None:
    fresh(folder)
    lines = [written(folder, f"rank-{number}", [entry]).fresh_lines() for number, entry in enumerate(entries)]
    expected = {key: entry.path for key, entry in read(folder).parts.items()}
    rng.shuffle(lines)
    journal = Journal(folder, "job", "other")
    journal.take_lines(lines)
    assert {key: entry.path for key, entry in journal.parts.items()} == expected


@given(cut=st.integers(0, 400), garbage=st.binary(max_size=20))
def test_a_line_that_was_cut_off_is_no_entry(folder: Path, cut: int, garbage: bytes) -> None:
    written(fresh(folder), "rank", [part(0), part(1), part(2)])
    path = folder / "journal" / "job-rank.jsonl"
    data = path.read_bytes()
    cut = min(cut, len(data))
    whole = data[:cut].count(b"\n") + (data[cut : cut + 1] == b"\n")  # the line feed itself may be what is missing
    path.write_bytes(data[:cut])
    assert sorted(read(folder).parts) == [(0, split) for split in range(whole)]
    # File systems may leave blocks of zeros, or of an old file, behind what they lost.
    path.write_bytes(data[:cut] + b"\n" + garbage + b"\0" * 100)
    assert sorted(read(folder).parts) == [(0, split) for split in range(whole)]


@given(place=st.integers(0, 1000), bit=st.integers(0, 7))
def test_a_changed_bit_is_noticed(folder: Path, place: int, bit: int) -> None:
    before = written(fresh(folder), "rank", [part(0), part(1)]).parts
    path = folder / "journal" / "job-rank.jsonl"
    data = bytearray(path.read_bytes())
    data[place % len(data)] ^= 1 << bit
    path.write_bytes(data)
    found = read(folder).parts
    assert len(found) < 2
    assert all(entry == before[key] for key, entry in found.items())


def test_an_empty_line_with_its_checksum_is_no_entry(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    (tmp_path / "journal" / "job-rank.jsonl").write_bytes(b"00000000 \n00000000\n\n")
    assert state(read(tmp_path)) == state(Journal(tmp_path, "job", "none"))


def test_a_file_that_takes_a_few_bytes_at_a_time_gets_whole_lines(folder: Path) -> None:
    class Slow(io.RawIOBase):
        def __init__(self, file: Any) -> None:
            self.file = file

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            return int(self.file.write(data[:7]))

        def fileno(self) -> int:
            return int(self.file.fileno())

        def close(self) -> None:
            self.file.close()
            super().close()

    journal = Journal(fresh(folder), "job", "rank")
    journal.append(part(0))
    assert isinstance(journal._file, io.BufferedWriter)
    journal._file = io.BufferedWriter(Slow(journal._file.detach()))
    journal.append(part(1))
    journal.append(part(2))
    journal.close()
    assert sorted(read(folder).parts) == [(0, 0), (0, 1), (0, 2)]


@pytest.mark.parametrize("left", [None, b"", b"12", b"1234"])
@pytest.mark.parametrize("entry", [PartEntry(0, 0, "x", 3, 2, 3, {}, [], 4, 5), MovedEntry(0, 0, "x", 3, [])])
def test_parts_of_another_size_are_not_there(tmp_path: Path, entry: Entry, left: bytes | None) -> None:
    written(tmp_path, "rank", [entry])
    if left is not None:
        (tmp_path / "x").write_bytes(left)
    assert state(read(tmp_path)) == state(Journal(tmp_path, "job", "none"))
    (tmp_path / "x").write_bytes(b"123")
    assert state(read(tmp_path)) != state(Journal(tmp_path, "job", "none"))


@pytest.mark.parametrize(
    "entry", [AnswerEntry(0, [[0, "x", 0, 1, 1], [1, "x", 1, 2, 0]], []), AnswerEntry(0, [], [], "x", 3, [0, 7])]
)
def test_an_answer_counts_only_with_all_of_its_masks_or_its_order(tmp_path: Path, entry: Entry) -> None:
    written(tmp_path, "rank", [entry])
    assert read(tmp_path).answers == {}
    (tmp_path / "x").write_bytes(b"12")
    assert read(tmp_path).answers == {}
    (tmp_path / "x").write_bytes(b"123")
    assert read(tmp_path).answers == {0: entry}


def test_a_process_that_joins_has_its_own_file_first_and_leaves_none_open(tmp_path: Path) -> None:
    Journal(tmp_path, "job", "rank").read(joins=False)
    assert not (tmp_path / "journal").exists()
    Journal(tmp_path, "job", "rank").read()
    assert (tmp_path / "journal" / "job-rank.jsonl").exists()


def test_lines_of_a_job_that_was_started_over_and_other_files_do_not_count(folder: Path) -> None:
    assert read(fresh(folder)).parts == {}
    lines = written(folder, "rank", [part(0)], job="earlier").fresh_lines()
    (folder / "journal" / "job-rank.jsonl.tmp").write_bytes(lines)
    assert read(folder).parts == {}
