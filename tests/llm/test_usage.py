"""What was asked and what it cost, by OP and in the report."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

import djfast
from djfast.errors import RecipeError
from djfast.llm.chat import Chat
from djfast.llm.retries import Retries
from djfast.llm.usage import METER, OpUsage, Price, UsageMeter, total_usage
from djfast.runners.report import Report, usage_lines
from tests.llm.server import echo, refusal

PRICES = {"tiny": {"prompt": 2.0, "completion": 10.0}}


def asked_by(op: str, asks: list[str], **options) -> OpUsage:
    METER.take()
    Chat("tiny", retries=Retries(most=2, first_seconds=0.01), **options).answers(asks, usage_of=op)
    (name, usage), *others = METER.take().items()
    assert (name, others) == (op, [])
    return usage


def test_requests_tokens_and_cost_are_added_up(server):
    usage = asked_by("judge", ["a", "b", "a"], prices=PRICES)
    assert usage == OpUsage(requests=2, cache_hits=1, prompt_tokens=20, completion_tokens=10, cost=pytest.approx(140e-6))


def test_an_unknown_price_is_an_unknown_cost(server):
    assert asked_by("judge", ["a"], prices={"other": {"prompt": 1, "completion": 1}}).cost is None


def test_an_answer_from_the_cache_costs_nothing(server):
    asked_by("judge", ["a"])
    assert asked_by("judge", ["a"]) == OpUsage(cache_hits=1, cost=0.0)


def test_retries_and_failures_are_counted(server):
    server.respond = lambda asked: refusal(500) if asked.number < 4 else echo(asked)
    usage = asked_by("judge", ["a"], prices=PRICES)
    assert usage == OpUsage(requests=3, retries=2, failures=1)
    usage = asked_by("judge", ["a"], prices=PRICES)
    assert (usage.requests, usage.retries, usage.failures, usage.prompt_tokens) == (2, 1, 0, 10)


@pytest.mark.parametrize("price", [1, {"prompt": 1}, {"prompt": -1, "completion": 1}, {"prompt": "1", "completion": 1}])
def test_a_price_that_is_none_is_refused(price):
    with pytest.raises(RecipeError, match="prices: tiny must have prompt and completion"):
        Price.of_model({"tiny": price}, "tiny")


def test_threads_add_to_one_meter():
    meter = UsageMeter()
    threads = [threading.Thread(target=lambda: [meter.add("a", OpUsage(requests=1)) for _ in range(2000)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert meter.take() == {"a": OpUsage(requests=16_000)}
    assert meter.take() == {}


def test_ranks_are_added():
    assert total_usage([{"b": OpUsage(requests=1)}, {"a": OpUsage(cost=None), "b": OpUsage(requests=2, cost=0.5)}]) == {
        "a": OpUsage(cost=None),
        "b": OpUsage(requests=3, cost=0.5),
    }


def report(**more) -> Report:
    return Report(1, 1, 0, 10, 1.0, 1, (), ("out.jsonl",), None, None, (), **more)


def test_a_report_has_the_section_only_when_something_was_asked():
    assert "language_models" not in report().to_dict()
    used = report(language_models={"judge": OpUsage(requests=1200, prompt_tokens=5, cost=None)})
    assert used.to_dict()["language_models"]["judge"]["requests"] == 1200
    for each in (report(), used):
        assert Report.of(json.loads(json.dumps(each.to_dict()))) == each
    assert usage_lines(used.language_models) == [
        "judge: 1,200 requests (0 retries, 0 failed), 0 answers from the cache, 5 + 0 tokens, cost unknown"
    ]


@pytest.fixture
def recipe(tmp_path) -> dict:
    (tmp_path / "in.jsonl").write_text('{"text": "a"}\n')
    return {
        "dataset_path": str(tmp_path / "in.jsonl"),
        "export_path": str(tmp_path / "out" / "out.jsonl"),
        "process": [{"text_length_filter": {}}],
    }


def test_what_was_asked_before_a_run_is_not_the_runs(recipe):
    METER.add("of another run", OpUsage(requests=1))
    assert djfast.run(recipe).language_models is None


@pytest.mark.parametrize("is_job", [False, True])
def test_a_run_reports_what_its_ops_asked(recipe, monkeypatch, is_job):
    class AskedTwice(UsageMeter):
        def take(self):
            return {"judge": OpUsage(requests=2)}

    monkeypatch.setattr(f"djfast.runners.{'job.outcome' if is_job else 'local'}.METER", AskedTwice())
    report = djfast.run({**recipe, "use_checkpoint": is_job})
    assert report.language_models == {"judge": OpUsage(requests=2)}
    (record,) = (Path(recipe["export_path"]).parent).glob("**/*.run.json")
    assert json.loads(record.read_text())["language_models"]["judge"]["requests"] == 2
