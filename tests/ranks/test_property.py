"""Any number of ranks and threads, any splits and batches: the result of a run without ranks, byte for byte.

Cases come from seeds. ``DJFAST_SEEDS=1000:1500`` runs others than those of every day, ``DJFAST_SEEDS=17`` one.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from djfast.errors import InputError, SchemaError, TooManyErrors
from djfast.ranks.alone import Alone
from djfast.runners import memory
from djfast.runners.job import exchange, survivors
from djfast.runners.job.stopping import Preempted, Stopping
from tests.ranks import picky_op
from tests.ranks.launching import run_module
from tests.ranks.made_cases import Case, make_case
from tests.ranks.outcomes import files_of, run_locally, run_with_ranks
from tests.ranks.threads import Threads, run_threads

_USUAL_SEEDS = "0:60"


class Expected(NamedTuple):
    case: Case
    counts: dict[str, Any]
    files: dict[str, bytes]
    error: str | None = None


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
            found.append(_expected(case, place))
        except InputError:  # the rows do not fit one Parquet schema
            found.append(_expected(case._replace(export_name="out.jsonl"), place))
    return found


def _expected(case: Case, folder: Path) -> Expected:
    try:
        counts = run_locally(case.variant(folder, 0))
    except (SchemaError, TooManyErrors) as error:  # a selector cannot compare the rows, or an OP rejected all that came to it
        return Expected(case, {}, {}, _said(error))
    return Expected(case, counts, files_of(folder))


def _said(error: Exception) -> str:
    """Return what an error says, but for where the rejected rows lie."""
    return "\n".join(line.partition("; see ")[0] for line in str(error).splitlines())


def _check(expected: Expected, folder: Path, run: Callable[[], dict[str, Any] | None]) -> None:
    """Run a case and compare what it gives, or how it fails."""
    __tracebackhide__ = True
    context = f"seed {expected.case.seed}: {json.dumps(expected.case.recipe)}"
    failure = None
    try:
        counts = run()
    except (SchemaError, TooManyErrors) as error:
        failure = _said(error)
    except Preempted:
        raise
    except Exception as error:
        raise AssertionError(context) from error
    assert failure == expected.error, context
    if failure is None:
        _compare(expected, counts, folder)


def _compare(expected: Expected, counts: dict[str, Any] | None, folder: Path) -> None:
    __tracebackhide__ = True
    context = f"seed {expected.case.seed}: {json.dumps(expected.case.recipe)}"
    assert counts == expected.counts, context
    files = files_of(folder)
    assert sorted(files) == sorted(expected.files), context
    for name, content in expected.files.items():
        assert files[name] == content, f"{name} differs; {context}"


def _compare_published(expected: Expected, folder: Path) -> None:
    """Look at what an interrupted run has left: rank 0 may have published files while another rank was asked to stop."""
    for path in folder.iterdir():
        if path.is_file() and not path.name.endswith(".run.json") and ".rejected" not in path.name:
            assert path.read_bytes() == expected.files.get(path.name), f"{path.name}; seed {expected.case.seed}"


def test_threads_batches_and_memory_alone_change_nothing(
    expected: list[Expected], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "LARGEST_WINDOW", 3000)  # rows wait on disk and come into their order by several buckets
    for each in expected:
        place = tmp_path / str(each.case.seed)
        _check(each, place, lambda place=place, case=each.case: run_locally(case.variant(place, 1)))


def test_the_order_of_filters_changes_nothing_but_counts(expected: list[Expected], tmp_path: Path) -> None:
    for each in expected:
        place = tmp_path / str(each.case.seed)
        recipe = each.case.variant(place, 0)
        other = {**recipe, "order_filters": not recipe["order_filters"]}
        _check(each, place, lambda each=each, other=other: {**run_locally(other), "ops": each.counts["ops"]})


def test_a_process_alone_with_a_job(expected: list[Expected], tmp_path: Path) -> None:
    for each in expected:
        place = tmp_path / str(each.case.seed)
        _check(each, place, lambda place=place, case=each.case: run_with_ranks(case.variant(place, 2), Alone()))


@pytest.mark.parametrize("size", [2, 3, 7])
def test_ranks_in_threads(expected: list[Expected], tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_BATCH_ROWS", 11)
    if size == 2:
        monkeypatch.setattr(survivors, "_PASS_BYTES", 1 << 22)  # some passes over the keys
    for each in expected:
        place = tmp_path / str(each.case.seed)
        recipe = each.case.variant(place, 10 + size, ranks=size)
        _check(each, place, lambda recipe=recipe: run_threads(size, lambda ranks: run_with_ranks(recipe, ranks))[0])


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
        for attempt in range(5):
            size = rng.choice([1, 2, 3, 5])
            recipe = each.case.variant(place, 50 + attempt, ranks=size)
            batches = [rng.randint(0, 8) if attempt < 4 else 1 << 30 for _ in range(5)]

            def work(ranks: Threads, recipe: Any = recipe, batches: Any = batches) -> dict[str, Any] | None:
                return run_with_ranks(recipe, ranks, StopsSoon(batches[ranks.rank]))

            try:
                _check(each, place, lambda size=size, work=work: run_threads(size, work)[0])
                break
            except Preempted:
                stops += 1
                _compare_published(each, place)
    assert stops > 5 or len(expected) < 10


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_ranks_of_mpi(expected: list[Expected], tmp_path: Path, size: int) -> None:
    expected = [each for each in expected if each.error is None]  # an error ends all ranks
    recipes = [each.case.variant(tmp_path / str(each.case.seed), 100 + size, ranks=size) for each in expected]
    (tmp_path / "recipes.json").write_text(json.dumps(recipes))
    run_module(size, "tests.ranks.session", str(tmp_path))
    for each, counts in zip(expected, json.loads((tmp_path / "counts.json").read_text())):
        _compare(each, counts, tmp_path / str(each.case.seed))
