"""Files elsewhere: the same rows as files here, read by ranges and ahead, and no secret in any message."""

from __future__ import annotations

import functools
import gzip
import http.server
import io
import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

import djfast
from djfast.errors import InputError, MissingExtraError
from djfast.io import remote
from djfast.io.read.files import discover
from djfast.io.remote import RemoteFile, open_binary, stat
from djfast.ranks.alone import Alone
from djfast.recipe.load import load_recipe
from djfast.runners.job.runner import Job
from djfast.runners.job.stopping import Stopping
from djfast.runners.progress import Progress

ROWS = [{"text": f"text {i} " + "ä" * (i % 50), "n": i} for i in range(3000)]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files with ranges and tags; some requests fail, some are slow."""

    ranges: list[str]
    fails = 0
    knows_ranges = True
    delay = 0.0
    refuses: tuple[int, int] = (0, 503)  # so many requests of any kind get this status
    says_length = True
    compresses = False

    def send_head(self) -> Any:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            return super().send_head()
        kind = type(self)
        if kind.refuses[0] > 0:
            kind.refuses = (kind.refuses[0] - 1, kind.refuses[1])
            self.send_error(kind.refuses[1])
            return None
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")) if kind.knows_ranges else None
        if wanted and kind.fails > 0:
            kind.fails -= 1
            self.send_error(503)
            return None
        data = path.read_bytes()
        time.sleep(kind.delay)
        if kind.compresses or not kind.says_length:
            self.send_response(200)
            if kind.compresses:
                data = gzip.compress(data)
                self.send_header("Content-Encoding", "gzip")
            if kind.says_length:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            return io.BytesIO(data)
        if wanted:
            kind.ranges.append(wanted[0])
            begin, end = int(wanted[1]), int(wanted[2])
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{min(end, len(data) - 1)}/{len(data)}")
            data = data[begin : end + 1]
        else:
            self.send_response(200)
        self.send_header("Accept-Ranges", "bytes" if kind.knows_ranges else "none")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", f'"{path.stat().st_mtime_ns}"')
        self.end_headers()
        return io.BytesIO(data)

    def log_message(self, *parts: Any) -> None:
        pass


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[Path, str, type[Handler]]]:
    folder = tmp_path / "web"
    folder.mkdir()
    handler = type("OwnHandler", (Handler,), {"ranges": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def memory() -> Iterator[Any]:
    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "BLOCK_BYTES", 1 << 14)
    monkeypatch.setattr(remote, "_stats", {})
    monkeypatch.setattr(remote, "_PAUSES", (0.0, 0.0))


def run(tmp_path: Path, where: str, **keys: Any) -> list[Any]:
    recipe = {"dataset_path": where, "np": 2, "process": [{"text_length_filter": {"min_len": 0}}], **keys}
    djfast.run({**recipe, "export_path": str(tmp_path / "local" / "out.jsonl")})
    job = {**recipe, "export_path": str(tmp_path / "job" / "out.jsonl"), "split_bytes": 10_000}
    Job(load_recipe(job), Alone(), progress=Progress(is_quiet=True), stopping=Stopping()).run()
    rows = [
        [json.loads(line) for line in (tmp_path / folder / "out.jsonl").read_text().splitlines()] for folder in ("local", "job")
    ]
    assert rows[0] == rows[1]
    return rows[0]


def test_lines(tmp_path: Path, web: tuple[Path, str, type[Handler]]) -> None:
    folder, address, handler = web
    (folder / "a.jsonl").write_bytes(LINES)
    assert run(tmp_path, f"{address}/a.jsonl") == ROWS
    assert len(handler.ranges) > 5
    record = json.loads((tmp_path / "local" / "out.run.json").read_text())
    assert record["inputs"] == [{"path": f"{address}/a.jsonl", "bytes": len(LINES)}]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_compressed_lines(tmp_path: Path, memory: Any, suffix: str) -> None:
    frames = [LINES[i : i + 20_000] for i in range(0, len(LINES), 20_000)]
    pack = gzip.compress if suffix == ".gz" else zstandard.ZstdCompressor().compress
    memory.pipe(f"/data/a.jsonl{suffix}", b"".join(map(pack, frames)))
    assert run(tmp_path, f"memory://data/a.jsonl{suffix}") == ROWS


def test_tables(tmp_path: Path, web: tuple[Path, str, type[Handler]]) -> None:
    folder, address, _ = web
    table = pa.Table.from_pylist(ROWS)
    pq.write_table(table, folder / "a.parquet", row_group_size=100)
    with pa.OSFile(str(folder / "b.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=100)
    (folder / "c.csv").write_text("text,n\n" + "".join(f"{row['text']},{row['n']}\n" for row in ROWS))
    for name in ("a.parquet", "b.arrow", "c.csv"):
        assert run(tmp_path / name, f"{address}/{name}") == ROWS


def test_folders_and_patterns(memory: Any) -> None:
    for name in ("b.jsonl", "deep/a.jsonl.gz", ".hidden/x.jsonl", "deep/.y.jsonl", "c.txt"):
        memory.pipe(f"/set/{name}", b"{}\n")
    assert [file.path for file in discover("memory://set", [])] == ["memory://set/b.jsonl", "memory://set/deep/a.jsonl.gz"]
    assert [file.path for file in discover("memory://set/*.jsonl", [])] == ["memory://set/b.jsonl"]
    assert [file.path for file in discover("memory://set/**/*.gz", [])] == ["memory://set/deep/a.jsonl.gz"]
    notices: list[str] = []
    assert [file.path for file in discover("memory://set/c.txt", [], notices)] == ["memory://set/c.txt"]
    with pytest.raises(InputError, match="no file or folder of this name, got 'memory://sett'"):
        discover("memory://sett", [])


def test_a_lost_connection_is_tried_again_but_not_for_ever(web: tuple[Path, str, type[Handler]]) -> None:
    folder, address, handler = web
    (folder / "a.jsonl").write_bytes(LINES)
    handler.fails = 2
    with open_binary(f"{address}/a.jsonl") as file:
        assert file.read() == LINES
    handler.fails = 10**9
    with open_binary(f"{address}/a.jsonl") as file, pytest.raises(InputError, match=r"cannot read http.*a\.jsonl"):
        file.read()


def test_a_server_that_is_busy_at_first_is_asked_again(tmp_path: Path, web: tuple[Path, str, type[Handler]]) -> None:
    folder, address, handler = web
    (folder / "a.jsonl").write_bytes(LINES)
    for status in (429, 500, 502, 503, 504):
        handler.refuses = (3, status)
        assert remote.is_file(f"{address}/a.jsonl")
        assert remote.stat(f"{address}/a.jsonl").size == len(LINES)
    handler.refuses = (2, 503)
    assert run(tmp_path, f"{address}/a.jsonl") == ROWS


@pytest.mark.parametrize(
    ("status", "said"), [(403, "403 Forbidden"), (401, "401 Unauthorized"), (503, "503 Service Unavailable")]
)
def test_the_status_of_a_refusal_is_named(web: tuple[Path, str, type[Handler]], status: int, said: str) -> None:
    folder, address, handler = web
    (folder / "a.jsonl").write_bytes(LINES)
    handler.refuses = (10**9, status)
    with pytest.raises(InputError, match=f"cannot read .*a.jsonl: the server answers {said}"):
        djfast.Dataset.from_files(f"{address}/a.jsonl").to_list()


@pytest.mark.parametrize("says_length", [True, False])
@pytest.mark.parametrize("compresses", [True, False])
def test_a_server_that_compresses_or_does_not_say_the_length(
    tmp_path: Path, web: tuple[Path, str, type[Handler]], says_length: bool, compresses: bool
) -> None:
    folder, address, handler = web
    (folder / "a.jsonl").write_bytes(LINES)
    handler.says_length, handler.compresses = says_length, compresses
    assert run(tmp_path, f"{address}/a.jsonl") == ROWS


def test_a_file_of_unknown_length_has_a_limit(web: tuple[Path, str, type[Handler]], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, address, handler = web
    (folder / "a.jsonl").write_bytes(LINES)
    handler.says_length = False
    monkeypatch.setattr(remote, "_LARGEST_WITHOUT_RANGES", 1000)
    with pytest.raises(InputError, match="does not say how long it is, and such a file may have at most"):
        remote.stat(f"{address}/a.jsonl")


def test_schemes_may_be_written_large(memory: Any, tmp_path: Path) -> None:
    memory.pipe("/a/b.jsonl", LINES)
    (tmp_path / "b.jsonl").write_bytes(LINES)
    for address in ("Memory://a/b.jsonl", f"FILE://{tmp_path}/b.jsonl"):
        assert len(djfast.Dataset.from_files(address).to_list()) == len(ROWS)


@pytest.mark.parametrize("address", ["sftp:///a.jsonl", "nope://a/b.jsonl", "webhdfs://"])
def test_a_file_system_that_cannot_be_made_is_one_error(address: str) -> None:
    with pytest.raises((InputError, MissingExtraError)):
        remote.stat(address)


def test_a_refused_connection_is_no_missing_file() -> None:
    with pytest.raises(InputError, match=r"cannot read .*: the server cannot be reached") as raised:
        remote.is_file("http://127.0.0.1:1/a.jsonl")
    assert type(raised.value) is InputError


def test_a_server_without_ranges(web: tuple[Path, str, type[Handler]], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, address, handler = web
    (folder / "a.jsonl").write_bytes(LINES)
    handler.knows_ranges = False
    with open_binary(f"{address}/a.jsonl") as file:
        assert file.read() == LINES
    monkeypatch.setattr(remote, "_LARGEST_WITHOUT_RANGES", 1000)
    with open_binary(f"{address}/a.jsonl") as file, pytest.raises(InputError, match="does not know ranges"):
        file.read()


def test_a_file_that_shrinks_while_it_is_read_is_an_error(web: tuple[Path, str, type[Handler]]) -> None:
    folder, address, _ = web
    (folder / "a.jsonl").write_bytes(LINES)
    file = RemoteFile(f"{address}/a.jsonl")
    (folder / "a.jsonl").write_bytes(LINES[:20_000])
    with pytest.raises(InputError, match=r"a\.jsonl"):
        file.read_at(1000, 40_000)


def test_blocks_are_fetched_ahead_and_few_are_held(web: tuple[Path, str, type[Handler]]) -> None:
    folder, address, handler = web
    (folder / "a.bin").write_bytes(bytes(40 * remote.BLOCK_BYTES))
    handler.delay = 0.02
    file = RemoteFile(f"{address}/a.bin")
    began = time.monotonic()
    while file.read(5000):
        assert len(file._blocks) <= remote._HELD
    assert len(handler.ranges) == len(set(handler.ranges)) == 40
    assert time.monotonic() - began < 40 * 0.02
    assert file.read_at(10, 3 * remote.BLOCK_BYTES - 5) == bytes(10)


def test_reading_here_and_there_fetches_only_what_is_read(web: tuple[Path, str, type[Handler]]) -> None:
    folder, address, handler = web
    (folder / "a.bin").write_bytes(bytes(40 * remote.BLOCK_BYTES))
    file = RemoteFile(f"{address}/a.bin")
    for number in (30, 10, 20):
        file.read_at(10, number * remote.BLOCK_BYTES)
    assert len(handler.ranges) == 3


def test_a_changed_file_is_another_job(tmp_path: Path, web: tuple[Path, str, type[Handler]]) -> None:
    folder, address, _ = web
    (folder / "a.jsonl").write_bytes(LINES)
    recipe = {
        "dataset_path": f"{address}/a.jsonl",
        "export_path": str(tmp_path / "out.jsonl"),
        "process": [{"text_length_filter": {"min_len": 0}}],
    }

    def job() -> Any:
        return Job(load_recipe(recipe), Alone(), progress=Progress(is_quiet=True), stopping=Stopping()).run()

    job()
    assert any("already complete" in notice for notice in job().notices)
    (folder / "a.jsonl").write_bytes(LINES.replace(b"text 1 ", b"TEXT 1 "))
    remote._stats.clear()  # as in another process
    assert not any("already complete" in notice for notice in job().notices)
    assert "TEXT 1 " in (tmp_path / "out.jsonl").read_text()


def test_credentials_of_a_source_go_to_its_file_system_only(
    tmp_path: Path, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe: dict[str, Any] = {
        "dataset": {
            "configs": [
                {"type": "remote", "source": "s3", "path": "s3://b/a.jsonl", "aws_secret_access_key": "HUNTER2", "anon": True}
            ]
        },
        "process": [],
    }
    loaded = load_recipe(recipe, environment={})
    [source] = loaded.settings["sources"].listed
    assert source.options == {"secret": "HUNTER2", "anon": True}
    assert "HUNTER2" not in json.dumps(loaded.text)
    [source] = load_recipe(recipe, environment={"AWS_SECRET_ACCESS_KEY": "x"}).settings["sources"].listed
    assert source.options == {"anon": True}
    memory.pipe("/b/a.jsonl", LINES)
    seen = []
    monkeypatch.setattr(fsspec, "filesystem", lambda scheme, **options: seen.append(options) or memory)
    monkeypatch.setattr(remote, "_signed_in", {})
    remote.sign_in("memory://b/*.jsonl", {"secret": "HUNTER2"})
    stat("memory://b/a.jsonl")
    assert seen == [{"secret": "HUNTER2"}]


@pytest.mark.parametrize("address", ["reference://x.jsonl", "zip://a.jsonl", "simplecache://a.jsonl", "nonsense://a.jsonl"])
def test_strange_file_systems_are_refused(address: str) -> None:
    with pytest.raises(InputError, match=r"cannot (be )?read"):
        discover(address, [])


def test_a_missing_package_is_named_with_its_remedy() -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'djfast\[remote\]' adlfs"):
        discover("az://a/b.jsonl", [])


def test_an_address_with_a_query_has_the_format_of_its_path(web: tuple[Path, str, type[Handler]]) -> None:
    folder, address, _ = web
    (folder / "a.jsonl").write_bytes(LINES)
    [file] = discover(f"{address}/a.jsonl?download=true", [])
    assert file.format == "jsonl"
    assert stat(file.path).size == len(LINES)
