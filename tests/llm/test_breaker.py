"""A server that answers nobody ends the run soon; one that comes back is found again."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import djfast
from djfast.errors import ServerLostError
from djfast.llm.asking import Answer, Ask, Failure
from djfast.llm.breaker import Breaker, Outcome, Patience
from djfast.llm.chat import Chat
from djfast.llm.retries import Retries
from tests.llm.server import Server, completion, echo, refusal

SOON = Retries(most=3, first_seconds=0.02, longest_seconds=0.2)


def chat(client, **options) -> Chat:
    return Chat("tiny", **{"cache": None, "client": client, "retries": SOON, **options})


def replies_of(model, count):
    """All replies, without the error that ends a run."""
    replies = {}
    is_done = threading.Event()

    def note(index, reply):
        replies[index] = reply
        if len(replies) == count:
            is_done.set()

    model.begin([model.prepare(Ask(f"ask {number}")) for number in range(count)], note)
    assert is_done.wait(20)
    return [replies[index] for index in range(count)]


def nobody() -> str:
    """An address at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


def noted(breaker, outcome, times, **how):
    for _ in range(times):
        breaker.note(outcome, **{"is_probe": False, "is_given_up": True, **how})
    return breaker.is_open, breaker.is_lost


def test_a_breaker_opens_and_probes_decide():
    breaker = Breaker(Patience(away=3, probes=4, first_probes=2))
    assert noted(breaker, Outcome.AWAY, 2) == (False, False)
    assert noted(breaker, Outcome.BUSY, 1) == (False, False)
    assert noted(breaker, Outcome.AWAY, 3) == (True, False)
    assert noted(breaker, Outcome.AWAY, 100) == (True, False)  # they were sent before
    assert noted(breaker, Outcome.AWAY, 1, is_probe=True) == (True, False)
    assert noted(breaker, Outcome.AWAY, 1, is_probe=True) == (True, True)
    assert noted(breaker, Outcome.ANSWERED, 1, is_probe=True) == (False, False)
    assert noted(breaker, Outcome.AWAY, 3) == (True, False)
    assert noted(breaker, Outcome.AWAY, 3, is_probe=True) == (True, False)  # it has answered before: it gets more time
    assert noted(breaker, Outcome.AWAY, 1, is_probe=True) == (True, True)
    assert noted(breaker, Outcome.AWAY, 1, is_probe=True) == (True, True)  # one more is enough, once it was lost
    assert noted(breaker, Outcome.BUSY, 1, is_probe=True) == (False, False)


def test_a_busy_server_is_asked_less_and_given_time():
    breaker = Breaker(Patience(busy=5, busy_probes=3, refused=1000, first_refused=1000))
    noted(breaker, Outcome.ANSWERED, 1)
    assert noted(breaker, Outcome.BUSY, 4) == (False, False)
    assert noted(breaker, Outcome.ANSWERED, 1) == (False, False)
    assert noted(breaker, Outcome.BUSY, 5) == (True, False)
    assert noted(breaker, Outcome.BUSY, 5, is_probe=True, is_alone=False) == (True, False)  # it may be busy with the others
    assert noted(breaker, Outcome.ANSWERED, 1) == (False, False)
    assert noted(breaker, Outcome.BUSY, 5) == (True, False)
    assert noted(breaker, Outcome.BUSY, 2, is_probe=True) == (True, False)
    assert noted(breaker, Outcome.BUSY, 1, is_probe=True) == (True, True)
    assert noted(breaker, Outcome.ANSWERED, 1, is_probe=True) == (False, False)


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.DECLINED, Outcome.BUSY])
def test_first_requests_that_are_all_refused_lose_the_server(outcome):
    breaker = Breaker(Patience(refused=10, first_refused=4))
    assert noted(breaker, outcome, 3) == (False, False)
    assert noted(breaker, Outcome.BUSY, 9, is_given_up=False) == (False, False)
    assert noted(breaker, outcome, 1) == (True, True)
    assert noted(breaker, Outcome.REFUSED, 1, is_probe=True) == (True, True)
    assert noted(breaker, Outcome.ANSWERED, 1, is_probe=True) == (False, False)
    assert noted(breaker, outcome, 9) == (False, False)
    assert noted(breaker, outcome, 1) == ((False, False) if outcome is Outcome.DECLINED else (True, True))


def test_a_server_that_is_not_there_gets_few_requests_and_ends_the_wait(client):
    started = time.monotonic()
    with pytest.raises(ServerLostError, match=r"^judge: 127\.0\.0\.1.* cannot be reached: .*so the run ends here") as caught:
        chat(client, base_url=nobody(), retries=Retries()).answers([str(i) for i in range(2000)], usage_of="judge")
    assert "retries" not in str(caught.value)
    assert time.monotonic() - started < 15
    started = time.monotonic()
    with pytest.raises(ServerLostError):  # and one probe is enough next time
        chat(client, base_url=nobody(), retries=SOON).answers([str(i) for i in range(200)], usage_of="judge")
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("status", [401, 403, 404, 400])
def test_a_server_that_refuses_everybody_ends_the_wait(server, client, status):
    server.respond = lambda asked: refusal(status, "no such key")
    with pytest.raises(ServerLostError, match=f"answered {status}: no such key"):
        chat(client).answers([str(i) for i in range(2000)], usage_of="judge")
    time.sleep(0.3)  # those that were on their way arrive
    assert server.count <= 64 + 16
    count = server.count
    with pytest.raises(ServerLostError):
        chat(client).answers(["a", "b", "c"], usage_of="judge")
    assert server.count == count + 1
    server.respond = echo
    assert len(chat(client).answers(["a", "b", "c"], usage_of="judge")) == 3


def test_rows_that_are_refused_between_others_are_their_own_affair(server, client):
    server.respond = lambda asked: refusal(400, "bad words") if asked.number % 20 else echo(asked)
    client.configure(in_flight=1)
    replies = chat(client).answers([str(i) for i in range(200)], usage_of="judge")
    assert sum(isinstance(reply, Failure) for reply in replies) == 190


def test_a_gateway_without_a_server_is_asked_by_probes_only(server, client):
    """All rows get their answers when the server is back, without a retry more than they have."""
    times = []
    back = time.monotonic() + 0.3

    def respond(asked):
        times.append(time.monotonic())
        return echo(asked) if asked.number == 0 or time.monotonic() > back else refusal(503, "starting")

    server.respond = respond
    model = chat(client, retries=SOON._replace(most=2))
    assert isinstance(model.answers(["first"], usage_of="t")[0], Answer)
    replies = replies_of(model, 64 + 8)
    assert sum(isinstance(reply, Answer) for reply in replies) == 64 + 8
    while_away = [moment for moment in times if moment < back]
    assert len(while_away) < 64 + 30


def test_a_server_that_goes_away_in_the_middle_ends_the_wait(client, monkeypatch):
    with Server(latency=0.01) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        model = chat(client)
        assert isinstance(model.answers(["a"], usage_of="t")[0], Answer)
    started = time.monotonic()
    with pytest.raises(ServerLostError):
        model.answers([str(i) for i in range(500)], usage_of="t")
    assert time.monotonic() - started < 10


def test_a_server_that_is_too_busy_for_everybody_gets_few_requests(server, client):
    server.respond = lambda asked: refusal(429, "slow down")
    with pytest.raises(ServerLostError, match="answered 429: slow down; "):
        chat(client).answers([str(i) for i in range(2000)], usage_of="judge")
    assert server.count < 64 + 64 + 20


def test_rows_outlive_a_limit_that_holds_for_a_while(server, client):
    """Nobody's retries are used up while a server says that it is too busy."""
    back = time.monotonic() + 0.5
    server.respond = lambda asked: echo(asked) if time.monotonic() > back else refusal(429)
    replies = replies_of(chat(client), 300)
    assert sum(isinstance(reply, Answer) for reply in replies) == 300


def test_a_given_up_probe_leaves_its_place_to_another(server, client):
    """Held requests do not wait for ever when the thread that asked the probe is stopped."""
    server.respond = lambda asked: refusal(503) if asked.number < 12 else echo(asked)._replace(seconds=0.5)
    model = chat(client, retries=SOON._replace(most=6))
    first, second = [], []
    cancel = model.begin([model.prepare(Ask(f"ask {i}")) for i in range(12)], lambda index, reply: first.append(reply))
    while server.count < 13:
        time.sleep(0.01)
    model.begin([model.prepare(Ask(f"other {i}")) for i in range(3)], lambda index, reply: second.append(reply))
    cancel()
    deadline = time.monotonic() + 10
    while len(second) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [isinstance(reply, Answer) for reply in second] == [True] * 3
    assert len(first) == 12


def test_a_closed_client_gives_up_what_is_held(server, client):
    server.respond = lambda asked: refusal(503)
    model = chat(client, retries=Retries(first_seconds=5))
    replies = []
    model.begin([model.prepare(Ask(f"ask {i}")) for i in range(100)], lambda index, reply: replies.append(reply))
    while server.count < 64:
        time.sleep(0.01)
    client.close()
    assert len(replies) == 100
    assert all(isinstance(reply, Failure) and reply.is_interrupted for reply in replies if not isinstance(reply, Answer))


def recipe(folder: Path, rows: int = 300, **more) -> Path:
    lines = "".join(json.dumps({"text": f"text {number}"}) + "\n" for number in range(rows))
    (folder / "in.jsonl").write_text(lines)
    (folder / "out").mkdir(exist_ok=True)
    (folder / "out" / "out.jsonl").write_text('{"text": "earlier"}\n')
    path = folder / "recipe.json"
    process = [{"llm_condition_filter": {"condition": "c"}}]
    said = {"dataset_path": "in.jsonl", "export_path": "out/out.jsonl", "process": process, "np": 2, **more}
    path.write_text(json.dumps(said))
    return path


@pytest.mark.parametrize("more", [{}, {"use_checkpoint": True}, {"max_errors": 1.0}])
@pytest.mark.parametrize("kind", ["away", "wrong key"])
def test_a_run_ends_early_and_leaves_the_earlier_result(server, tmp_path, kind, more):
    server.respond = lambda asked: refusal(401, "wrong key")
    path = recipe(tmp_path, **more)
    environment = {**os.environ, **({"OPENAI_BASE_URL": nobody()} if kind == "away" else {})}
    command = [sys.executable, "-m", "djfast", "run", str(path)]
    started = time.monotonic()
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert ("answered 401: wrong key" if kind == "wrong key" else "cannot be reached") in done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - started < 30
    assert server.count <= 100
    assert (tmp_path / "out" / "out.jsonl").read_text() == '{"text": "earlier"}\n'


def test_a_run_from_python_raises(server):
    server.respond = lambda asked: refusal(401)
    rows = [{"text": f"text {number}"} for number in range(200)]
    with pytest.raises(ServerLostError):
        djfast.Dataset.from_list(rows).process(djfast.load_ops([{"llm_condition_filter": {"condition": "c"}}])).to_list()


def test_a_few_rows_that_are_refused_are_rejected(server):
    """A handful of requests shows nothing about the others."""
    server.respond = lambda asked: refusal(401) if "bad" in asked.prompt else completion("yes")
    rows = [{"text": "bad"}] * 5 + [{"text": "good"}]
    data = djfast.Dataset.from_list(rows).process(djfast.load_ops([{"llm_condition_filter": {"condition": "c"}}]))
    assert data.to_list() == [{"text": "good"}]
    assert len(data.rejected) == 5
