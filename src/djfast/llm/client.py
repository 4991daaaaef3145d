"""Calls of language-model servers: one event loop in one thread of the process, shared by all worker threads.

Worker threads hand over calls and get replies by callback; nothing here waits on a disk or on an OP's code. A process-wide
number of requests is in flight; what waits for a retry is not.
"""

from __future__ import annotations

import asyncio
import atexit
import io
import json
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from djfast.errors import MissingExtraError, RecipeError
from djfast.llm.breaker import Breaker, Outcome
from djfast.llm.endpoint import Endpoint
from djfast.llm.interrupts import check_interrupted, interruptible
from djfast.llm.refusals import refusal_in, refusal_of, text_of
from djfast.llm.retries import DEFAULT_RETRIES, Retries, retry_after
from djfast.llm.run_settings import current, keep
from djfast.logs import logger
from djfast.records import NamedTuple

if TYPE_CHECKING:
    import aiohttp

_LOG = logger("llm")
_MOST_IN_FLIGHT = 65_536
_LARGE_BODY = 1 << 20
_AWAY = (502, 503, 504)  # a gateway or a loader answers for a server that is not there
_SETTINGS = (401, 402, 403, 404, 405, 407)  # other requests would be refused, too


class Limits(NamedTuple):
    """What one request may take."""

    seconds: float = 600.0
    connect_seconds: float = 30.0
    answer_bytes: int = 16 << 20


DEFAULT_LIMITS = Limits()


class Call(NamedTuple):
    """One request: a JSON body for an endpoint; without a body what lies there is fetched."""

    endpoint: Endpoint
    body: bytes
    retries: Retries = DEFAULT_RETRIES
    limits: Limits = DEFAULT_LIMITS


class Document(NamedTuple):
    """A server's answer, parsed."""

    document: Any
    retries: int


class NoDocument(NamedTuple):
    """Why there is no answer after all retries; `is_lost` where the server answers nobody."""

    reason: str
    retries: int
    is_interrupted: bool = False
    is_lost: bool = False


Result = Document | NoDocument
Done = Callable[[int, Result], None]


class _Passing(Exception):
    """A failure that may be over at the next try; `asked` is what the server says to wait, in seconds."""

    def __init__(self, reason: str, asked: float | None = None, *, outcome: Outcome = Outcome.BUSY) -> None:
        super().__init__(reason)
        self.asked = asked
        self.outcome = outcome


class _Final(Exception):
    """A failure that would come again."""

    def __init__(self, reason: str, *, outcome: Outcome = Outcome.DECLINED) -> None:
        super().__init__(reason)
        self.outcome = outcome


class _Pending:
    """One call on its way: waiting, in flight (`task`), before a retry, or done (`done` is None)."""

    __slots__ = ("call", "done", "index", "retries", "task")

    def __init__(self, index: int, call: Call, done: Done) -> None:
        self.index = index
        self.call = call
        self.done: Done | None = done
        self.retries = 0
        self.task: asyncio.Task[None] | None = None

    def finish(self, result: Result) -> None:
        if self.done is not None:
            done, self.done = self.done, None
            done(self.index, result)


class _Server:
    """What goes on with one server: its breaker, the probe on its way, and what is held back meanwhile."""

    __slots__ = ("breaker", "held", "may_probe", "probe", "running", "timer")

    def __init__(self) -> None:
        self.breaker = Breaker()
        self.held: deque[_Pending] = deque()
        self.running = 0  # requests on their way
        self.probe: _Pending | None = None
        self.may_probe = True  # whether the next request may be sent as a probe
        self.timer: asyncio.TimerHandle | None = None  # of the time from which it may

    def admits(self, each: _Pending) -> bool:
        """Whether a request may be sent; if not, it is held back."""
        if not self.breaker.is_open:
            return True
        if self.may_probe and self.probe is None:
            self.may_probe = False
            self.probe = each
            return True
        self.held.append(each)
        return False


class Client:
    """Keeps many requests in flight. Mostly one a process: `shared_client`.

    Parameters
    ----------
    in_flight : int
        Requests at the same time, over all threads and servers.
    """

    def __init__(self, *, in_flight: int = 64) -> None:
        self.in_flight = _checked(in_flight)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        # What follows is touched in the loop's thread only.
        self._waiting: deque[_Pending] = deque()
        self._later: set[_Pending] = set()  # before a retry, or a paused server
        self._running = 0
        self._servers: dict[str, _Server] = {}  # by origin
        self._paused: dict[str, float] = {}  # origin -> loop time before which it wants no requests
        self._session: aiohttp.ClientSession | None = None

    def configure(self, *, in_flight: int) -> None:
        """Set the number of requests in flight; more are sent at once, fewer as answers come."""
        self.in_flight = _checked(in_flight)
        with self._lock:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._fill)

    def begin(self, calls: Sequence[Call], done: Done) -> Callable[[], None]:
        """Send calls; `done` gets each one's index and result in the loop's thread, and must not wait.

        Returns what gives up the calls that are still open: each gets a result that says so.

        Raises
        ------
        MissingExtraError
            If the package aiohttp is missing.
        """
        pending = [_Pending(index, call, done) for index, call in enumerate(calls)]

        def take() -> None:
            self._waiting.extend(pending)
            self._fill()

        def give_up() -> None:
            for each in pending:
                each.finish(NoDocument("the run was stopped", each.retries, is_interrupted=True))
                if each.task is not None:
                    each.task.cancel()

        def cancel() -> None:
            try:
                loop.call_soon_threadsafe(give_up)
            except RuntimeError:  # the loop is closed: `close` gave everything up
                return

        with self._lock:  # so that `close` comes before or after, and no call is left behind
            loop = self._started()
            loop.call_soon_threadsafe(take)
        return cancel

    def ask_all(self, calls: Sequence[Call]) -> list[Result]:
        """Send calls and wait for all results, in order.

        Raises
        ------
        Preempted
            If the calling thread is interrupted.
        """
        results: list[Result | None] = [None] * len(calls)
        left = len(calls)
        is_done = threading.Event()

        def note(index: int, result: Result) -> None:
            nonlocal left
            results[index] = result
            left -= 1
            if not left:
                is_done.set()

        cancel = self.begin(calls, note)
        try:
            with interruptible(cancel):
                if calls:
                    is_done.wait()
            check_interrupted()
        finally:
            cancel()
        return results  # type: ignore[return-value]

    def close(self) -> None:
        """Give up what is open and end the thread. The next call starts another."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(lambda: loop.create_task(self._stop()))
        thread.join(timeout=5)

    def _started(self) -> asyncio.AbstractEventLoop:
        """Return the running loop; the caller holds the lock."""
        if self._loop is None:
            _require_aiohttp()
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._serve, args=(self._loop,), name="djfast-llm", daemon=True)
            self._thread.start()
        return self._loop

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            loop.close()

    async def _stop(self) -> None:
        held = [each for server in self._servers.values() for each in server.held]
        for each in (*self._waiting, *self._later, *held):
            each.finish(NoDocument("the client was closed", each.retries, is_interrupted=True))
        self._waiting.clear()
        self._later.clear()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None
        self._paused.clear()
        self._servers.clear()
        asyncio.get_running_loop().stop()

    def _fill(self) -> None:
        """Send what waits, as far as the limit allows."""
        loop = asyncio.get_running_loop()
        while self._waiting and self._running < self.in_flight:
            each = self._waiting.popleft()
            if each.done is None:
                continue
            pause = self._paused.get(each.call.endpoint.origin, 0.0) - loop.time()
            if pause > 0:
                self._queue_later(each, pause + each.call.retries.wait(each.call.body, each.retries) / 8)
                continue
            server = self._server_of(each)
            if not server.admits(each):
                continue
            server.running += 1
            self._running += 1
            each.task = loop.create_task(self._try(each))

    def _queue_later(self, each: _Pending, seconds: float) -> None:
        def queue() -> None:
            self._later.discard(each)
            # What was asked first is answered first: a batch waits for its last answer.
            self._waiting.appendleft(each)
            self._fill()

        self._later.add(each)
        asyncio.get_running_loop().call_later(seconds, queue)

    async def _try(self, each: _Pending) -> None:
        """Send one call once; then it is done, or waits for its next try."""
        result: Result = NoDocument("the client was closed", each.retries, is_interrupted=True)
        wait: float | None = None
        outcome: Outcome | None = None
        try:
            result = Document(await self._document(each.call), each.retries)
            outcome = Outcome.ANSWERED
        except _Passing as passing:
            result = NoDocument(str(passing), each.retries)
            outcome = passing.outcome
            if each.retries < each.call.retries.most:
                wait = each.call.retries.wait(each.call.body, each.retries, passing.asked)
                self._pause(each.call, passing.asked)
                _LOG.debug("%s; try again in %.1f s", passing, wait)
        except _Final as final:
            result = NoDocument(str(final), each.retries)
            outcome = final.outcome
        except Exception as error:  # a bug must not leave a thread waiting for ever
            _LOG.exception("a request to %s failed", each.call.endpoint.name)
            result = NoDocument(f"{each.call.endpoint.name}: {type(error).__name__} in the client", each.retries)
        finally:
            each.task = None
            self._running -= 1
            self._finish_or_wait(each, result, wait, outcome)
            self._fill()

    def _finish_or_wait(self, each: _Pending, result: Result, wait: float | None, outcome: Outcome | None) -> None:
        """Let the server's breaker know how a call went, and finish the call or have it wait for its next try."""
        server = self._server_of(each)
        server.running -= 1
        is_probe = server.probe is each
        if is_probe:
            server.probe = None
        if outcome is not None:
            server.breaker.note(outcome, is_probe=is_probe, is_given_up=wait is None, is_alone=not server.running)
        if server.breaker.is_lost and isinstance(result, NoDocument) and not result.is_interrupted:
            result, wait = _lost(result), None
            self._give_up_on(each.call.endpoint.origin, server, result)
        elif isinstance(result, NoDocument) and outcome in (Outcome.BUSY, Outcome.AWAY):
            result = result._replace(reason=f"{result.reason} (after {each.retries} retries)")
        if wait is None:
            each.finish(result)
        elif is_probe and outcome is Outcome.AWAY:  # which tells nothing of this call: it keeps its retries
            server.held.appendleft(each)
        elif each.done is not None:
            each.retries += 1
            self._queue_later(each, wait)
        self._mind(server, each.call)

    def _mind(self, server: _Server, call: Call) -> None:
        """Send all that is held back where the breaker is closed, else see to the next probe."""
        if server.breaker.is_open and not server.breaker.is_lost:
            if server.probe is None and server.timer is None:
                wait = call.retries.wait(call.body, server.breaker.probes)
                server.may_probe = False
                server.timer = asyncio.get_running_loop().call_later(wait, self._allow_probe, server)
            return
        server.may_probe = True
        if server.timer is not None:
            server.timer.cancel()
        if server.timer is not None or server.held:
            self._allow_probe(server)

    def _allow_probe(self, server: _Server) -> None:
        """Let what is held back try again to be sent: all of it or, where the breaker is open, the first as a probe."""
        server.timer = None
        server.may_probe = True
        self._waiting.extendleft(reversed(server.held))
        server.held.clear()
        self._fill()

    def _give_up_on(self, origin: str, server: _Server, result: NoDocument) -> None:
        """Finish all that waits for a server that is lost."""
        _LOG.info("%s", result.reason)
        for each in (*self._waiting, *self._later, *server.held):
            if each.call.endpoint.origin == origin:
                each.finish(result._replace(retries=each.retries))
        server.held.clear()

    def _server_of(self, each: _Pending) -> _Server:
        return self._servers.setdefault(each.call.endpoint.origin, _Server())

    def _pause(self, call: Call, asked: float | None) -> None:
        """Hold back all requests to a server that asks for time; else the others would only be refused, too."""
        if asked:
            until = asyncio.get_running_loop().time() + min(asked, call.retries.longest_seconds)
            self._paused[call.endpoint.origin] = max(until, self._paused.get(call.endpoint.origin, 0.0))

    async def _document(self, call: Call) -> Any:
        import aiohttp

        endpoint = call.endpoint
        timeout = aiohttp.ClientTimeout(total=call.limits.seconds, connect=call.limits.connect_seconds)
        try:
            async with self._opened().request(
                "POST" if call.body else "GET",
                endpoint.url,
                # Large bytes, sent as such, would hold up the loop; small ones are faster so.
                data=(call.body if len(call.body) < _LARGE_BODY else io.BytesIO(call.body)) or None,
                headers=endpoint.headers,
                proxy=endpoint.proxy,
                timeout=timeout,
                allow_redirects=False,  # a redirected POST would become a GET, or take the key elsewhere
            ) as response:
                body = await _read(response, call.limits.answer_bytes, endpoint)
                status, headers = response.status, response.headers
        except aiohttp.ConnectionTimeoutError as error:
            said = f"{endpoint.name} took no connection within {call.limits.connect_seconds:g} s"
            raise _Passing(said, outcome=Outcome.AWAY) from error
        except asyncio.TimeoutError as error:
            raise _Passing(f"{endpoint.name} did not answer within {call.limits.seconds:g} s") from error
        except aiohttp.InvalidURL as error:
            raise _Final(f"{endpoint.name} is no address that can be called", outcome=Outcome.REFUSED) from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise _Final(f"{endpoint.name}: its certificate is not trusted", outcome=Outcome.REFUSED) from error
        except (aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError) as error:
            raise _Passing(f"{endpoint.name} cut its answer off") from error
        except (aiohttp.ClientError, OSError) as error:
            said = f"{endpoint.name} cannot be reached: {endpoint.excerpt(str(error))}"
            raise _Passing(said, outcome=Outcome.AWAY) from error
        asked = retry_after(headers.get("Retry-After"))
        if status != 200:
            raise _refused(endpoint, status, body, asked)
        try:
            document = json.loads(body)
        except (ValueError, RecursionError) as error:
            kind = endpoint.excerpt(headers.get("Content-Type", "no content type"))
            raise _Passing(f"{endpoint.name} answered no JSON but {kind}: {endpoint.excerpt(text_of(body))!r}") from error
        if (refusal := refusal_in(document)) is not None:
            number = f" {refusal.status}" if refusal.status else ""
            reason = f"{endpoint.name} answered with an error{number}: {endpoint.excerpt(refusal.message)}"
            if refusal.is_passing:
                raise _Passing(reason, asked)
            is_for_all = refusal.is_used_up or refusal.status in _SETTINGS
            raise _Final(reason, outcome=Outcome.REFUSED if is_for_all else Outcome.DECLINED)
        return document

    def _opened(self) -> aiohttp.ClientSession:
        """Return the session; it is made in the loop's thread. Its own limit on connections is off: ours holds."""
        if self._session is None:
            import aiohttp

            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30, ttl_dns_cache=300)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


async def _read(response: aiohttp.ClientResponse, most: int, endpoint: Endpoint) -> bytes:
    """Read a body of at most `most` bytes, after decompression: a small answer may unfold to a huge one."""
    chunks: list[bytes] = []
    size = 0
    while chunk := await response.content.readany():
        size += len(chunk)
        if size > most:
            response.close()
            raise _Final(f"{endpoint.name}: the answer must have at most {most} bytes, got more")
        chunks.append(chunk)
    return b"".join(chunks)


def _refused(endpoint: Endpoint, status: int, body: bytes, asked: float | None) -> _Passing | _Final:
    """Return the error for an answer whose status is not 200."""
    refusal = refusal_of(body, status)
    said = endpoint.excerpt(refusal.message)
    reason = f"{endpoint.name} answered {status}{': ' + said if said else ''}"
    if refusal.is_passing:
        return _Passing(reason, asked, outcome=Outcome.AWAY if status in _AWAY else Outcome.BUSY)
    if 300 <= status < 400:
        return _Final(reason + "; redirects are not followed, give the final address", outcome=Outcome.REFUSED)
    is_for_all = refusal.is_used_up or status in _SETTINGS
    return _Final(reason + endpoint.remedy(status), outcome=Outcome.REFUSED if is_for_all else Outcome.DECLINED)


def _lost(result: NoDocument) -> NoDocument:
    """Return what all calls to a lost server get, with the reason of the one that showed that it is lost."""
    ends = "the requests before it fared no better, so the run ends here; answers that came are in the cache for the next run"
    return result._replace(reason=f"{result.reason}; {ends}", is_lost=True)


def _checked(in_flight: int) -> int:
    if type(in_flight) is not int or not 1 <= in_flight <= _MOST_IN_FLIGHT:
        raise RecipeError(f"requests in flight must be a number from 1 to {_MOST_IN_FLIGHT}, got {in_flight!r}")
    return in_flight


def _require_aiohttp() -> None:
    try:
        import aiohttp  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("a language-model server is called by the package aiohttp: pip install 'djfast[llm]'") from error


_shared: Client | None = None
_shared_lock = threading.Lock()


def shared_client() -> Client:
    """Return the client of this process; it keeps as many requests in flight as the run says."""
    global _shared
    in_flight = current().in_flight
    with _shared_lock:
        if _shared is None:
            _shared = Client(in_flight=in_flight)
        elif _shared.in_flight != in_flight:
            _shared.configure(in_flight=in_flight)
        return _shared


def configure(*, in_flight: int = 64) -> None:
    """Set how many requests this process keeps in flight; runs of recipes say so themselves.

    Raises
    ------
    RecipeError
        If the number is not from 1 to 65536.
    """
    keep(current()._replace(in_flight=_checked(in_flight)))
    shared_client()


def _forget() -> None:
    """Drop the client in a forked child, where its thread is not; the child makes its own when it asks."""
    global _shared, _shared_lock
    _shared, _shared_lock = None, threading.Lock()


def _close_shared() -> None:
    if _shared is not None:
        _shared.close()


os.register_at_fork(after_in_child=_forget)
atexit.register(_close_shared)
