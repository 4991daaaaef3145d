"""Rank 0's desk: every split is handed out once, and late news do no harm."""

from __future__ import annotations

import io
import json
import threading

import pytest

from djfast.runners.job.desk import NO_MORE, STOP, Desk
from djfast.runners.job.metrics import Metrics
from djfast.runners.progress import Progress
from djfast.runners.report import Tally


def desk_of(*, most_rejected: int | None = None) -> Desk:
    return Desk({0: "text_length_filter"}, Progress(is_quiet=True), Metrics(None), most_rejected=most_rejected)


def news(number: int, *, asks: bool = True, stops: bool = False, rejected: int = 0, done: float = 0.0) -> bytes:
    tally = Tally({0: "text_length_filter"})
    tally.rejected = rejected
    told = {"pass": number, "asks": asks, "stops": stops, "waited": 0.0, "done": done, "tally": tally.to_record()}
    return json.dumps(told).encode()


def finished(rejected: int) -> Tally:
    tally = Tally({0: "text_length_filter"})
    tally.rejected = rejected
    return tally


def test_every_split_is_handed_out_once() -> None:
    desk = desk_of()
    desk.open(0, range(200), finished(0), [1.0] * 200)
    taken: list[int] = []

    def take(rank: int) -> None:
        while (split := int(desk.answer(rank, news(0)))) != NO_MORE:
            taken.append(split)

    threads = [threading.Thread(target=take, args=(rank,)) for rank in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(200))


def test_one_rank_that_stops_ends_the_work_of_all() -> None:
    desk = desk_of()
    desk.open(0, [3, 4], finished(0), [1.0] * 6)
    assert desk.answer(1, news(0)) == b"3"
    assert desk.answer(2, news(0, asks=False, stops=True)) == b""
    assert int(desk.answer(1, news(0))) == STOP
    assert desk.stops


def test_too_many_rejected_rows_of_all_ranks_together_end_the_work() -> None:
    desk = desk_of(most_rejected=10)
    desk.open(0, [3, 4, 5], finished(4), [1.0] * 6)
    assert desk.answer(0, news(0, rejected=3)) == b"3"
    assert desk.answer(1, news(0, rejected=3)) == b"4"
    assert int(desk.answer(1, news(0, rejected=4))) == STOP


def test_news_of_a_pass_that_is_over_are_not_counted_again() -> None:
    desk = desk_of(most_rejected=10)
    desk.open(0, [3], finished(0), [1.0] * 6)
    assert desk.answer(1, news(0, rejected=8)) == b"3"
    desk.open(1, [3], finished(8), [1.0] * 6)
    desk.answer(1, news(0, asks=False, rejected=8))  # was on its way when the pass ended
    assert desk.answer(1, news(1)) == b"3"
    assert not desk.stops


def test_the_share_of_all_ranks_is_shown_with_what_was_done_before() -> None:
    progress = Progress(io.StringIO())
    desk = Desk({0: "text_length_filter"}, progress, Metrics(None), most_rejected=None)
    desk.open(0, [1, 2], finished(0), [10.0, 20.0, 30.0])
    assert progress._share() == pytest.approx(1 / 6)
    desk.answer(0, news(0, done=4.0))
    desk.answer(1, news(0, done=6.0))
    desk.answer(1, news(0, done=16.0))
    assert progress._share() == pytest.approx(0.5)
