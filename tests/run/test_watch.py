"""A row that takes too long costs itself, not the run."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

import djfast
from djfast.errors import Preempted, RowTimeoutError
from djfast.plan.bind import bind_plan
from djfast.plan.build import build_plan
from djfast.rows.json_rows import JsonBlock, JsonRows
from djfast.runners.stage_work import StageWork
from djfast.runners.watch import Suspect, Watch


@pytest.fixture
def watch():
    made = []

    def watch(limit, suspects=()):
        found: list[Suspect] = []
        made.append(Watch(limit, found.append, suspects))
        return made[-1], found

    yield watch
    for each in made:
        each.close()


def test_rows_that_hang_are_left_and_the_others_have_their_answers(watch):
    over = threading.Event()

    def work(text):
        if text == "sleeps":
            over.wait(20)
        while text == "loops":
            pass
        if text == "fails":
            raise ValueError("no")
        return text.upper()

    watching, suspects = watch(0.3)
    answers = watching.each(3, work, [("a",), ("sleeps",), ("b",), ("loops",), ("fails",), ("sleeps",), ("c",)])
    over.set()
    assert [answer for answer, _ in answers] == ["A", None, "B", None, None, None, "C"]
    assert [str(error) for _, error in answers if error is not None] == [
        "took longer than the row_timeout of 0.3 s", "took longer than the row_timeout of 0.3 s", "no",
        "took longer than the row_timeout of 0.3 s",
    ]  # fmt: skip
    assert [(each.op, each.excerpt) for each in suspects] == [(3, "'sleeps'"), (3, "'loops'"), (3, "'sleeps'")]
    assert all(each.seconds >= 0.3 for each in suspects)


def test_many_short_rows_may_take_longer_than_the_limit_together(watch):
    watching, suspects = watch(0.2)
    answers = watching.each(0, lambda number: time.sleep(0.02) or number, [(number,) for number in range(25)])
    assert [answer for answer, _ in answers] == list(range(25))
    assert suspects == []


def test_a_row_that_hung_in_an_earlier_attempt_is_not_tried_again(watch):
    watching, suspects = watch(0.2)
    watching.each(1, lambda text: time.sleep(1), [("slow",)])
    again, _ = watch(5.0, {(each.op, each.digest) for each in suspects})
    called = []
    answers = again.each(1, called.append, [("quick",), ("slow",)])
    assert called == ["quick"]
    assert [str(error) for _, error in answers] == ["None", "took longer than the row_timeout of 5 s"]
    assert again.each(2, str, [("slow",)]) == [("slow", None)]


def test_what_is_no_row_s_error_ends_the_run(watch):
    def stop(_):
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        watch(5.0)[0].each(0, stop, [(1,)])


def test_a_function_over_a_batch_that_hangs_is_told(watch):
    with pytest.raises(RowTimeoutError, match=r"my_mapper: a call with a batch of rows took longer than .* of 0\.2 s"):
        watch(0.2)[0].whole("my_mapper", lambda: time.sleep(1))
    assert watch(5.0)[0].whole("my_mapper", lambda: 3) == 3


def test_a_library_that_hangs_with_the_lock_of_the_interpreter_ends_the_process_with_its_place(tmp_path):
    code = """
import re
from djfast.runners import watch

watch._GRACE = 0.5

def hang(text):
    return re.match("(a+)+$", text)  # holds the lock, for hours

watch.Watch(0.2).each(0, hang, [["a" * 40 + "b"]])
"""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert time.monotonic() - began < 20
    assert done.returncode == 1
    assert "in hang" in done.stderr


class _Slow:
    """Native code that takes long for some rows: stands in for a watch, which sees only that it does."""

    reason = "took longer than the row_timeout of 1 s"

    def __init__(self, slow: set[int]) -> None:
        self.slow = slow
        self.alive: list[list[int]] = []

    def minds(self, byte_count: int, *, in_python: bool = False) -> bool:
        return byte_count > 0

    def native(self, work) -> bool:
        [batch] = work.args
        self.alive.append(batch.alive)
        if self.slow & set(batch.alive):
            return False
        work()
        return True

    def each(self, op, function, calls):
        return [(function(*arguments), None) for arguments in calls]


@pytest.mark.parametrize("slow", [{1}, {0, 3}, {0, 1, 2, 3}, set()])
def test_native_code_sets_slow_rows_aside_and_keeps_the_others(slow):
    plan = build_plan(djfast.load_ops([{"text_length_filter": {"min_len": 2}}, "fix_unicode_mapper"]))
    rows = JsonRows([], batch_bytes=1 << 20, keeps_stats=False, keeps_hashes=False)
    data = b"".join(b'{"text": "row %d"}\n' % number for number in range(4)) + b'{"text": "x"}\nno JSON\n'
    work = StageWork(bind_plan(plan)[0], rows.layouts(plan)[0], rows, _Slow(slow))
    done = work.run(JsonBlock(data, len(data), "in.jsonl"))
    assert [bad.place for bad in done.bad_rows] == sorted([*slow, 5])
    assert {bad.reason for bad in done.bad_rows if bad.place in slow} <= {_Slow.reason}
    assert done.piece_rows == 4 - len(slow)


def test_native_code_is_minded_where_its_bytes_are_many_for_the_limit(watch):
    watching, _ = watch(600.0)
    assert not watching.minds(1 << 20)  # a batch as it is cut by default
    assert watching.minds(100 << 20)  # a row that a signal would have to wait for
    assert watch(1.0)[0].minds(10_000)
    assert not watching.minds(10_000, in_python=True)
    assert watching.minds(100_000, in_python=True)
    watching.let_go()
    with pytest.raises(Preempted):
        watching.minds(1)


@pytest.mark.parametrize("kind", ["each", "whole", "native"])
def test_what_takes_long_is_let_go_when_the_run_ends(watch, kind):
    watching, suspects = watch(600.0)
    begun, over = threading.Event(), threading.Event()
    raised = []

    def work():
        begun.set()
        over.wait(20)

    asked = {"each": (0, work, [()]), "whole": ("op", work), "native": (work,)}[kind]

    def ask():
        try:
            getattr(watching, kind)(*asked)
        except Preempted as error:
            raised.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    begun.wait(20)
    watching.let_go()
    asking.join(20)
    over.set()
    assert len(raised) == 1
    assert suspects == []
    with pytest.raises(Preempted):
        watching.native(work)
