"""A row that takes too long ends the process with a message, and is set aside when the run goes on."""

from __future__ import annotations

import threading
import time

from djfast.runners.watch import Suspect, Watch


def watched(limit: float, work, suspects=()) -> list[Suspect | None]:
    overdue: list[Suspect | None] = []
    is_overdue = threading.Event()

    def note(suspect: Suspect | None) -> None:
        overdue.append(suspect)
        is_overdue.set()

    watch = Watch(limit, note, suspects)
    try:
        work(watch, is_overdue)
    finally:
        watch.close()
    return overdue


def test_a_row_that_hangs_is_told_with_its_arguments():
    def hang(watch, is_overdue):
        assert watch.enter(3, ("a text that never ends", 1)) is None
        assert is_overdue.wait(5)

    ((op, digest, excerpt, seconds),) = watched(0.1, hang)
    assert (op, excerpt) == (3, "'a text that never ends'")
    assert seconds >= 0.1
    assert len(digest) == 64


def test_a_batch_of_native_code_that_hangs_is_told_too():
    def hang(watch, is_overdue):
        watch.enter(-1, ())
        assert is_overdue.wait(5)

    assert watched(0.1, hang) == [None]


def test_many_short_rows_may_take_longer_than_the_limit_together():
    def work(watch, is_overdue):
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            watch.enter(0, ("row",))
            time.sleep(0.01)
        watch.leave()
        time.sleep(0.3)

    assert watched(0.2, work) == []


def test_a_row_that_hung_before_is_refused():
    def hang(watch, is_overdue):
        watch.enter(1, ("slow",))
        is_overdue.wait(5)

    (suspect,) = watched(0.1, hang)
    assert suspect is not None

    def again(watch, is_overdue):
        assert watch.enter(1, ("slow",)) == "took longer than the row_timeout of 5 s in an earlier attempt"
        assert watch.enter(1, ("quick",)) is None
        assert watch.enter(2, ("slow",)) is None
        watch.leave()

    assert watched(5, again, {(suspect.op, suspect.digest)}) == []
