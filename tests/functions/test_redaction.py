"""Placeholders for personal and secret things."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import djfast
from djfast.errors import RecipeError
from djfast.functions import patterns, redaction


def _row(row: dict[str, Any], **params: Any) -> dict[str, Any]:
    [op] = djfast.load_ops([{"pii_redaction_mapper": params}])
    [redacted] = djfast.Dataset.from_list([row]).process(op).to_list(stats=True)
    return redacted


def _text(text: str, **params: Any) -> str:
    return _row({"text": text}, **params)["text"]


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("-----BEGIN RSA KEY-----\nabc\n-----END RSA KEY----- x", "[PEM_REDACTED] x"),
        ("-----BEGIN RSA KEY-----\nabc", "-----BEGIN RSA KEY-----\nabc"),
        ("-----END A----- -----BEGIN A-----", "-----END A----- -----BEGIN A-----"),
        ("eyJa.b.c eyJ.b.c xeyJa.b.c eyJabc.def", "[JWT_REDACTED] eyJ.b.c xeyJa.b.c eyJabc.def"),
        ("1.2.3.4 256.1.1.1 1.1.1.1.1 v1.2.3", "[IP_REDACTED] 256.1.1.1 [IP_REDACTED].1 v1.2.3"),
        ("[2001:db8::1]:80 [abc] [abc]d", "[IP_REDACTED] [abc] [IP_REDACTED]d"),
        ("00:1A:2B:3C:4D:5E 00-1a-2b-3c-4d-5e 00:1A", "[MAC_REDACTED] [MAC_REDACTED] 00:1A"),
        ("'/home/a b' =/var/log,/opt x/home/u /users/x", "'[PATH_REDACTED] b' =[PATH_REDACTED] x/home/u /users/x"),
        (r"C:\a D:\ e:\x)y \\srv\a b", "[PATH_REDACTED] [PATH_REDACTED] [PATH_REDACTED])y [PATH_REDACTED] b"),
        ("a@b.c a@b.co -a@b.co é@x.com aé@x.com 1@例.测试", "a@b.c [EMAIL_REDACTED] -[EMAIL_REDACTED] é@x.com"
         " [EMAIL_REDACTED] [EMAIL_REDACTED]"),
        ('token = "ab c" license-key: 7 my_token=9', 'token = "[REDACTED] c" license-key: [REDACTED] my_token=9'),
        ("PA\u017fSWORD=x", "PA\u017fSWORD=[REDACTED]"),
        ("user-id : 'x y' trace id:4", "user-id[ID_REDACTED] y' trace id:4"),
        ("channel: feishu channel: mailbox 当前的 channel：飞书", "channel: [CHANNEL_ID_REDACTED] channel: mailbox"
         " 当前的 channel：[CHANNEL_ID_REDACTED]"),
        ("uid_0123456789abcdef xu_abcdefghijklmnopqrs", "[CHANNEL_ID_REDACTED] xu_abcdefghijklmnopqrs"),
        ("13800138000 8613800138000 +1-4155551234", "[PHONE_REDACTED] 8613800138000 [PHONE_REDACTED]"),
        ("11010519491231002X 11010519491331002X", "[ID_CARD_REDACTED] 11010519491331002X"),
        ("https://x.y/z?token=9", "https://x.y/z?token=[REDACTED]"),
        ("", ""),
        ("数据 😀 nothing here", "数据 😀 nothing here"),
    ],
)  # fmt: skip
def test_texts_are_redacted_as_in_data_juicer(text: str, redacted: str) -> None:
    assert _text(text) == redacted


def test_links_are_replaced_when_asked_for_and_kinds_can_be_left_alone() -> None:
    assert _text("at https://x.y/z a@b.co", mask_urls=True, mask_emails=False) == "at [URL_REDACTED] a@b.co"


def test_placeholders_are_templates() -> None:
    assert _text("a@b.co /tmp/x", email_replacement=r"<\g<0>>", path_replacement="1") == "<a@b.co> 1"
    with pytest.raises(RecipeError, match=r"email_replacement must be a valid template .* got '\\\\7'"):
        _text("", email_replacement=r"\7")


def test_patterns_of_the_user_come_last(caplog: pytest.LogCaptureFixture) -> None:
    patterns = [[r"(\[EMAIL)_REDACTED", r"\1"], ["(", "x"]]
    assert _text("a@b.co", extra_patterns=patterns) == "[EMAIL]"
    assert "a pattern is left out" in caplog.text


def test_patterns_of_the_user_are_checked() -> None:
    with pytest.raises(RecipeError, match=r"extra_patterns must be pairs of a pattern and a template, got \['a'\]"):
        _text("", extra_patterns=[["a"]])
    with pytest.raises(RecipeError, match=r"extra_patterns must be a valid template for 'a'"):
        _text("", extra_patterns=[["a", r"\9"]])


def test_a_text_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patterns, "MOST_STEPS", 1_000_000)
    redact = redaction.bind_redacted_row("text", (), [("(a|aa)+$", "")], None, "messages", ())
    with pytest.raises(TimeoutError, match="more than 1,000,000 steps"):
        redact({"text": "a" * 80 + "b"})


def test_the_whole_row_is_looked_through() -> None:
    mail, clean = "me@x.io", "[EMAIL_REDACTED]"
    row = {
        "text": mail, "query": mail, "response": mail, "other": mail, "path": 5, "file": mail, "none": None,
        "list": [mail, 3, None, [mail], {"z": mail, "path": mail, "file_paths": [mail], "arguments": {"q": mail}}],
        "dialog_history": [[mail, "b", mail]],
        "messages": [
            {"content": mail, "name": mail, "tool_calls": [{"function": {"arguments": mail, "name": mail}}, 3, {}]},
            {"content": [{"text": mail, "content": mail, "other": mail}, mail]},
            mail,
            {"content": None},
        ],
        "images": [mail], "audios": [mail], "videos": [[mail]],
        "__dj__meta__": {"tags": [mail], "tag": mail},
    }  # fmt: skip
    assert _row(row) == {
        "text": clean, "query": clean, "response": clean, "other": mail, "path": 5, "file": clean, "none": None,
        "list": [clean, 3, None, [clean], {"z": mail, "path": clean, "file_paths": [clean], "arguments": {"q": mail}}],
        "dialog_history": [[clean, "b", clean]],
        "messages": [
            {"content": clean, "name": mail, "tool_calls": [{"function": {"arguments": clean, "name": mail}}, 3, {}]},
            {"content": [{"text": clean, "content": clean, "other": mail}, clean]},
            clean,
            {"content": None},
        ],
        "images": [mail], "audios": [mail], "videos": [[mail]],
        "__dj__meta__": {"tags": [clean], "tag": mail},
    }  # fmt: skip


def test_hashes_stay_as_they_are() -> None:
    redact = redaction.bind_redacted_row("text", [("email", "<E>")], [], None, "messages", ())
    assert redact({"__dj__hash": ["a@b.co"], "list": ["a@b.co"]}) == {"__dj__hash": ["a@b.co"], "list": ["<E>"]}


def test_fields_can_be_chosen() -> None:
    row = {"text": "a@b.co", "meta": {"note": "a@b.co"}, "messages": [{"content": "a@b.co"}], "pics": ["/tmp/a"]}
    assert _row(row, redact_keys=["meta.note"], image_key="pics") == {**row, "meta": {"note": "[EMAIL_REDACTED]"}}
    assert _row({"body": "a@b.co"}, text_key="body") == {"body": "[EMAIL_REDACTED]"}


def test_rows_without_texts_pass() -> None:
    for row in ({}, {"text": None}, {"text": 3, "messages": "a@b.co"}, {"messages": {"a": 1}}):
        assert _row(row) == {**row, **({"messages": "[EMAIL_REDACTED]"} if row.get("messages") == "a@b.co" else {})}


@pytest.mark.parametrize(
    "text",
    ["a" * 300_000 + " x@", "@" * 300_000, "a.@" * 100_000, "-----BEGIN A-----\n" * 20_000 + "-----END !", "/tmp" * 80_000,
     "1" * 300_000, "token" + " " * 300_000, "[" * 300_000, "0:" * 150_000],
)  # fmt: skip
def test_the_time_grows_with_the_text_alone(text: str) -> None:
    started = time.process_time()
    _text(text)
    assert time.process_time() - started < 5


@given(st.text(st.sampled_from("ab1é@.-_+ \n"), max_size=40))
def test_addresses_are_those_that_the_pattern_finds(text: str) -> None:
    [email] = [kind for kind in redaction._KINDS if kind.kind == "email"]
    found = redaction._with_emails_replaced(text, email.pattern, "<E>")
    assert found == email.pattern.sub("<E>", text)


PEM_PARTS = ["-----BEGIN A-----", "-----END A-----", "-----END ", "x", "\n", "-----"]


@given(st.lists(st.sampled_from(PEM_PARTS), max_size=12).map("".join))
def test_blocks_are_those_that_the_pattern_finds(text: str) -> None:
    [pem] = [kind for kind in redaction._KINDS if kind.kind == "pem"]
    assert redaction._with_blocks_replaced(text, pem.pattern, "<P>") == pem.pattern.sub("<P>", text)


@given(
    st.lists(st.sampled_from(["ou_" + "0f" * 16, "TO\u212aEN", "apİ_KEY", "ıd", "user_id", "=", ":", " ", "９" * 11, "x"]),
             max_size=8).map("".join)
)  # fmt: skip
def test_a_quick_look_never_misses_a_match(text: str) -> None:
    for kind in redaction._KINDS:
        if not kind.may_hold(text, text.casefold()):
            assert re.search(kind.pattern, text) is None, kind
