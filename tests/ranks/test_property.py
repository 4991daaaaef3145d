"""Any number of ranks and threads, any splits and batches: the result of a run without ranks, byte for byte.

Cases come from seeds. ``DJFAST_SEEDS=1000:1500`` runs others than those of every day, ``DJFAST_SEEDS=17`` one.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from djfast.errors import InputError
from djfast.ranks import Alone
from djfast.runners.job import exchange, survivors
from djfast.runners.job.stopping import Preempted, Stopping
from tests.ranks import picky_op
from tests.ranks.made_cases import Case, make_case
from tests.ranks.mpirun import run_module
from tests.ranks.outcomes import files_of, run_locally, run_with_ranks
from tests.ranks.threads import Threads, run_threads

_USUAL_SEEDS = "0:60"


class Expected(NamedTuple):
    case: Case
    counts: dict[str, Any]
    files: dict[str, bytes]


def _seeds() -> range:
    first, _, last = os.environ.get("DJFAST_SEEDS", _USUAL_SEEDS).partition(":")
    return range(int(first), int(last or int(first) + 1))


@pytest.fixture(scope="module", autouse=True)
def _a_picky_op() -> Iterator[None]:
    with picky_op.declared():
        yield


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[Expected]:
    """All cases with what a run without ranks makes of them."""
    folder = tmp_path_factory.mktemp("cases")
    found = []
    for seed in _seeds():
        case = make_case(seed, folder)
        place = folder / f"local-{seed}"
        try:
            counts = run_locally(case.variant(place, 0))
        except InputError:  # the rows do not fit one Parquet schema
            case = case._replace(export_name="out.jsonl")
            counts = run_locally(case.variant(place, 0))
        found.append(Expected(case, counts, files_of(place)))
    return found


def _compare(expected: Expected, counts: dict[str, Any] | None, folder: Path) -> None:
    __tracebackhide__ = True
    context = f"seed {expected.case.seed}: {json.dumps(expected.case.recipe)}"
    assert counts == expected.counts, context
    files = files_of(folder)
    assert sorted(files) == sorted(expected.files), context
    for name, content in expected.files.items():
        assert files[name] == content, f"{name} differs; {context}"


def test_threads_and_batches_alone_change_nothing(expected: list[Expected], tmp_path: Path) -> None:
    for each in expected:
        place = tmp_path / str(each.case.seed)
        _compare(each, run_locally(each.case.variant(place, 1)), place)


def test_a_process_alone_with_a_job(expected: list[Expected], tmp_path: Path) -> None:
    for each in expected:
        place = tmp_path / str(each.case.seed)
        _compare(each, run_with_ranks(each.case.variant(place, 2), Alone()), place)


@pytest.mark.parametrize("size", [2, 3, 7])
def test_ranks_in_threads(expected: list[Expected], tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_BATCH_ROWS", 11)
    if size == 2:
        monkeypatch.setattr(survivors, "_PASS_BYTES", 1 << 22)  # some passes over the keys
    for each in expected:
        place = tmp_path / str(each.case.seed)
        recipe = each.case.variant(place, 10 + size)
        _compare(each, run_threads(size, lambda ranks, recipe=recipe: run_with_ranks(recipe, ranks))[0], place)


class StopsSoon(Stopping):
    """Is asked to stop when some batches are done."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self._batches = batches

    def check(self) -> None:
        self._batches -= 1
        self.is_asked = self._batches <= 0


def test_a_job_that_is_stopped_goes_on_with_other_ranks(expected: list[Expected], tmp_path: Path) -> None:
    stops = 0
    for each in expected:
        rng = random.Random(each.case.seed)
        place = tmp_path / str(each.case.seed)
        counts = None
        for attempt in range(5):
            recipe = each.case.variant(place, 50 + attempt)
            batches = [rng.randint(0, 8) if attempt < 4 else 1 << 30 for _ in range(5)]

            def work(ranks: Threads, recipe: Any = recipe, batches: Any = batches) -> dict[str, Any] | None:
                return run_with_ranks(recipe, ranks, StopsSoon(batches[ranks.rank]))

            try:
                counts = run_threads(rng.choice([1, 2, 3, 5]), work)[0]
                break
            except Preempted:
                stops += 1
                assert not [path for path in place.iterdir() if path.suffix != ".job" and ".rejected" not in path.name]
        _compare(each, counts, place)
    assert stops > 5 or len(expected) < 10


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_ranks_of_mpi(expected: list[Expected], tmp_path: Path, size: int) -> None:
    recipes = {each.case.seed: each.case.variant(tmp_path / str(each.case.seed), 100 + size) for each in expected}
    (tmp_path / "recipes.json").write_text(json.dumps(list(recipes.values())))
    run_module(size, "tests.ranks.session", str(tmp_path))
    for each, counts in zip(expected, json.loads((tmp_path / "counts.json").read_text())):
        _compare(each, counts, tmp_path / str(each.case.seed))
