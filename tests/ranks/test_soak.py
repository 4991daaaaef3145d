"""Kills at random moments, again and again: whatever was lost is done again, and the result is that of a run in peace."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

from tests.ranks.jobs import PROCESS, TestJob, undisturbed, write_documents
from tests.ranks.launching import Launch, find_mpirun, launched

SORTED = [*PROCESS[:-1], {"topk_specified_field_selector": {"field_key": "number", "topk": 900}}, PROCESS[-1]]
KILLS = int(os.environ.get("DJFAST_SOAK_KILLS", "50"))
SEED = int(os.environ.get("DJFAST_SOAK_SEED", "3"))
MOST_SECONDS = 30.0  # that a run may take before the machine is too slow to say anything


class Soak:
    """One job after the other on the same input, with kills."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.chance = random.Random(SEED)
        self.folder = folder
        self.source = write_documents(folder / "documents.jsonl", rows=rows)
        (folder / "undisturbed").mkdir()
        self.expected = undisturbed(folder / "undisturbed", self.source, SORTED)
        self.kills: Counter[str] = Counter()
        self.jobs = 0
        self.starts = 0
        self.interrupted_at: Counter[str] = Counter()
        self.seconds = {None: 1.0, 1: 1.5, 2: 2.0, 3: 2.5, 4: 3.0}  # that a run takes, by ranks: kills come within it

    def new_job(self) -> TestJob:
        self.jobs += 1
        folder = self.folder / str(self.jobs)
        folder.mkdir()
        return TestJob(folder, self.source, process=SORTED, use_checkpoint=True, np=self.chance.choice([1, 2]))

    def finish(self, job: TestJob, *, most_kills: int) -> None:
        """Start a job until it is complete, and kill its ranks, its mpirun or all of it on the way."""
        left = most_kills
        while True:
            ranks = self.chance.choice([None, 1, 2, 2, 3, 4])
            survives = ranks is not None and ranks > 1 and self.chance.random() < 0.5
            status, kills = self._start(job, ranks, survives=survives, may_kill=left)
            left -= kills
            if status == 0 and job.export.exists() and not (job.folder / "parts").exists():
                break
        assert job.result() == self.expected
        assert job.leftovers() == []

    def _start(self, job: TestJob, ranks: int | None, *, survives: bool, may_kill: int) -> tuple[int, int]:
        self.starts += 1
        kills = 0
        attempt = job.folder / "attempt.json"
        before = _content(attempt)
        with launched(job.command("-q"), ranks=ranks, survives=survives) as launch:
            # Only ranks that know each other can go on without one.
            while survives and _content(attempt) == before and launch.process.poll() is None:
                time.sleep(0.005)
            began = time.monotonic()
            longest = self.seconds[ranks] * (0.6 if survives else 1.0)
            moments = sorted(self.chance.uniform(0.0, longest) for _ in range(min(may_kill, 2 if survives else 1)))
            for moment in moments:
                while time.monotonic() < began + moment and launch.process.poll() is None:
                    time.sleep(0.005)
                what = self._kill(launch, survives=survives) if launch.process.poll() is None else None
                if what is not None:
                    kills += 1
                    self.kills[what] += 1
                    passes = {stage for stage, _ in job.parts()}
                    self.interrupted_at[f"pass {max(passes)}" if passes else "start"] += 1
                    print(f"{self.jobs}.{self.starts}: {what} of {ranks} ranks, {moment:.2f} s after the start")
            outcome = launch.wait(MOST_SECONDS)
        if not kills:
            assert outcome.status == 0, outcome.output
            self.seconds[ranks] = 0.5 * self.seconds[ranks] + 0.5 * min(outcome.seconds, MOST_SECONDS / 2)
        return outcome.status, kills

    def _kill(self, launch: Launch, *, survives: bool) -> str | None:
        """Kill something; None if there was nothing to kill any more."""
        running = [*launch.ranks().values()]
        if survives and not running:
            return None
        if running and (survives or self.chance.random() < 0.5):
            what, victims = "one rank" + (", others go on" if survives else ""), [self.chance.choice(running)]
        else:
            what, victims = "everything", [launch.process.pid, *running]
        killed = False
        for victim in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
                killed = True
        return what if killed else None


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def test_nothing_is_lost_and_nothing_comes_twice(tmp_path: Path) -> None:
    find_mpirun(survives=True)
    soak = Soak(tmp_path, rows=1500)
    began = time.monotonic()
    while sum(soak.kills.values()) < KILLS:
        soak.finish(soak.new_job(), most_kills=min(6, KILLS - sum(soak.kills.values())))
    killed = ", ".join(f"{count} {what}" for what, count in sorted(soak.kills.items()))
    places = ", ".join(f"{count} in {place}" for place, count in sorted(soak.interrupted_at.items()))
    print(
        f"seed {SEED}: {soak.jobs} jobs, {soak.starts} starts, {sum(soak.kills.values())} kills ({killed}; {places}), "
        f"{time.monotonic() - began:.0f} s: all results equal"
    )
