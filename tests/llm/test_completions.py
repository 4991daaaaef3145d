"""What stands in a server's answer: whole texts are taken, parts of one are not, and errors are errors."""

from __future__ import annotations

import json

import pytest

from djfast.errors import IncompleteAnswerError, NoAnswerError, UnusableAnswerError
from djfast.llm.asking import Answer, Ask, Failure
from djfast.llm.cache import AnswerCache
from djfast.llm.chat import Chat
from djfast.llm.conversations import converse, tries
from djfast.llm.retries import Retries
from djfast.llm.usage import METER, OpUsage
from tests.llm.server import Said, answer, completion, echo, refusal


@pytest.fixture
def chat(server, client) -> Chat:
    return Chat("tiny", cache=None, client=client, retries=Retries(most=2, first_seconds=0.01))


def one(chat):
    (reply,) = chat.answers(["hello"], usage_of="test")
    return reply


def test_thoughts_are_no_part_of_an_answer(server, chat):
    server.respond = lambda asked: completion("<think>no</think>\nyes", ends="stop")
    assert one(chat).text == "yes"


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "ye"}, {"type": "text", "text": "s"}],
        [{"type": "thinking", "thinking": [{"type": "text", "text": "no"}]}, {"type": "text", "text": "yes"}],
        [{"type": "reasoning", "text": "no"}, {"type": "output_text", "text": "yes"}],
        ["yes"],
        {"type": "text", "text": "yes"},
    ],
)
def test_a_list_of_parts_is_one_text(server, chat, content):
    server.respond = lambda asked: completion(content)
    assert one(chat).text == "yes"


FLAWS = {
    "cut off": (completion("A better ans", ends="length"), "cut off by the limit of tokens .finish_reason length.: raise"),
    "cut off, other words": (answer({"choices": [{"message": {"content": "A"}, "stop_reason": "max_tokens"}]}), "cut off by the"),
    "cut off, above": (answer({"done_reason": "length", "choices": [{"message": {"content": "A"}}]}), "cut off by the limit"),
    "filtered": (completion("A bett", ends="content_filter"), "withheld by the server's filter"),
    "filtered, nothing left": (completion(None, ends="content_filter"), "withheld by the server's filter"),
    "no end of thoughts": (completion("<think>well, "), "ends within the model's thoughts"),
    "no answer after thoughts": (completion("<think>well</think>\n"), "has the model's thoughts and nothing else"),
    "thoughts elsewhere": (completion(None, reasoning_content="well", ends="length"), "has thoughts .reasoning_content. and no"),
    "thoughts elsewhere, empty": (completion("", reasoning="well"), r"has thoughts \(reasoning\) and no text"),
    "thoughts in parts": (completion([{"type": "thinking", "thinking": "well"}]), "has thoughts and no text"),
    "refusal": (completion(None, refusal="I will not"), r"refused to answer \(refusal\): I will not"),
    "refusal in parts": (completion([{"type": "refusal", "refusal": "I will not"}]), "refused to answer .refusal.: I will not"),
    "filtered, no message": (answer({"choices": [{"message": None, "finish_reason": "content_filter"}]}), "withheld by"),
    "failed": (completion("A bet", ends="error"), "the server failed while it answered"),
    "tool": (completion(None, tool_calls=[{"id": "1"}], ends="tool_calls"), "calls a tool and has no text"),
}


@pytest.mark.parametrize(("said", "reason"), FLAWS.values(), ids=FLAWS)
def test_what_is_not_a_whole_answer_says_why(server, chat, said, reason):
    server.respond = lambda asked: said
    with pytest.raises(IncompleteAnswerError, match=reason):
        one(chat).text  # noqa: B018
    assert server.count == 1


@pytest.mark.parametrize(("said", "reason"), FLAWS.values(), ids=FLAWS)
def test_it_is_asked_for_again_and_counted(server, chat, said, reason):
    METER.take()
    server.respond = lambda asked: said if asked.number < 2 else completion("whole")
    assert converse(chat, [tries(Ask("x"), str.upper, try_num=3)], usage_of="t") == ["WHOLE"]
    usage = METER.take()["t"]
    assert (usage.requests, usage.incomplete, usage.unusable) == (3, 2, 2)


def test_in_the_end_the_row_has_no_answer(server, chat):
    server.respond = lambda asked: completion("A bett", ends="length")
    (result,) = converse(chat, [tries(Ask("x"), str.upper, try_num=2)], usage_of="t")
    assert type(result) is NoAnswerError
    assert str(result).startswith("no answer could be used in 2 tries: the answer was cut off")
    server.respond = lambda asked: completion("A bett", ends="length" if asked.number == 2 else "stop")
    (result,) = converse(chat, [tries(Ask("x"), int, try_num=2)], usage_of="t")
    assert type(result) is UnusableAnswerError  # the last one was whole


def test_a_decision_may_be_in_the_beginning(server, chat):
    server.respond = lambda asked: completion("Yes", ends="length")
    assert converse(chat, [tries(Ask("x"), str.upper, try_num=2, takes_beginning=True)], usage_of="t") == ["YES"]
    assert server.count == 1


def test_an_incomplete_answer_is_the_same_from_the_cache(server, client, tmp_path):
    server.respond = lambda asked: completion("A bett", ends="length")
    for is_cached in (False, True):
        METER.take()
        model = Chat("tiny", cache=AnswerCache(tmp_path), client=client)
        (reply,) = model.answers(["hello"], usage_of="t")
        assert (reply.beginning, reply.is_cached) == ("A bett", is_cached)
        with pytest.raises(IncompleteAnswerError, match="cut off"):
            reply.text  # noqa: B018
        assert METER.take()["t"].incomplete == 1
    assert server.count == 1


PASSING = {
    "rate limit": answer({"error": {"message": "Provider returned error: rate limited", "code": 429}}),
    "code in digits": answer({"error": {"message": "busy", "code": "503"}}),
    "code in words": answer({"error": {"message": "busy", "code": "rate_limit_exceeded", "type": "requests"}}),
    "error text": answer({"error": "upstream is overloaded"}),
    "in a list": answer([{"error": {"message": "busy", "code": 429}}]),
    "of the choice": answer({"choices": [{"error": {"message": "busy", "code": 502}, "finish_reason": "error", "message": {}}]}),
    "beside an answer": answer({"error": {"message": "busy"}, "choices": [{"message": {"content": "ha"}}]}),
    "flat": answer({"object": "error", "message": "busy", "code": 500}),
    "no choices": answer({"choices": []}),
    "null choices": answer({"choices": None}),
    "a null choice": answer({"choices": [None]}),
    "a choice without anything": answer({"choices": [{"index": 0, "message": None, "finish_reason": None}]}),
    "null": answer(None),
    "an empty list": answer([]),
    "an empty object": answer({}),
}


@pytest.mark.parametrize("said", PASSING.values(), ids=PASSING)
def test_an_error_in_an_answer_that_may_pass_is_tried_again(server, chat, said):
    server.respond = lambda asked: said if asked.number < 2 else echo(asked)
    assert one(chat) == Answer("echo: hello", (10, 5), retries=2)


LASTING = {
    "status": answer({"error": {"message": "too many tokens: 9", "code": 400}}),
    "words": answer({"error": {"message": "too many tokens: 9", "type": "invalid_request_error"}}),
    "flat": answer({"code": "InvalidParameter", "message": "too many tokens: 9", "request_id": "x"}),
}


@pytest.mark.parametrize("said", LASTING.values(), ids=LASTING)
def test_an_error_in_an_answer_that_lasts_is_final_and_in_the_servers_words(server, chat, said):
    server.respond = lambda asked: said
    reply = one(chat)
    assert isinstance(reply, Failure)
    assert "too many tokens: 9" in reply.reason
    assert server.count == 1


def test_an_error_that_does_not_pass_has_the_servers_words(server, chat):
    server.respond = lambda asked: PASSING["rate limit"]
    assert one(chat).reason.endswith("answered with an error 429: Provider returned error: rate limited (after 2 retries)")


@pytest.mark.parametrize(
    "said",
    [
        refusal(429, "You exceeded your current quota", code="insufficient_quota"),
        refusal(402, "pay first"),
        refusal(429, "Your credit balance is too low"),
        answer({"error": {"message": "gone", "type": "insufficient_quota", "code": 429}}),
        Said(json.dumps({"error": {"type": "insufficient_quota", "message": "no"}}).encode(), 403),
    ],
)
def test_a_quota_that_is_used_up_is_final(server, chat, said):
    server.respond = lambda asked: said
    assert isinstance(one(chat), Failure)
    assert server.count == 1


def test_a_members_named_error_without_one_is_no_error(server, chat):
    server.respond = lambda asked: answer({"error": None, "choices": [{"message": {"content": "yes", "refusal": None}}]})
    assert one(chat).text == "yes"


def test_an_answer_in_a_list_is_read(server, client):
    server.respond = lambda asked: answer([{"choices": [{"message": {"content": "yes"}}], "usage": {"prompt_tokens": 7}}])
    assert one(Chat("tiny", cache=None, client=client)) == Answer("yes", (7, 0))
    server.respond = lambda asked: answer([{"generated_text": "yes"}])
    assert one(Chat("tiny", cache=None, client=client, response_path="0.generated_text")).text == "yes"


def test_usage_adds_what_was_incomplete():
    assert OpUsage(incomplete=1, unusable=2).plus(OpUsage(incomplete=3)) == OpUsage(incomplete=4, unusable=2)
