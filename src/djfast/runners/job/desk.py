"""Rank 0's desk: hands out splits one by one, and knows how far every rank is."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from djfast.runners.job.metrics import Metrics
from djfast.runners.progress import Progress
from djfast.runners.report import Tally

NO_MORE = -1
STOP = -2  # there are more, but a rank must stop


class Desk:
    """Answers the ranks; any thread may call it.

    Parameters
    ----------
    progress : Progress
        Shows the sum of all ranks.
    metrics : Metrics
        Writes it where a monitor finds it.
    most_rejected : int or None
        More rejected rows than this end the run.
    """

    def __init__(self, names: Mapping[int, str], progress: Progress, metrics: Metrics, *, most_rejected: int | None) -> None:
        self.stops = False  # a rank must stop, or too many rows were rejected: no more splits for anyone
        self._names = names
        self._progress = progress
        self._metrics = metrics
        self._most_rejected = most_rejected
        self._lock = threading.Lock()
        self._pass = 0
        self._splits: list[int] = []
        self._before = Tally(names)
        self._done_before = self._all = 0.0
        self._news: dict[int, dict[str, Any]] = {}

    def open(self, number: int, splits: Sequence[int], finished: Tally, sizes: Sequence[float]) -> None:
        """Begin a phase: `splits` are still to do, `finished` counts what was done before, `sizes` are those of all splits."""
        with self._lock:
            self._all = sum(sizes)
            self._done_before = self._all - sum(sizes[split] for split in splits)
            self._pass = number
            self._splits = list(reversed(splits))
            self._before = finished
            self._news.clear()
        self._progress.update(finished)
        self._progress.enter(number, self._share)

    def answer(self, rank: int, body: bytes) -> bytes:
        """Take a rank's news, and answer with its next split."""
        news = json.loads(body)
        with self._lock:
            if news["pass"] == self._pass:  # others were on their way when their pass ended; `finished` has their counts
                self._news[rank] = news
            self.stops = self.stops or news["stops"]
            tally = self._sum()
            if self._most_rejected is not None and tally.rejected > self._most_rejected:
                self.stops = True
            self._progress.update(tally)
            self._metrics.update(tally, self._news)
            if not news["asks"]:
                return b""
            if not self._splits:
                return str(NO_MORE).encode()
            split = STOP if self.stops else self._splits.pop()
        return str(split).encode()

    def _share(self) -> float | None:
        done = self._done_before + sum(float(news["done"]) for news in [*self._news.values()])
        return done / self._all if self._all else None

    def _sum(self) -> Tally:
        total = self._before.copy()
        for news in self._news.values():
            total.add(Tally.of(self._names, news["tally"]))
        return total
