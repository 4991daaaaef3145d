"""Measure the language-model client against a bare one, on a server of our own with a fixed latency.

    python -m bench.llm [--requests 4000] [--runs 3] [--in-flight 64] [--latency 0.05]

The server is a process of its own. The bare client is the same library in one loop, with as many requests in flight, no
retries, limits, cache or usage; what the server gives it is what there is. Every answer is checked before a time counts.
Gate: the client reaches 90 % of the bare one.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
GATE = 0.90


def bare(base_url: str, prompts: list[str], in_flight: int) -> list[str]:
    """Ask with the library alone."""
    import aiohttp

    answers = [""] * len(prompts)

    async def ask_all() -> None:
        waiting = iter(enumerate(prompts))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:

            async def worker() -> None:
                for index, prompt in waiting:
                    body = {"model": "tiny", "messages": [{"role": "user", "content": prompt}]}
                    async with session.post(f"{base_url}/chat/completions", json=body) as response:
                        answers[index] = (await response.json())["choices"][0]["message"]["content"]

            await asyncio.gather(*(worker() for _ in range(in_flight)))

    asyncio.run(ask_all())
    return answers


def ours(base_url: str, prompts: list[str], in_flight: int, cache_folder: str | None) -> list[str]:
    """Ask as an OP does."""
    from djfast.llm.asking import Ask
    from djfast.llm.cache import AnswerCache
    from djfast.llm.chat import Chat
    from djfast.llm.client import Client
    from djfast.llm.conversations import converse

    def row(prompt: str):  # type: ignore[no-untyped-def]
        answer = yield Ask(prompt)
        return answer.text

    client = Client(in_flight=in_flight)
    cache = AnswerCache(cache_folder) if cache_folder else None
    chat = Chat("tiny", base_url=base_url, cache=cache, client=client)
    try:
        return converse(chat, [row(prompt) for prompt in prompts], usage_of="bench")  # type: ignore[return-value]
    finally:
        client.close()


class Measured(NamedTuple):
    """Answers a second, and what one costs this process. The latter holds on a busy machine, too."""

    rate: float
    cpu_milliseconds: float


def measure(ask: Callable[[], list[str]], prompts: list[str]) -> Measured:
    """Time one way; the answers must be right."""
    started, cpu_started = time.perf_counter(), time.process_time()
    answers = ask()
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    assert answers == [f"echo: {prompt}" for prompt in prompts], "an answer is wrong"
    return Measured(len(prompts) / seconds, cpu_seconds / len(prompts) * 1e3)


def main() -> int:
    """Measure in turns, and print both and their ratio."""
    parser = argparse.ArgumentParser(description="Measure the language-model client.")
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.05)
    options = parser.parse_args()
    command = [sys.executable, "-m", "tests.llm.server", "--latency", str(options.latency)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert server.stdin is not None
    assert server.stdout is not None
    base_url = server.stdout.readline().strip()
    prompts = [f"question {number}: " + "some text to judge " * 20 for number in range(options.requests)]
    with tempfile.TemporaryDirectory() as folder:
        runs = iter(range(1_000_000))
        ways: dict[str, Callable[[], list[str]]] = {
            "bare client": lambda: bare(base_url, prompts, options.in_flight),
            "ours, no cache": lambda: ours(base_url, prompts, options.in_flight, None),
            "ours, empty cache": lambda: ours(base_url, prompts, options.in_flight, f"{folder}/{next(runs)}"),
        }
        for way in ways.values():  # warm up
            way()
        measured: dict[str, list[Measured]] = {name: [] for name in ways}
        for _ in range(options.runs):
            for name, way in ways.items():
                measured[name].append(measure(way, prompts))
        rerun = measure(lambda: ours(base_url, prompts, options.in_flight, f"{folder}/0"), prompts)
    server.stdin.close()
    print(f"server: {options.latency * 1e3:g} ms, most in flight: {server.stdout.read().strip()} of {options.in_flight}")
    server.wait()
    medians = {name: Measured(*map(statistics.median, zip(*runs))) for name, runs in measured.items()}
    bare_rate = medians["bare client"].rate
    for name, (rate, cpu) in [*medians.items(), ("rerun, all cached", rerun)]:
        print(f"{name:<18} {rate:8.0f} answers/s {rate / bare_rate:8.1%} of bare {cpu:8.3f} ms CPU an answer")
    return 0 if medians["ours, no cache"].rate >= GATE * bare_rate else 1


if __name__ == "__main__":
    sys.exit(main())
