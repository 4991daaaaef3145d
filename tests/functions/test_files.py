"""Files from a server that fails, breaks off, redirects and lies, and from a store that speaks S3."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.errors import RecipeError
from djfast.functions.fetching import file_name
from djfast.recipe import load_recipe

pytest.importorskip("aiohttp")


class Server(ThreadingHTTPServer):
    """Answers by the path that is asked for, and remembers what was asked and how many asked at once."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.asked: Counter[str] = Counter()
        self.now = self.most = 0
        self.lock = threading.Lock()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are part of the tests."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answers(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.asked[self.path] += 1
            self.server.now += 1
            self.server.most = max(self.server.most, self.server.now)
            times = self.server.asked[self.path]
        try:
            self.answer(self.path.partition("?")[0], times)
        finally:
            with self.server.lock:
                self.server.now -= 1

    def answer(self, path: str, times: int) -> None:
        if path.startswith("/slow"):
            time.sleep(0.05 if path == "/slow" or path[5:].isdigit() else 3)
        if path == "/missing" or (path == "/later" and times < 3) or path == "/never":
            self.send_error(404 if path == "/missing" else 503)
        elif path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", {"file": "file:///etc/passwd", "self": "/to/self"}.get(path[4:], "/" + path[4:]))
            self.end_headers()
        elif path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"half")
        elif path == "/endless":
            self.send_response(200)
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b"x" * 1000)
        else:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"content of {self.path}".encode())

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("djfast.functions.downloads._FIRST_PAUSE", 0.0)


@pytest.fixture(autouse=True)
def everything_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers and files of these tests are of this machine."""
    monkeypatch.setenv("DJFAST_LOCAL_ROOTS", "*")


def processed(op: str, values: list[Any], **params: Any) -> djfast.Dataset:
    rows = [{"text": "", "id": number, "f": value} for number, value in enumerate(values)]
    return djfast.Dataset.from_list(rows).process(djfast.load_ops([{op: params}]))


def contents(values: list[Any], **params: Any) -> list[Any]:
    dataset = processed("download_file_mapper", values, download_field="f", save_field="c", **params)
    rows = dataset.to_list()
    assert dataset.rejected == []
    assert [row["f"] for row in rows] == values
    return [row.get("c") for row in rows]


def test_texts_and_lists_keep_their_form(server: Server, tmp_path: Path) -> None:
    local = tmp_path / "é.bin"
    local.write_bytes(b"\x00\xff")
    values = [f"{server.url}/a", [f"{server.url}/a", None, str(local), str(tmp_path)], [], None]
    assert contents(values) == [b"content of /a", [b"content of /a", None, b"\x00\xff", None], [], None]
    assert server.asked["/a"] == 1


@pytest.mark.parametrize(
    ("path", "content", "asked"),
    [
        ("/later", b"content of /later", 3),
        ("/never", None, 3),
        ("/missing", None, 1),
        ("/cut", None, 3),
        ("/to/there", b"content of /there", 1),
        ("/to/file", None, 1),
        ("/to/self", None, 11),
    ],
)
def test_servers_are_asked_again_only_where_it_may_help(server: Server, path: str, content: bytes | None, asked: int) -> None:
    assert contents([server.url + path]) == [content]
    assert server.asked[path] in (asked, asked - 1)


@pytest.mark.parametrize(
    "place", ["file:///etc/hostname", "ftp://127.0.0.1/x", "http://", "http://[", "http://127.0.0.1:1/x", "\x00", ""]
)
def test_other_schemes_and_bad_addresses_fail_alone(server: Server, place: str) -> None:
    assert contents([place, f"{server.url}/a"]) == [None, b"content of /a"]


def test_a_file_is_not_larger_than_allowed(server: Server, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 51)
    assert contents([f"{server.url}/endless", str(tmp_path / "large"), f"{server.url}/a"], max_bytes=50) == [
        None,
        None,
        b"content of /a",
    ]


def test_a_slow_server_costs_no_more_than_the_time_limit(server: Server) -> None:
    started = time.monotonic()
    assert contents([f"{server.url}/slowly"], timeout=1, retries=0) == [None]
    assert time.monotonic() - started < 2.5


def test_files_are_fetched_at_once_but_not_all(server: Server) -> None:
    values = [f"{server.url}/slow{number}" for number in range(12)]
    assert all(contents(values, max_concurrent=4))
    assert 2 <= server.most <= 4


def test_files_are_kept_under_names_that_tell_addresses_apart(server: Server, tmp_path: Path) -> None:
    values = [[f"{server.url}/x/photo.jpg", f"{server.url}/y/photo.jpg?size=2", "local.jpg"], f"{server.url}/missing"]
    for _ in range(2):
        dataset = processed("download_file_mapper", values, download_field="f", save_dir=str(tmp_path / "new" / "folder"))
        rows = dataset.to_list()
    first, second, local = rows[0]["f"]
    assert (local, rows[1]["f"]) == ("local.jpg", values[1])
    assert Path(first).read_text() == "content of /x/photo.jpg"
    assert Path(second).read_text() == "content of /y/photo.jpg?size=2"
    assert {Path(first).name, Path(second).name} == {file_name(values[0][0]), file_name(values[0][1])}
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == sorted((Path(first).name, Path(second).name))
    assert server.asked["/x/photo.jpg"] == 1, "a file that is there is not fetched again"
    assert "c" not in rows[0]


@pytest.mark.parametrize("path", ["/cut", "/endless"])
def test_no_half_file_is_left(server: Server, tmp_path: Path, path: str) -> None:
    row = processed(
        "download_file_mapper", [server.url + path], download_field="f", save_dir=str(tmp_path), max_bytes=500
    ).to_list()
    assert row[0]["f"] == server.url + path
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("place", "start", "end"),
    [
        ("http://h/a/photo.jpg", "photo-", ".jpg"),
        ("http://h/", "file-", ""),
        ("http://h/..%2F..%2Fetc%2Fpasswd", "passwd-", ""),
        ("http://h/.hidden", "hidden-", ""),
        ("http://h/" + "é" * 300 + "." + "x" * 300, "_-", "." + "x" * 100),
        ("s3://bucket/a b.tar.gz", "a_b.tar-", ".gz"),
    ],
)
def test_names_of_files_are_safe_and_short(place: str, start: str, end: str) -> None:
    name = file_name(place)
    assert (name[: len(start)], name[len(name) - len(end) :]) == (start, end)
    assert "/" not in name
    assert len(name) < 230


def test_contents_that_are_there_are_kept_only_on_request(server: Server) -> None:
    rows = [
        {"text": "", "f": [f"{server.url}/a", f"{server.url}/b"], "c": [b"KEPT", None]},
        {"text": "", "f": f"{server.url}/a", "c": ["x"]},
    ]
    params = {"download_field": "f", "save_field": "c"}
    strict = djfast.Dataset.from_list(rows).process(djfast.load_ops([{"download_file_mapper": params}]))
    assert strict.to_list() == []
    assert "save_field is there already; resume_download" in strict.rejected[0].reason
    resumed = djfast.Dataset.from_list(rows).process(
        djfast.load_ops([{"download_file_mapper": {**params, "resume_download": True}}])
    )
    assert resumed.to_list()[0]["c"] == [b"KEPT", b"content of /b"]
    assert [bad.line for bad in resumed.rejected] == [2]
    assert server.asked == {"/b": 1}
    for known in ([], [b"KEPT", b"KEPT", None]):  # of other files
        rows = [{"text": "", "f": [f"{server.url}/a", f"{server.url}/b"], "c": known}]
        anew = djfast.Dataset.from_list(rows).process(
            djfast.load_ops([{"download_file_mapper": {**params, "resume_download": True}}])
        )
        assert anew.to_list()[0]["c"] == [b"content of /a", b"content of /b"]


@pytest.mark.parametrize("value", [5, {"a": 1}, [["nested"]], [5], True])
def test_what_is_no_place_rejects_its_row_alone(server: Server, value: Any) -> None:
    dataset = processed("download_file_mapper", [value, f"{server.url}/a"], download_field="f")
    assert [row["image_bytes"] for row in dataset.to_list()] == [b"content of /a"]
    assert [(bad.line, "a string or a list of strings" in bad.reason) for bad in dataset.rejected] == [(1, True)]


# S3.


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, dict[str, Any]]]:
    """A bucket in a store on this machine, and the parameters that lead to it."""
    pytest.importorskip("s3transfer")
    moto_server = pytest.importorskip("moto.server")
    from botocore.session import Session

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    running = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    address, port = running.get_host_and_port()
    url = f"http://{address}:{port}"
    client = Session().create_client(
        "s3", endpoint_url=url, aws_access_key_id="made-up", aws_secret_access_key="HUNTER2", region_name="us-east-1"
    )
    client.create_bucket(Bucket="bucket")
    yield (
        client,
        {"endpoint_url": url, "aws_access_key_id": "made-up", "aws_secret_access_key": "HUNTER2", "aws_region": "us-east-1"},
    )
    running.stop()


def test_files_come_from_s3(store: tuple[Any, dict[str, Any]], tmp_path: Path) -> None:
    client, params = store
    client.put_object(Bucket="bucket", Key="a/é.txt", Body=b"from s3")
    client.put_object(Bucket="bucket", Key="large", Body=b"x" * 100)
    values = ["s3://bucket/a/é.txt", ["s3://bucket/no", "s3://bucket", "s3://bucket/large", "http://127.0.0.1:1/x"]]
    both = {**params, "download_field": "f", "save_dir": str(tmp_path), "save_field": "c", "max_bytes": 50}
    rows = processed("s3_download_file_mapper", values, **both).to_list()
    assert Path(rows[0]["f"]).read_bytes() == b"from s3"
    assert rows[1]["f"] == values[1]
    assert [row["c"] for row in rows] == [b"from s3", [None] * 4]
    assert len(list(tmp_path.iterdir())) == 1


def test_files_go_to_s3(store: tuple[Any, dict[str, Any]], tmp_path: Path) -> None:
    client, params = store
    for folder, content in (("x", b"first"), ("y", b"another")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_bytes(content)
    first, another, gone = str(tmp_path / "x" / "a.txt"), str(tmp_path / "y" / "a.txt"), str(tmp_path / "gone")
    given = {**params, "upload_field": "f", "s3_bucket": "bucket", "s3_prefix": "in/"}
    values = [first, [another, None, gone, "s3://other/b", "http://h/c"], 5]
    dataset = processed("s3_upload_file_mapper", values, **given)
    assert [row["f"] for row in dataset.to_list()] == ["s3://bucket/in/a.txt", values[1]]
    assert [bad.line for bad in dataset.rejected] == [3]
    assert client.get_object(Bucket="bucket", Key="in/a.txt")["Body"].read() == b"first"
    rows = processed("s3_upload_file_mapper", [another], **given, skip_existing=False, remove_local=True).to_list()
    assert rows[0]["f"] == "s3://bucket/in/a.txt"
    assert client.get_object(Bucket="bucket", Key="in/a.txt")["Body"].read() == b"another"
    assert Path(first).exists()
    assert not Path(another).exists()


def test_no_credentials_are_an_error_before_the_run(store: tuple[Any, dict[str, Any]]) -> None:
    with pytest.raises(RecipeError, match="there are no credentials; set AWS_ACCESS_KEY_ID"):
        processed("s3_upload_file_mapper", ["x"], upload_field="f", s3_bucket="bucket").to_list()


def test_credentials_are_not_shown() -> None:
    process = [
        {"s3_download_file_mapper": {"download_field": "f", "aws_access_key_id": "KEYID9", "aws_secret_access_key": "HUNTER2"}}
    ]
    recipe = load_recipe({"dataset_path": "in.jsonl", "export_path": "out.jsonl", "process": process})
    [op] = recipe.ops
    seen = [
        repr(op),
        json.dumps(op.given()),
        json.dumps(recipe.text),
        *map(str, op.assign().values()),
        *map(repr, op.assign().values()),
    ]
    assert not [text for text in seen if "HUNTER2" in text or "KEYID9" in text]
    assert op.aws_secret_access_key == "HUNTER2"
    with pytest.raises(RecipeError) as raised:
        djfast.load_ops([{"s3_download_file_mapper": {"aws_secret_access_key": 4711}}])
    assert "4711" not in str(raised.value)


def test_an_upload_needs_a_bucket() -> None:
    with pytest.raises(RecipeError, match="s3_bucket must be given with upload_field, got None"):
        djfast.load_ops([{"s3_upload_file_mapper": {"upload_field": "f"}}])
