"""Preferences of people: tasks for Label Studio, and what comes back."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from djfast.errors import NoAnswerError, RecipeError
from djfast.functions.language_models import text_in
from djfast.llm.interrupts import check_interrupted, interruptible
from djfast.records import NamedTuple

OP = "human_preference_annotation_mapper"
_URL, _KEY = "LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"
_REQUEST_SECONDS = 60.0
_LARGEST_ANSWER = 16 << 20
_LARGEST_CONFIG = 1 << 20
_ACCESS_SECONDS = 240.0  # Label Studio gives access for five minutes
_EXCERPT = 200

_LABEL_CONFIG = """<View>
  <Header value="Which answer is better?"/>
  <Text name="prompt" value="$prompt"/>
  <View style="display: grid; grid-template-columns: 1fr 1fr; column-gap: 1em">
    <Text name="answer1" value="$answer1"/>
    <Text name="answer2" value="$answer2"/>
  </View>
  <Pairwise name="preference" toName="answer1,answer2"/>
</View>
"""


class Refused(NoAnswerError):
    """The server answered, but not what it was asked for; `status` says why."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class LabelStudio:
    """The interface of a Label Studio server.

    Parameters
    ----------
    url : str or None
        Its address; None takes ``LABEL_STUDIO_URL``.
    key : str or None
        Its token, a lasting one or one that access is given for; None takes ``LABEL_STUDIO_API_KEY``, which goes to no other
        host than that of ``LABEL_STUDIO_URL``: a recipe may come from anywhere.

    Raises
    ------
    RecipeError
        If there is no address or token, or they cannot be used.
    """

    def __init__(self, url: str | None, key: str | None) -> None:
        trusted = os.environ.get(_URL, "").strip()
        if not url and not trusted:
            raise RecipeError(f"{OP}: api_url must be the address of a Label Studio server, or set {_URL}; got null")
        parts = _address(url, "api_url") if url else _address(trusted, _URL)
        self._url = urlunsplit(parts).rstrip("/")
        self.name = parts.netloc
        if not key:
            key = os.environ.get(_KEY, "").strip()
            if not key:
                raise RecipeError(f"{OP}: api_key must be a token of Label Studio, or set {_KEY}; got null")
            if not trusted or _address(trusted, _URL)[:2] != parts[:2]:
                origin = f"{parts.scheme}://{parts.netloc}"
                raise RecipeError(f"{OP}: {_KEY} is only sent to {_URL}: set {_URL}={origin} if you trust this server")
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise RecipeError(f"{OP}: api_key must be printable ASCII without spaces, got {len(key)} characters")
        self._key = str(key)
        self._gives_access = key.count(".") == 2  # a JSON web token, which is exchanged for one that lasts minutes
        self._access = ""
        self._access_until = 0.0
        self._lock = threading.Lock()
        # What is sent to an address goes nowhere else.
        self._opener = urllib.request.build_opener(_NoRedirects)

    def create_project(self, title: str, label_config: str) -> int:
        """Make a project; return its number."""
        return _number(self._call("POST", "/api/projects/", {"title": title, "label_config": label_config}), "id")

    def create_tasks(self, project: int, data: Sequence[Mapping[str, str]]) -> list[int]:
        """Make tasks; return their numbers in this order."""
        path = f"/api/projects/{project}/import?return_task_ids=true"
        answer = self._call("POST", path, [{"data": each} for each in data])
        numbers = answer.get("task_ids") if isinstance(answer, dict) else None
        if not isinstance(numbers, list) or len(numbers) != len(data) or not all(type(each) is int for each in numbers):
            raise NoAnswerError(f"{self.name} must give the number of each task that it made (task_ids), and did not")
        return numbers

    def annotations(self, task: int) -> list[Any]:
        """Return what people said about a task."""
        answer = self._call("GET", f"/api/tasks/{task}/")
        found = answer.get("annotations") if isinstance(answer, dict) else None
        return found if isinstance(found, list) else []

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the server.

        Raises
        ------
        Refused
            If it answers with an error.
        NoAnswerError
            If it does not answer, or no JSON.
        """
        return self._request(method, path, body, self._authorization())

    def _authorization(self) -> str:
        if not self._gives_access:
            return f"Token {self._key}"
        with self._lock:
            if time.monotonic() > self._access_until:
                answer = self._request("POST", "/api/token/refresh/", {"refresh": self._key}, None)
                access = answer.get("access") if isinstance(answer, dict) else None
                if not isinstance(access, str) or not access.isascii() or not access.isprintable():
                    raise NoAnswerError(f"{self.name} must give access for the token, and did not")
                self._access, self._access_until = access, time.monotonic() + _ACCESS_SECONDS
            return f"Bearer {self._access}"

    def _request(self, method: str, path: str, body: Any, authorization: str | None) -> Any:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if authorization:
            headers["Authorization"] = authorization
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data=data, headers=headers, method=method)
        try:
            with self._opener.open(request, timeout=_REQUEST_SECONDS) as response:
                answer = response.read(_LARGEST_ANSWER + 1)
        except urllib.error.HTTPError as error:
            with error:
                said = self._excerpt(error.read(_EXCERPT * 4).decode("utf-8", "replace"))
            raise Refused(f"{self.name} answered {error.code}{': ' + said if said else ''}", error.code) from None
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswerError(f"{self.name} cannot be reached: {self._excerpt(str(error))}") from None
        if len(answer) > _LARGEST_ANSWER:
            raise NoAnswerError(f"{self.name} must answer with at most {_LARGEST_ANSWER >> 20} MiB, and did not")
        try:
            return json.loads(answer)
        except (ValueError, RecursionError):
            raise NoAnswerError(f"{self.name} must answer with JSON, and did not") from None

    def _excerpt(self, text: str) -> str:
        """Return the beginning of what was said, on one line and without the token."""
        for secret in filter(None, (self._key, self._access)):
            text = text.replace(secret, "***")
        return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:_EXCERPT]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


class Project(NamedTuple):
    """Where tasks go: the project of a number, or a new one, made when the first row comes."""

    name_prefix: str
    label_config: str | None
    label_config_file: str | None
    number: int | None

    def interface(self) -> str:
        """Return the labelling interface.

        Raises
        ------
        RecipeError
            If its file cannot be read or is larger than 1 MiB.
        """
        if self.label_config or not self.label_config_file:
            return self.label_config or _LABEL_CONFIG
        try:
            with open(self.label_config_file, "rb") as file:
                text = file.read(_LARGEST_CONFIG + 1).decode("utf-8")
        except (OSError, ValueError) as error:
            raise RecipeError(f"{OP}: label_config_file must be a text file, got {self.label_config_file!r}") from error
        if len(text) > _LARGEST_CONFIG:
            raise RecipeError(f"{OP}: label_config_file must have at most 1 MiB, got {self.label_config_file!r}")
        return text


def bind_annotated_preference(
    server: Iterable[tuple[str, Any]],
    project: Iterable[tuple[str, Any]],
    waits: bool,  # noqa: FBT001 - a parameter of the OP
    timeout: float,
    poll_interval: float,
    max_tasks: int,
) -> Callable[..., list[Any]]:
    """Return the function of columns of the JSON of prompts and two answers that has people compare the answers.

    Returns
    -------
    callable
        Gives JSON objects, ``{"chosen": ..., "rejected": ...}``, empty ones for tasks that were skipped; and empty texts where
        nobody waits.
    """
    given = dict(server)
    studio = LabelStudio(given["api_url"], given["api_key"])
    place = Project(**dict(project))
    interface = place.interface()
    made: list[int] = [] if place.number is None else [place.number]
    lock = threading.Lock()

    def project_number() -> int:
        with lock:
            if not made:
                title = f"{place.name_prefix}_{time.strftime('%Y-%m-%d %H:%M:%S')}"
                made.append(studio.create_project(title, interface))
            return made[0]

    def annotated(prompts: Sequence[str], first: Sequence[str], second: Sequence[str]) -> list[Any]:
        results: list[Any] = [""] * len(prompts)
        tasks: dict[int, dict[str, str]] = {}
        for row, values in enumerate(zip(prompts, first, second)):
            try:
                tasks[row] = _task(*values)
            except (TypeError, ValueError) as error:
                results[row] = error
        numbers: dict[int, int] = {}
        rows = list(tasks)
        for begin in range(0, len(rows), max_tasks):
            check_interrupted()
            some = rows[begin : begin + max_tasks]
            try:
                numbers.update(zip(some, studio.create_tasks(project_number(), [tasks[row] for row in some])))
            except NoAnswerError as error:
                results = [error if row in some else result for row, result in enumerate(results)]
        if waits:
            for row, said in _awaited(studio, numbers, timeout=timeout, poll_interval=poll_interval).items():
                results[row] = said if isinstance(said, Exception) else _preference(said, tasks[row])
        return results

    return annotated


def _task(prompt: str, answer1: str, answer2: str) -> dict[str, str]:
    task = {"prompt": text_in(prompt), "answer1": text_in(answer1), "answer2": text_in(answer2)}
    if not task["answer1"] or not task["answer2"]:
        raise ValueError("the row must have two answers to compare")
    return task


def _awaited(
    studio: LabelStudio, tasks: Mapping[int, int], *, timeout: float, poll_interval: float
) -> dict[int, list[Any] | Exception]:
    """Return the annotations of tasks by their rows, or why there are none, when all are done or the time is over.

    Raises
    ------
    Preempted
        If the run was stopped meanwhile.
    """
    results: dict[int, list[Any] | Exception] = {}
    waiting = dict(tasks)
    deadline = time.monotonic() + timeout
    problem = ""
    stopped = threading.Event()
    with interruptible(stopped.set):
        while waiting:
            for row, task in tuple(waiting.items()):
                try:
                    found = studio.annotations(task)
                except Refused as error:
                    problem = f"; {error}"
                    if error.status == 404:  # somebody deleted it
                        results[row] = error
                        del waiting[row]
                    continue
                except NoAnswerError as error:
                    problem = f"; {error}"
                    break  # the others would only wait for the server, too
                if found:
                    results[row] = found
                    del waiting[row]
                check_interrupted()
            left = deadline - time.monotonic()
            if left <= 0:
                break
            if waiting:
                stopped.wait(min(poll_interval, left))
            check_interrupted()
    late = {row: TimeoutError(f"task {task} was not done within {timeout:g} s{problem}") for row, task in waiting.items()}
    return {**results, **late}


def _preference(annotations: Sequence[Any], task: Mapping[str, str]) -> str:
    """Return the preference of the first who had one, as JSON."""
    for annotation in annotations:
        if not isinstance(annotation, dict) or annotation.get("was_cancelled"):
            continue
        for region in annotation.get("result") or ():
            value = region.get("value") if isinstance(region, dict) else None
            side = value.get("selected") if isinstance(value, dict) else None
            if side in ("left", "right"):
                chosen, rejected = ("answer1", "answer2") if side == "left" else ("answer2", "answer1")
                return json.dumps({"chosen": task[chosen], "rejected": task[rejected]}, ensure_ascii=False)
    return "{}"


def _number(answer: Any, name: str) -> int:
    number = answer.get(name) if isinstance(answer, dict) else None
    if type(number) is not int:
        raise NoAnswerError(f"Label Studio must answer with a number as {name}, and did not")
    return number


def _address(url: str, what: str) -> SplitResult:
    """Return the parts of a server's address.

    Raises
    ------
    RecipeError
        If it is none; a password in it is not shown.
    """
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_address = False
    if not is_address or "@" in url or parts.query or parts.fragment or any(c.isspace() for c in url):
        shown = "" if "@" in url else f", got {url!r}"
        raise RecipeError(f"{OP}: {what} must be an address with http or https, and without user, password and query{shown}")
    return parts
