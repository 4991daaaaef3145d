"""A small Label Studio server for tests: projects, tasks and annotations, as its REST interface gives them."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Request(NamedTuple):
    """One request as it came."""

    method: str
    path: str
    body: Any
    authorization: str | None


def pairwise(side: str | None, **facts: Any) -> dict[str, Any]:
    """One annotation, with a side or none."""
    result = [] if side is None else [{"type": "pairwise", "from_name": "preference", "value": {"selected": side}}]
    return {"id": 1, "result": result, **facts}


class LabelStudioServer:
    """Serves in threads of its own while the ``with`` block runs.

    `annotate` says what people have done to a task, given its data and how often it was looked at; `refuse` may give a status
    instead of an answer.
    """

    def __init__(self) -> None:
        self.annotate: Callable[[dict[str, Any], int], list[Any]] = lambda data, looks: [pairwise("left")]
        self.refuse: Callable[[Request], int | None] = lambda request: None
        self.requests: list[Request] = []
        self.projects: dict[int, dict[str, Any]] = {}
        self.tasks: dict[int, dict[str, Any]] = {}
        self._looks: dict[int, int] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> LabelStudioServer:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def paths(self, method: str) -> list[str]:
        return [request.path for request in self.requests if request.method == method]

    def answer(self, request: Request) -> tuple[int, Any]:
        with self._lock:
            self.requests.append(request)
            status = self.refuse(request)
            if status is not None:
                return status, {"detail": f"refused {request.authorization}"}
            if request.path == "/api/token/refresh/":
                return 200, {"access": "access-for-minutes"}
            if request.path == "/api/projects/":
                number = 10 + len(self.projects)
                self.projects[number] = request.body
                return 201, {"id": number, **request.body}
            if found := re.fullmatch(r"/api/projects/(\d+)/import\?return_task_ids=true", request.path):
                numbers = [1000 + len(self.tasks) + at for at in range(len(request.body))]
                for number, task in zip(numbers, request.body):
                    self.tasks[number] = {"project": int(found[1]), **task}
                return 201, {"task_count": len(numbers), "task_ids": numbers}
            if found := re.fullmatch(r"/api/tasks/(\d+)/", request.path):
                number = int(found[1])
                self._looks[number] = self._looks.get(number, 0) + 1
                annotations = self.annotate(self.tasks[number]["data"], self._looks[number])
                return 200, {"id": number, **self.tasks[number], "annotations": annotations}
            return 404, {"detail": "not found"}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def _reply(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                status, answer = outer.answer(Request(self.command, self.path, body, self.headers.get("Authorization")))
                said = json.dumps(answer).encode()
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", outer.url + "/elsewhere")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            do_GET = do_POST = _reply

        return Handler
