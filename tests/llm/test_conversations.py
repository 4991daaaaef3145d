"""Conversations of many rows: together in time, apart in everything else."""

from __future__ import annotations

import random
import re
import threading
import time
from pathlib import Path

import pytest

from djfast.errors import NoAnswerError, Preempted, RecipeError, UnusableAnswerError
from djfast.llm.asking import Answer, Ask, Failure
from djfast.llm.cache import AnswerCache
from djfast.llm.chat import Chat
from djfast.llm.conversations import MOST_TURNS, converse, tries
from djfast.llm.interrupts import interrupt
from djfast.llm.retries import Retries
from djfast.llm.structured import read_json
from tests.llm.server import completion, echo, refusal


@pytest.fixture
def chat(server, client) -> Chat:
    return Chat("tiny", cache=None, client=client, retries=Retries(most=1, first_seconds=0.01))


def count_down(row: int):
    """Ask as often as the row says, each time with what was said before."""
    messages = []
    for turn in range(row):
        messages.append({"role": "user", "content": f"row {row} turn {turn}"})
        answer = yield Ask(messages)
        messages.append({"role": "assistant", "content": answer.text})
    return [message["content"] for message in messages]


def said(row: int) -> list[str]:
    return [text for turn in range(row) for text in (f"row {row} turn {turn}", f"echo: row {row} turn {turn}")]


def test_every_row_has_its_own_conversation(server, chat):
    assert converse(chat, [count_down(row) for row in range(6)], usage_of="t") == [said(row) for row in range(6)]
    assert server.count == 15


def test_no_rows_are_no_questions(server, chat):
    assert converse(chat, [], usage_of="t") == []
    assert converse(chat, [count_down(0)] * 1, usage_of="t") == [[]]
    assert server.count == 0


def test_rows_are_asked_together(server, chat):
    server.latency = 0.4
    started = time.monotonic()
    converse(chat, [count_down(3) for _ in range(60)], usage_of="t")
    assert server.most_in_flight == 60
    assert time.monotonic() - started < 12  # 72 seconds one after another


@pytest.mark.parametrize("batch", [1, 3, 7, 40])
@pytest.mark.parametrize("cached", [False, True])
def test_results_do_not_depend_on_the_batch(server, client, tmp_path, batch, cached):
    order = random.Random(batch)
    server.respond = lambda asked: echo(asked)._replace(seconds=order.random() / 50)
    model = Chat("tiny", cache=AnswerCache(tmp_path) if cached else None, client=client)
    rows = [row % 5 for row in range(40)]
    results = []
    for first in range(0, len(rows), batch):
        results += converse(model, [count_down(row) for row in rows[first : first + batch]], usage_of="t")
    assert results == [said(row) for row in rows]


def test_a_row_that_fails_touches_no_other(server, chat):
    server.respond = lambda asked: refusal(400, "bad words") if "evil" in asked.prompt else echo(asked)

    def one(text):
        answer = yield Ask(text)
        if text == "raise":
            raise KeyError(answer.text)
        return answer.text

    def odd(asked):
        yield asked

    def never_ends():
        while True:
            yield Ask("again")

    def stubborn():
        try:
            yield "no ask"
        finally:
            raise OSError("on leaving")

    results = converse(
        chat,
        [one("a"), one("evil"), one("raise"), odd(["no ask"]), odd(Ask({1, 2})), odd(Ask([{"content": float("nan")}])),
         stubborn(), one("b")],
        usage_of="t",
    )  # fmt: skip
    assert (results[0], results[-1]) == ("echo: a", "echo: b")
    assert isinstance(results[1], NoAnswerError)
    assert str(results[1]).endswith("answered 400: bad words")
    assert [type(result) for result in results[2:-1]] == [KeyError, TypeError, TypeError, RecipeError, TypeError]
    assert "must yield an Ask or a list of them, got string" in str(results[3])


def test_a_conversation_without_end_is_ended(server, client, tmp_path):
    model = Chat("tiny", cache=AnswerCache(tmp_path), client=client)

    def never_ends():
        while True:
            yield Ask("again")

    (result,) = converse(model, [never_ends()], usage_of="t")
    assert str(result) == f"a conversation must end within {MOST_TURNS} questions"
    assert server.count == 1


def test_a_row_may_ask_several_things_at_once(server, chat):
    def row():
        first, second = yield [Ask("a"), Ask("b")]
        none = yield []
        (third,) = yield [Ask(first.text + second.text)]
        return third.text, none

    assert converse(chat, [row(), row()], usage_of="t") == [("echo: echo: aecho: b", [])] * 2


def test_a_failure_can_be_looked_at(server, chat):
    server.respond = lambda asked: refusal(400)

    def row():
        reply = yield Ask("a")
        return isinstance(reply, Failure)

    assert converse(chat, [row()], usage_of="t") == [True]


def test_an_unusable_answer_is_tried_again(server, chat):
    texts = {"good at once": 0, "good at last": 2, "never good": 9}
    asked_of = dict.fromkeys(texts, 0)

    def respond(asked):
        asked_of[asked.prompt] += 1
        return completion('{"score": 4}' if asked_of[asked.prompt] > texts[asked.prompt] else "hm")

    def row(text):
        found = yield from tries(Ask(text), read_json, try_num=3)
        return found["score"]

    server.respond = respond
    results = converse(chat, [row(text) for text in texts], usage_of="t")
    assert results[:2] == [4, 4]
    assert isinstance(results[2], UnusableAnswerError)
    assert str(results[2]) == "no answer could be used in 3 tries: the answer must hold JSON, got 'hm'"
    assert asked_of == {"good at once": 1, "good at last": 3, "never good": 3}


def test_tries_are_kept_apart_by_the_cache(server, client, tmp_path):
    """A rerun goes the same way through good and bad answers, and asks nothing."""
    server.respond = lambda asked: completion('{"a": 1}' if asked.number else "hm")

    def run():
        model = Chat("tiny", cache=AnswerCache(tmp_path), client=client)
        return converse(model, [tries(Ask("x"), read_json, try_num=3)], usage_of="t")

    assert run() == run() == [{"a": 1}]
    assert server.count == 2


def test_a_server_without_answer_is_not_tried_again(server, chat):
    server.respond = lambda asked: refusal(500)
    (result,) = converse(chat, [tries(Ask("x"), read_json, try_num=3)], usage_of="t")
    assert isinstance(result, NoAnswerError)
    assert server.count == 2  # the client's own retry


def test_a_stopped_batch_ends_and_closes_its_conversations(server, chat):
    server.latency = 30
    closed = []
    caught = []

    def row(number):
        try:
            yield Ask(str(number))
        finally:
            closed.append(number)

    def work():
        try:
            converse(chat, [row(number) for number in range(3)], usage_of="t")
        except Preempted as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while server.count < 3:
        time.sleep(0.01)
    interrupt([thread])
    thread.join(5)
    assert not thread.is_alive()
    assert len(caught) == 1
    assert sorted(closed) == [0, 1, 2]


def test_a_text_that_is_none_is_unusable():
    with pytest.raises(UnusableAnswerError, match="must be a string, got list"):
        Answer([1.0]).text  # noqa: B018


def test_the_example_of_the_documentation_runs(server):
    page = (Path(__file__).resolve().parents[2] / "docs" / "language-models.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    server.respond = lambda asked: completion('```json\n{"dimension_scores": {"accuracy": 4,}}\n```')
    names: dict = {}
    exec(compile(block, "language-models.md", "exec"), names)
    assert names["scores"] == [{"accuracy": 4}] * 2
    assert server.requests[0].body["messages"][1]["content"] in (
        "## Data\na text\n\n## Your answer",
        "## Data\nanother\n\n## Your answer",
    )
