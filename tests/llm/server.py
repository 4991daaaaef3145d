"""A small language-model server for tests and measurements: it answers as a function says, also badly, and counts.

As a process of its own, for measurements: ``python -m tests.llm.server --latency 0.05`` prints its base URL and serves
until its standard input ends.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from aiohttp import web


class Asked(NamedTuple):
    """One request as it came; `number` counts from 0."""

    number: int
    path: str
    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def prompt(self) -> str:
        """What the user said last, or the input of an embedding; nothing where something is fetched."""
        if not self.body:
            return ""
        return self.body["messages"][-1]["content"] if "messages" in self.body else self.body["input"]


class Said(NamedTuple):
    """What the server does with a request."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = MappingProxyType({})
    seconds: float = 0.0
    is_cut_off: bool = False


def completion(
    text: Any, *, prompt_tokens: int = 10, completion_tokens: int = 5, ends: str | None = None, **message: Any
) -> Said:
    """A chat answer as servers give it; `ends` is its finish_reason, and the message may have further members."""
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    choice = {"message": {"role": "assistant", "content": text, **message}, **({"finish_reason": ends} if ends else {})}
    return answer({"choices": [choice], "usage": usage})


def answer(document: Any) -> Said:
    """Any document with status 200."""
    return Said(json.dumps(document).encode(), headers={"Content-Type": "application/json"})


def embedding(numbers: list[float]) -> Said:
    """An embedding as servers give it."""
    return Said(json.dumps({"data": [{"embedding": numbers}], "usage": {"prompt_tokens": 3}}).encode())


def refusal(status: int, message: str = "no", *, code: Any = None, **headers: str) -> Said:
    """An error; headers are named with underscores: ``Retry_After="1"``."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    error = {"message": message, **({"code": code} if code is not None else {})}
    return Said(json.dumps({"error": error}).encode(), status, named)


def echo(asked: Asked) -> Said:
    """Say what was said."""
    return completion(f"echo: {asked.prompt}")


class Server:
    """Serves in a thread of its own while the ``with`` block runs.

    Parameters
    ----------
    respond : callable
        What to do with each request.
    latency : float
        Seconds before each answer.
    """

    def __init__(self, respond: Callable[[Asked], Said] = echo, *, latency: float = 0.0, keeps_requests: bool = True) -> None:
        self.respond = respond
        self.latency = latency
        self.requests: list[Asked] = []
        self.count = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.connections: set[int] = set()
        self.base_url = ""
        self._keeps_requests = keeps_requests
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Server:
        self._thread.start()
        self.base_url = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> str:
        application = web.Application(client_max_size=64 << 20)
        application.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        return f"http://127.0.0.1:{port}/v1"

    async def _close(self) -> None:
        """Answer nobody any more: who asked is gone."""
        handlers = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for handler in handlers:
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            body = json.loads(await request.read() or b"{}")
            asked = Asked(self.count, request.path_qs, body, dict(request.headers) if self._keeps_requests else {})
            self.count += 1
            if self._keeps_requests:
                self.requests.append(asked)
                self.connections.add(id(request.transport))
            said = self.respond(asked)
            if self.latency or said.seconds:
                await asyncio.sleep(self.latency + said.seconds)
            if not said.is_cut_off:
                return web.Response(body=said.body, status=said.status, headers=said.headers)
            response = web.StreamResponse(headers={"Content-Length": str(len(said.body) + 100)})
            await response.prepare(request)
            await response.write(said.body)
            assert request.transport is not None
            request.transport.close()
            return response
        finally:
            self.in_flight -= 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--latency", type=float, default=0.05)
    options = parser.parse_args()
    with Server(latency=options.latency, keeps_requests=False) as server:
        print(server.base_url, flush=True)
        sys.stdin.read()
        print(server.most_in_flight, flush=True)


if __name__ == "__main__":
    main()
