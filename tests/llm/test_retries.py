"""When the next try comes."""

from __future__ import annotations

import pytest

from djfast.llm.retries import Retries, is_passing, retry_after

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


def test_waits_double_up_to_a_limit_and_depend_on_the_request_alone():
    retries = Retries(first_seconds=1, longest_seconds=10)
    waits = [retries.wait(b"a", number) for number in range(8)]
    for wait, whole in zip(waits, [1, 2, 4, 8, 10, 10, 10, 10]):
        assert whole / 2 <= wait <= whole
    assert waits == [retries.wait(b"a", number) for number in range(8)]
    assert waits != [retries.wait(b"b", number) for number in range(8)]
    assert retries.wait(b"a", 1_000_000) <= 10


def test_the_servers_wish_is_never_undercut_but_capped():
    retries = Retries(first_seconds=1, longest_seconds=10)
    assert 5 <= retries.wait(b"a", 0, 5.0) <= 6
    assert 10 <= retries.wait(b"a", 0, 1e9) <= 11
    assert retries.wait(b"a", 0, 0.0) == retries.wait(b"a", 0)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        (" 0.25 ", 0.25),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30),
        ("Tue, 14 Nov 2023 22:13:50 -0000", 30),
        ("Tue, 14 Nov 2023 23:13:50 +0100", 30),
        ("Tue, 14 Nov 2000 22:13:50 GMT", 0),
        (None, None),
        ("", None),
        ("-3", None),
        ("soon", None),
        ("٣", None),
        ("9" * 400, None),
        ("1e9", None),
    ],
)
def test_retry_after_is_read(header, seconds):
    assert retry_after(header, now=NOW) == seconds


def test_what_may_pass():
    assert [status for status in range(100, 600) if is_passing(status)] == [408, 425, 429, *range(500, 600)]
