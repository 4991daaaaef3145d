"""The client: many requests in flight, failures that pass are retried, others are told, and nothing secret is shown."""

from __future__ import annotations

import gzip
import json
import logging
import subprocess
import sys
import threading
import time

import pytest

from djfast.errors import MissingExtraError, Preempted, RecipeError
from djfast.llm.asking import Answer, Ask, Failure
from djfast.llm.chat import Chat, Embeddings
from djfast.llm.client import Call, Client, Document, Limits, NoDocument
from djfast.llm.endpoint import Endpoint
from djfast.llm.interrupts import interrupt
from djfast.llm.retries import Retries
from tests.llm.conftest import KEY
from tests.llm.server import Said, Server, completion, echo, embedding, refusal

SOON = Retries(most=4, first_seconds=0.01, longest_seconds=0.2)


def chat(client: Client, **options) -> Chat:
    return Chat("tiny", **{"cache": None, "client": client, "retries": SOON, **options})


def one(client: Client, prompt="hello", **options):
    (reply,) = chat(client, **options).answers([prompt], usage_of="test")
    return reply


def failing(times: int, said: Said):
    return lambda asked: said if asked.number < times else echo(asked)


def test_an_answer_comes_with_its_tokens(server, client):
    server.respond = lambda asked: completion("yes", prompt_tokens=12, completion_tokens=1)
    assert one(client, sampling={"temperature": 0}) == Answer("yes", (12, 1))
    (asked,) = server.requests
    assert asked.path == "/v1/chat/completions"
    assert asked.body == {"model": "tiny", "messages": [{"role": "user", "content": "hello"}], "temperature": 0}
    assert asked.headers["Authorization"] == f"Bearer {KEY}"


def test_answers_come_in_the_order_of_asks(server, client):
    server.respond = lambda asked: echo(asked)._replace(seconds=0.05 if asked.prompt.endswith("0") else 0)
    replies = chat(client).answers([f"prompt {i}" for i in range(50)], usage_of="test")
    assert [reply.text for reply in replies] == [f"echo: prompt {i}" for i in range(50)]


def test_nothing_asked_is_nothing_answered(server, client):
    assert chat(client).answers([], usage_of="test") == []
    assert client.ask_all([]) == []
    assert server.count == 0


def test_unicode_goes_there_and_back(server, client):
    assert one(client, "你好 \U0001f600 \x00").text == "echo: 你好 \U0001f600 \x00"


def test_sixty_four_are_in_flight_and_no_more(server, client):
    server.latency = 0.4
    replies = chat(client).answers([str(i) for i in range(150)], usage_of="test")
    assert all(isinstance(reply, Answer) for reply in replies)
    assert server.most_in_flight == 64
    assert len(server.connections) <= 64


def test_the_limit_holds_over_all_threads_and_can_be_changed(server, client):
    client.configure(in_flight=5)
    server.latency = 0.1
    threads = [threading.Thread(target=chat(client).answers, args=(["a"] * 10,), kwargs={"usage_of": "t"}) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (server.count, server.most_in_flight) == (60, 5)
    client.configure(in_flight=20)
    chat(client).answers(["a"] * 60, usage_of="t")
    assert server.most_in_flight == 20


@pytest.mark.parametrize("number", [0, -1, 70_000, True, "many"])
def test_a_limit_that_cannot_be_is_refused(number):
    with pytest.raises(RecipeError, match="requests in flight must be"):
        Client(in_flight=number)


@pytest.mark.parametrize(
    "said",
    [
        refusal(429),
        refusal(500),
        refusal(503, Retry_After="0"),
        Said(b'{"choices": [', is_cut_off=True),
        Said(b'{"choices": ['),
        Said(b"<html>Bad gateway</html>", headers={"Content-Type": "text/html"}),
        Said(b"[" * 100_000),
        Said(b""),
    ],
    ids=["429", "500", "503", "cut off", "half an object", "html", "deep", "empty"],
)
def test_what_may_pass_is_tried_again(server, client, said):
    server.respond = failing(2, said)
    assert one(client) == Answer("echo: hello", (10, 5), retries=2)
    assert server.count == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_a_refusal_is_final(server, client, status):
    server.respond = lambda asked: refusal(status, "the model is not known")
    reply = one(client)
    assert isinstance(reply, Failure)
    assert f"/v1/chat/completions answered {status}: the model is not known" in reply.reason
    assert server.count == 1


def test_retries_end(server, client):
    server.respond = lambda asked: refusal(500, "overloaded")
    reply = one(client)
    assert (reply.retries, server.count) == (4, 5)
    assert reply.reason.endswith("answered 500: overloaded (after 4 retries)")


def test_a_server_that_is_not_there_is_named(server, client):
    reply = one(client, endpoint="http://127.0.0.1:9/v1/chat/completions", retries=SOON._replace(most=1))
    assert reply.reason.startswith("127.0.0.1:9/v1/chat/completions cannot be reached: ")


def test_a_slow_answer_is_given_up(server, client):
    server.respond = lambda asked: echo(asked)._replace(seconds=5 if asked.number == 0 else 0)
    started = time.monotonic()
    assert one(client, limits=Limits(seconds=0.2)).retries == 1
    assert time.monotonic() - started < 3


def test_a_redirect_is_not_followed(server, client):
    server.respond = lambda asked: Said(status=307, headers={"Location": server.base_url + "/elsewhere"})
    assert "redirects are not followed" in one(client).reason
    assert server.count == 1


def test_the_servers_wish_is_kept_by_all_requests(server, client):
    """After a 429 with Retry-After, nobody asks before its time: others would only be refused, too."""
    times = []

    def respond(asked):
        times.append(time.monotonic())
        return refusal(429, Retry_After="0.3") if asked.number == 0 else echo(asked)

    server.respond = respond
    client.configure(in_flight=1)
    replies = chat(client, retries=Retries(most=4, first_seconds=0.01, longest_seconds=5)).answers(["a", "b", "c"], usage_of="t")
    assert all(isinstance(reply, Answer) for reply in replies)
    assert times[1] - times[0] >= 0.3


def test_the_servers_wish_has_a_limit(server, client):
    server.respond = failing(1, refusal(429, Retry_After="100000"))
    started = time.monotonic()
    assert one(client).text == "echo: hello"
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("answer_bytes", [100, 1 << 20])
def test_an_answer_has_a_limit_in_bytes(server, client, answer_bytes):
    server.respond = lambda asked: completion("x" * 100_000)
    reply = one(client, limits=Limits(answer_bytes=answer_bytes))
    assert isinstance(reply, Answer) == (answer_bytes > 100_000)
    if isinstance(reply, Failure):
        assert reply.reason.endswith("the answer must have at most 100 bytes, got more")
        assert server.count == 1


def test_the_limit_counts_what_a_compressed_answer_unfolds_to(server, client):
    body = gzip.compress(completion("x" * 20_000_000).body)
    assert len(body) < 100_000
    server.respond = lambda asked: Said(body, headers={"Content-Encoding": "gzip"})
    assert one(client, limits=Limits(answer_bytes=1 << 20)).reason.endswith("must have at most 1048576 bytes, got more")
    assert len(one(client, limits=Limits(answer_bytes=30 << 20)).text) == 20_000_000


def test_a_missing_library_is_told(server, client, monkeypatch):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'djfast\[llm\]'"):
        one(client)


def test_a_forked_process_makes_its_own_client(server):
    """The parent's thread is not in the child."""
    code = (
        "import os, warnings\nfrom djfast.llm.chat import Chat\n"
        "warnings.simplefilter('ignore')\n"
        "ask = lambda: Chat('tiny', cache=None).answers(['a'], usage_of='t')[0].text\n"
        "assert ask() == 'echo: a'\n"
        "child = os.fork()\n"
        "if not child:\n"
        "    os._exit(0 if ask() == 'echo: a' else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0\n"
        "assert ask() == 'echo: a'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    assert server.count == 3


def test_a_response_path_leads_to_the_value(server, client):
    server.respond = lambda asked: Said(b'{"a": [{"b": "c"}]}')
    assert one(client, response_path="a.0.b").text == "c"
    assert one(client, response_path="a.1.b").reason.endswith("response_path a.1.b: a has no 1, but is a list of 1")
    assert one(client, response_path="x").reason.endswith("response_path x: the answer has no x, but keys a")


def test_an_answer_that_is_null_is_none(server, client):
    server.respond = lambda asked: completion(None)
    assert one(client).reason.endswith("leads to null")


def test_half_a_surrogate_pair_is_replaced(server, client):
    server.respond = lambda asked: Said(b'{"choices": [{"message": {"content": "a\\ud83d"}}]}')
    assert one(client).text == "a\N{REPLACEMENT CHARACTER}"


def test_an_embedding_is_a_list_of_numbers(server, client):
    server.respond = lambda asked: embedding([0.5, -1])
    model = Embeddings("tiny", cache=None, client=client, endpoint="embeddings")
    (reply,) = model.answers(["a text"], usage_of="test")
    assert reply == Answer([0.5, -1], (3, 0))
    assert (server.requests[0].path, server.requests[0].body) == ("/v1/embeddings", {"model": "tiny", "input": "a text"})
    server.respond = lambda asked: Said(b'{"data": [{"embedding": "AAAA"}]}')
    (reply,) = model.answers(["a text"], usage_of="test")
    assert reply.reason.endswith("must lead to a list of numbers")


def test_a_schema_is_sent_when_asked(server, client):
    schema = {"type": "object"}
    chat(client).answers([Ask("hello", schema=schema)], usage_of="test")
    assert server.requests[0].body["response_format"]["json_schema"]["schema"] == schema


@pytest.mark.parametrize("name", ["model", "messages", "stream", "n"])
def test_sampling_cannot_change_the_question(server, name):
    with pytest.raises(RecipeError, match=f"got {name}$"):
        Chat("tiny", sampling={name: 1})


def test_the_key_is_never_shown(server, client, caplog):
    """Not in replies, logs or representations, even when the server repeats it or cannot be reached."""
    caplog.set_level(logging.DEBUG)
    server.respond = lambda asked: refusal(401 if asked.number % 2 else 500, f"Incorrect API key provided: {KEY}")
    shown = [repr(one(client)), repr(one(client)), repr(chat(client).endpoint)]
    shown.append(repr(one(client, endpoint="http://127.0.0.1:9/x", api_key=KEY, retries=SOON._replace(most=0))))
    shown += [record.getMessage() for record in caplog.records]
    assert "Incorrect API key provided: ***" in shown[0] + shown[1]
    assert not [text for text in shown if KEY in text]


def test_a_password_in_an_address_is_sent_but_never_shown(server, client, caplog):
    caplog.set_level(logging.DEBUG)
    address = server.base_url.replace("//", "//someone:pa%20ss-word@") + "/chat/completions?token=hidden-token"
    server.respond = lambda asked: refusal(400, "pa ss-word and hidden-token")
    model = chat(client, endpoint=address)
    (reply,) = model.answers(["hello"], usage_of="test")
    asked = server.requests[0]
    assert asked.path.endswith("?token=hidden-token")
    shown = " ".join([repr(reply), repr(model.endpoint), *(record.getMessage() for record in caplog.records)])
    assert "ss-word" not in shown
    assert "hidden-token" not in shown


def test_a_user_and_password_become_a_header(server, client, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")
    one(client, base_url=server.base_url.replace("//", "//u:p@"))
    assert server.requests[0].headers["Authorization"] == "Basic dTpw"


@pytest.mark.parametrize("address", ["ftp://u:secretpw@host/x", "http://u:secretpw@/x", "http://u:secretpw@ho st/x", " ", "/"])
def test_an_address_that_is_none_is_refused_without_its_password(server, address):
    with pytest.raises(RecipeError, match=r"api_endpoint must be") as caught:
        Endpoint(address)
    assert "secretpw" not in str(caught.value)


def test_the_key_of_the_environment_goes_only_where_the_environment_says(server, client, monkeypatch):
    """A recipe may name any address; it must not collect keys."""
    with Server(lambda asked: refusal(401, "who are you?")) as elsewhere:
        reply = one(client, endpoint=elsewhere.base_url + "/chat/completions")
        assert "Authorization" not in elsewhere.requests[0].headers
        host = elsewhere.base_url.split("/")[2]
        assert f"set DJFAST_LLM_HOSTS={host} if you trust this one" in reply.reason
        one(client, endpoint=elsewhere.base_url + "/x", api_key="given")
        assert elsewhere.requests[1].headers["Authorization"] == "Bearer given"
        monkeypatch.setenv("DJFAST_LLM_HOSTS", f"other:1,{host}")
        one(client, endpoint=elsewhere.base_url + "/x")
        assert elsewhere.requests[2].headers["Authorization"] == f"Bearer {KEY}"


def test_the_key_is_not_sent_unencrypted_where_the_base_is_encrypted(server, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "https://models.example/v1")
    assert "Authorization" in Endpoint("/chat/completions").headers
    assert "Authorization" in Endpoint("https://models.example/v2/chat").headers
    assert "Authorization" not in Endpoint("http://models.example/v1/chat/completions").headers


def test_a_key_with_a_line_break_is_refused_without_showing_it(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-half\nsk-other")
    with pytest.raises(RecipeError, match="OPENAI_API_KEY must be printable ASCII") as caught:
        Endpoint("/chat/completions")
    assert "half" not in str(caught.value)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-end\n")
    assert Endpoint("/chat/completions").headers["Authorization"] == "Bearer sk-end"


def test_the_default_is_the_public_server(monkeypatch):
    for variable in ("OPENAI_BASE_URL", "OPENAI_API_URL", "DASHSCOPE_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    assert Endpoint("/chat/completions").url == "https://api.openai.com/v1/chat/completions"


def test_many_threads_share_the_loop(server, client):
    answers = {}
    before = set(threading.enumerate())

    def work(name):
        for turn in range(5):
            answers[name, turn] = [r.text for r in chat(client).answers([f"{name} {turn} {i}" for i in range(4)], usage_of="t")]

    threads = [threading.Thread(target=work, args=(name,)) for name in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.count == 400
    assert answers == {(name, turn): [f"echo: {name} {turn} {i}" for i in range(4)] for name in range(20) for turn in range(5)}
    assert [thread.name for thread in set(threading.enumerate()) - before] == ["djfast-llm"]


def test_a_failing_callback_does_not_end_the_loop(server, client, caplog):
    called = threading.Event()

    def bad(index, result):
        called.set()
        raise RuntimeError("a bug")

    call = Call(Endpoint("/chat/completions"), json.dumps({"messages": [{"content": "x"}]}).encode())
    client.begin([call], bad)
    assert called.wait(5)
    assert isinstance(client.ask_all([call])[0], Document)


def test_a_closed_client_gives_up_what_is_open_and_can_be_used_again(server, client):
    server.latency = 30
    results = []
    call = Call(Endpoint("/chat/completions"), json.dumps({"messages": [{"content": "x"}]}).encode())
    client.configure(in_flight=2)
    thread = threading.Thread(target=lambda: results.extend(client.ask_all([call] * 5)))
    thread.start()
    while server.count < 2:
        time.sleep(0.01)
    client.close()
    thread.join(5)
    assert not thread.is_alive()
    assert [isinstance(result, NoDocument) and result.is_interrupted for result in results] == [True] * 5
    server.latency = 0
    assert isinstance(client.ask_all([call])[0], Document)


def test_a_stopped_thread_waits_no_longer(server, client):
    server.latency = 30
    caught = []

    def wait():
        for _ in range(2):  # now, and when it asks again
            try:
                chat(client).answers(["a", "b"], usage_of="t")
            except Preempted as error:
                caught.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    while server.count < 2:
        time.sleep(0.01)
    interrupt([thread])
    thread.join(5)
    assert not thread.is_alive()
    assert len(caught) == 2
    server.latency = 0
    assert one(client).text == "echo: hello"


@pytest.mark.parametrize("works_in", ["main thread", "worker threads"])
def test_ctrl_c_does_not_hang(server, works_in):
    """A process that waits for slow answers ends soon after an interrupt."""
    server.latency = 60
    work = "Chat('tiny', cache=None).answers(['a'] * 100, usage_of='t')"
    code = f"from djfast.llm.chat import Chat\nprint('ready', flush=True)\n{work}"
    if works_in == "worker threads":
        code = (
            "from djfast.llm.chat import Chat\nfrom djfast.runners.workers import in_order\nprint('ready', flush=True)\n"
            f"list(in_order(range(4), lambda item: {work}, threads=2))"
        )
    # A shell starts what it runs in the background with interrupts ignored, and so these tests may have been started.
    heard = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    process = subprocess.Popen([sys.executable, "-c", heard + code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        while not server.count:
            time.sleep(0.01)
        started = time.monotonic()
        process.send_signal(2)
        _, errors = process.communicate(timeout=20)
        assert b"KeyboardInterrupt" in errors
        assert b"Unclosed" not in errors
        assert time.monotonic() - started < 10
    finally:
        process.kill()
        process.communicate()
