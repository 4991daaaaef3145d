"""Files from the web, many at a time."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from djfast.access import Access, current, is_public, refused_host
from djfast.functions.fetching import LOG, Wish, answers, check_size, file_name, shown, written_at_once
from djfast.records import NamedTuple

_WEB = re.compile(r"https?://", re.IGNORECASE)
_CHUNK = 2**16
_MOST_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FIRST_PAUSE = 0.5  # seconds; doubles with every attempt


class Line(NamedTuple):
    """How servers are asked."""

    seconds: float  # for one request in all
    at_once: int
    retries: int


class _Later(Exception):
    """The server may answer another time."""


def bind_downloaded_files(*, wish: Sequence[Any], line: Sequence[Any]) -> Callable[[list[str], list[str]], list[Any]]:
    """Return the function that fetches what rows name from the web, for all rows of a batch at once."""
    wanted, how, access = Wish(*wish), Line(*line), current()

    def fetch(urls: Sequence[str]) -> Mapping[str, Path | bytes]:
        # A thread of its own: where this is called, a loop may be running already.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, _fetched(urls, wanted, how, access)).result()

    return lambda places, contents: answers(places, contents, wanted, _WEB, fetch, access)


async def _fetched(urls: Sequence[str], wish: Wish, line: Line, access: Access) -> dict[str, Path | bytes]:
    import aiohttp

    places = asyncio.Semaphore(line.at_once)
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=line.seconds),
        connector=aiohttp.TCPConnector(limit=line.at_once, resolver=_public_resolver(access)),
        headers={"Accept-Encoding": "identity", "User-Agent": "djfast"},
        auto_decompress=False,  # a small answer must not become a large one
        cookie_jar=aiohttp.DummyCookieJar(),
    ) as session:

        async def fetched(url: str) -> Path | bytes:
            path = None if wish.folder is None else Path(wish.folder) / file_name(url)
            if path is not None and path.is_file():
                return path
            for attempt in range(line.retries):
                try:
                    async with places:
                        return await _once(session, url, path, wish.max_bytes, access)
                except (_Later, aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, asyncio.TimeoutError):
                    await asyncio.sleep(_FIRST_PAUSE * 2**attempt)
            async with places:
                return await _once(session, url, path, wish.max_bytes, access)

        answered = await asyncio.gather(*map(fetched, urls), return_exceptions=True)
    found: dict[str, Path | bytes] = {}
    for url, got in zip(urls, answered):
        if isinstance(got, BaseException):
            LOG.warning("%s cannot be fetched: %s", shown(url), str(got) or type(got).__name__)
        else:
            found[url] = got
    return found


def _public_resolver(access: Access) -> Any:
    """Return what finds addresses of hosts, and only such as rows may ask. The connection is made to these and no others."""
    import aiohttp

    class Resolver(aiohttp.ThreadedResolver):
        async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> Any:
            found = await super().resolve(host, port, family)
            if access.allows_host(host, port):
                return found
            public = [each for each in found if is_public(each["host"])]
            if not public:
                raise refused_host()
            return public

    return Resolver()


async def _once(session: Any, url: str, path: Path | None, max_bytes: int, access: Access) -> Path | bytes:
    from yarl import URL

    for _ in range(_MOST_REDIRECTS):
        address = URL(url)  # as aiohttp reads it: digits and dots of other scripts are those of ASCII
        access.check_address(str(address))
        async with session.get(address, allow_redirects=False) as response:
            if response.status not in _REDIRECTS or "Location" not in response.headers:
                return await _content(response, path, max_bytes)
            url = urljoin(str(response.url), response.headers["Location"])
    raise ValueError(f"it redirects more than {_MOST_REDIRECTS} times")


async def _content(response: Any, path: Path | None, max_bytes: int) -> Path | bytes:
    if response.status in (408, 429) or response.status >= 500:
        raise _Later(f"status {response.status}")
    if not 200 <= response.status < 300:
        raise ValueError(f"status {response.status}")
    check_size(response.content_length or 0, max_bytes)
    content = bytearray()
    if path is None:
        async for chunk in response.content.iter_chunked(_CHUNK):
            content += chunk
            check_size(len(content), max_bytes)
        return bytes(content)
    size = 0
    with written_at_once(path) as file:
        async for chunk in response.content.iter_chunked(_CHUNK):
            size += len(chunk)
            check_size(size, max_bytes)
            file.write(chunk)
    return path
