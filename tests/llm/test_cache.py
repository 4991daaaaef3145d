"""Answers on disk: a rerun asks nothing, many processes may write, and a damaged file gives no wrong answer."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import threading

import pytest

from djfast.errors import OutputError
from djfast.llm.asking import Answer, Ask
from djfast.llm.cache import AnswerCache, CacheSize, default_cache
from djfast.llm.chat import Chat
from tests.llm.server import completion


def question(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def test_an_answer_is_found_by_this_process_and_the_next(tmp_path):
    cache = AnswerCache(tmp_path / "a")
    assert cache.get(question("q")) is None
    assert cache.size() == CacheSize(0, 0, 0)
    assert not (tmp_path / "a").exists()
    cache.put(question("q"), b"answer")
    assert cache.get(question("q")) == b"answer"
    assert AnswerCache(tmp_path / "a").get(question("q")) == b"answer"
    assert AnswerCache(tmp_path / "a").size() == CacheSize(1, 46, 1)


def test_the_first_answer_stays(tmp_path):
    cache = AnswerCache(tmp_path)
    cache.put(question("q"), b"first")
    cache.put(question("q"), b"second")
    assert cache.get(question("q")) == b"first"
    assert cache.size().entries == 1


def test_only_the_owner_reads(tmp_path):
    AnswerCache(tmp_path / "a").put(question("q"), b"x")
    (file,) = (tmp_path / "a").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert (tmp_path / "a").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kept", [0, 1, 39, 40, 44])
def test_a_torn_end_is_skipped(tmp_path, kept):
    """A process that was killed while it wrote leaves a part of its last record."""
    cache = AnswerCache(tmp_path)
    cache.put(question("a"), b"whole")
    cache.put(question("b"), b"torn!")
    (file,) = tmp_path.iterdir()
    os.truncate(file, 45 + kept)
    again = AnswerCache(tmp_path)
    assert again.get(question("a")) == b"whole"
    assert again.get(question("b")) is None
    again.put(question("b"), b"anew")
    assert AnswerCache(tmp_path).get(question("b")) == b"anew"


@pytest.mark.parametrize("byte", [4, 8, 40, 44])
def test_a_damaged_record_is_no_answer(tmp_path, byte):
    AnswerCache(tmp_path).put(question("a"), b"right")
    (file,) = tmp_path.iterdir()
    damaged = bytearray(file.read_bytes())
    damaged[byte] ^= 1
    file.write_bytes(damaged)
    assert AnswerCache(tmp_path).get(question("a")) is None


@pytest.mark.parametrize("content", [b"", b"\0" * 4096, b"\xff" * 4096, b"text"])
def test_a_file_that_is_none_of_ours_is_skipped(tmp_path, content):
    (tmp_path / "odd.answers").write_bytes(content)
    cache = AnswerCache(tmp_path)
    assert cache.get(question("a")) is None
    cache.put(question("a"), b"x")
    assert AnswerCache(tmp_path).get(question("a")) == b"x"


def test_a_folder_that_is_emptied_meanwhile_costs_answers_only(tmp_path):
    AnswerCache(tmp_path).put(question("a"), b"x")
    cache = AnswerCache(tmp_path)
    assert cache.size().entries == 1
    cache.close()
    (file,) = tmp_path.iterdir()
    os.truncate(file, 0)
    assert cache.get(question("a")) is None
    file.unlink()
    cache.put(question("b"), b"y")
    assert AnswerCache(tmp_path).get(question("b")) == b"y"


def test_a_full_disk_ends_the_keeping_with_one_warning(tmp_path, caplog):
    (tmp_path / "file").write_bytes(b"")
    cache = AnswerCache(tmp_path / "file" / "folder")
    cache.put(question("a"), b"x")
    cache.put(question("b"), b"x")
    assert cache.get(question("a")) is None
    assert [record.getMessage() for record in caplog.records] == [
        f"answers of language models are kept no longer: {tmp_path}/file/folder: Not a directory"
    ]


def test_many_files_can_be_read(tmp_path):
    """More than may be open at once: a folder of many runs."""
    for number in range(150):
        with contextlib.closing(AnswerCache(tmp_path)) as cache:
            cache.put(question(str(number)), str(number).encode())
    cache = AnswerCache(tmp_path)
    assert [cache.get(question(str(number))) for number in range(150)] == [str(number).encode() for number in range(150)]
    assert cache.size().files == 150


def test_processes_and_threads_write_into_one_folder(tmp_path):
    code = (
        "import sys, threading\nfrom djfast.llm.cache import AnswerCache\nfrom tests.llm.test_cache import question\n"
        "cache = AnswerCache(sys.argv[1])\n"
        "def work(t):\n"
        "    for i in range(200):\n"
        "        cache.put(question(f'{sys.argv[2]} {t} {i}'), f'{sys.argv[2]} {t} {i}'.encode() * 20)\n"
        "threads = [threading.Thread(target=work, args=(t,)) for t in range(4)]\n"
        "[t.start() for t in threads], [t.join() for t in threads]"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(p)]) for p in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    cache = AnswerCache(tmp_path)
    assert (cache.size().entries, cache.size().files) == (2400, 3)
    for p in range(3):
        for t in range(4):
            for i in range(0, 200, 37):
                assert cache.get(question(f"{p} {t} {i}")) == f"{p} {t} {i}".encode() * 20


def test_threads_share_a_cache(tmp_path):
    cache = AnswerCache(tmp_path)
    wrong = []

    def work(t):
        for i in range(300):
            cache.put(question(f"{t} {i}"), f"{t} {i}".encode())
            if cache.get(question(f"{t} {i // 2}")) != f"{t} {i // 2}".encode():
                wrong.append((t, i))

    threads = [threading.Thread(target=work, args=(t,)) for t in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert cache.size().entries == 2400


def test_a_rerun_asks_nothing(server, tmp_path):
    asks = [f"prompt {i % 30}" for i in range(40)]
    first = Chat("tiny", cache=AnswerCache(tmp_path)).answers(asks, usage_of="t")
    assert server.count == 30  # equal questions of one batch are asked once
    again = Chat("tiny", cache=AnswerCache(tmp_path)).answers(asks, usage_of="t")
    assert server.count == 30
    assert [(a.value, a.tokens) for a in first] == [(a.value, a.tokens) for a in again]
    assert all(isinstance(a, Answer) and a.is_cached for a in again)


@pytest.mark.parametrize(
    "other",
    [
        {"model": "another"},
        {"sampling": {"temperature": 1}},
        {"prompt_version": "2"},
        {"endpoint": "/v2/chat"},
        {"response_path": "choices.0.message"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_question_is_asked(server, tmp_path, other):
    cache = AnswerCache(tmp_path)
    Chat("tiny", cache=cache).answers(["a"], usage_of="t")
    Chat(**{"model": "tiny", "cache": cache, **other}).answers(["a"], usage_of="t")
    assert server.count == 2


def test_another_try_or_schema_is_asked(server, tmp_path):
    chat = Chat("tiny", cache=AnswerCache(tmp_path))
    chat.answers(
        [Ask("a"), Ask("a", 2), Ask("a", schema={"type": "object"}), Ask([{"role": "user", "content": "a"}])], usage_of="t"
    )
    assert server.count == 3  # a text is one user message


def test_the_key_is_no_part_of_the_question_and_of_the_folder(server, tmp_path):
    Chat("tiny", cache=AnswerCache(tmp_path), api_key="sk-one-secret").answers(["a"], usage_of="t")
    Chat("tiny", cache=AnswerCache(tmp_path), api_key="sk-two-secret").answers(["a"], usage_of="t")
    assert server.count == 1
    assert not [file for file in tmp_path.iterdir() if b"secret" in file.read_bytes()]


def test_a_failure_is_not_kept(server, tmp_path):
    server.respond = lambda asked: completion(None)
    chat = Chat("tiny", cache=AnswerCache(tmp_path))
    chat.answers(["a"], usage_of="t")
    chat.answers(["a"], usage_of="t")
    assert server.count == 2


def test_the_environment_names_the_folder_or_switches_it_off(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("DJFAST_LLM_CACHE", raising=False)
    assert default_cache().folder == tmp_path / "djfast" / "llm"
    assert default_cache() is default_cache()
    monkeypatch.setenv("DJFAST_LLM_CACHE", str(tmp_path / "x"))
    assert default_cache().folder == tmp_path / "x"
    monkeypatch.setenv("DJFAST_LLM_CACHE", "off")
    assert default_cache() is None
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DJFAST_LLM_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="DJFAST_LLM_CACHE must name a folder or be off, got"):
        default_cache()


def test_without_a_cache_every_ask_is_a_request(server, monkeypatch):
    monkeypatch.setenv("DJFAST_LLM_CACHE", "off")
    Chat("tiny").answers(["a", "a"], usage_of="t")
    assert server.count == 2
