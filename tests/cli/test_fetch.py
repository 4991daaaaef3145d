"""`djfast fetch` downloads what a recipe needs: whole, checked, and never twice."""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from djfast.cli.main import main
from djfast.errors import ModelError
from djfast.models import addresses
from djfast.models.addresses import Address
from djfast.models.download import download

CONTENT = json.dumps({"en": [f"word{i}" for i in range(5000)]}).encode()
SUM = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `CONTENT`; it remembers the ranges that it was asked for, and cuts as many answers off as it is told."""

    cut = 0
    tag = '"one"'

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        if self.path == "/absent":
            self.send_error(404)
            return
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
            return
        given = self.headers.get("Range")
        self.server.asked.append(given)
        start = int(given[6:-1]) if given and self.headers.get("If-Range") in (None, self.server.tag) else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.send_header("ETag", self.server.tag)
        self.end_headers()
        body = CONTENT[start:]
        if self.server.cut:
            self.server.cut -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Server) -> str:
    for variable in ("DATA_JUICER_EXTERNAL_MODELS_HOME", "DATA_JUICER_MODELS_CACHE", "DATA_JUICER_ASSETS_CACHE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("DATA_JUICER_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(addresses, "_ADDRESSES", {"stopwords.json": Address(f"{server.url}/stopwords.json")})
    monkeypatch.setattr(addresses, "_KENLM", server.url)
    path = tmp_path / "recipe.json"
    process = ["stopwords_filter", {"perplexity_filter": {"lang": "xx"}}]
    path.write_text(json.dumps({"export_path": str(tmp_path / "out.jsonl"), "process": process}))
    return str(path)


def test_what_a_recipe_needs_is_downloaded_once(recipe: str, tmp_path: Path, server: Server) -> None:
    assert main(["fetch", recipe]) == 0
    files = {path.relative_to(tmp_path / "cache").as_posix() for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    assert files == {"assets/stopwords.json", "models/xx.arpa.bin", "models/xx.sp.model"}
    assert (tmp_path / "cache/assets/stopwords.json").read_bytes() == CONTENT
    assert main(["fetch", recipe]) == 0
    assert len(server.asked) == 3


def test_another_folder(recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], server: Server) -> None:
    assert main(["fetch", recipe, "--to", str(tmp_path / "for there")]) == 0
    assert f"DATA_JUICER_ASSETS_CACHE='{tmp_path}/for there'" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "for there").iterdir()) == ["stopwords.json", "xx.arpa.bin", "xx.sp.model"]
    assert main(["fetch", recipe, "--to", str(tmp_path / "for there")]) == 0
    assert len(server.asked) == 3


def test_a_dry_run_prints_a_script(recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], server: Server) -> None:
    assert main(["fetch", recipe, "--dry-run", "--to", str(tmp_path / "it's")]) == 0
    script = capsys.readouterr().out
    assert script.count("curl -fL -C - -o ") == 3
    assert "no checksum is known: not checked here" in script
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    assert server.asked == []
    assert not (tmp_path / "it's").exists()


def test_a_cut_download_is_gone_on_with(tmp_path: Path, server: Server) -> None:
    server.cut = 1
    path = tmp_path / "list.json"
    with pytest.raises(ModelError, match=f"cut off after {len(CONTENT) // 2} of {len(CONTENT)} bytes"):
        download(Address(server.url), str(path))
    assert not path.exists()
    download(Address(server.url), str(path))
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={len(CONTENT) // 2}-"]
    assert [file.name for file in tmp_path.iterdir()] == ["list.json"]


def test_halves_of_two_versions_are_never_joined(tmp_path: Path, server: Server) -> None:
    server.cut = 1
    path = tmp_path / "list.json"
    with pytest.raises(ModelError):
        download(Address(server.url), str(path))
    (tmp_path / "list.json.part").write_bytes(b"x" * 100)
    server.tag = '"two"'
    download(Address(server.url), str(path))
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ({"size": 7}, "must have 7 bytes, got"),
        ({"sha256": "0" * 64}, f"must have the SHA-256 {'0' * 64}, got {SUM}"),
        ({"at": "/absent"}, "cannot be downloaded to .*404"),
        ({"at": "/moved"}, "the server leads from http to file, which is refused|not allowed"),
    ],
)
def test_a_file_that_is_not_the_one_is_not_kept(tmp_path: Path, server: Server, address: dict[str, Any], complaint: str) -> None:
    at = address.pop("at", "/")
    with pytest.raises(ModelError, match=complaint):
        download(Address(server.url + at, **address), str(tmp_path / "file"))
    assert not (tmp_path / "file").exists()


def test_two_processes_never_write_one_file(tmp_path: Path, server: Server) -> None:
    with open(tmp_path / "file.part", "ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ModelError, match="another process is downloading"):
            download(Address(server.url), str(tmp_path / "file"))
    assert server.asked == []


def test_only_http_is_opened(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="must begin with https"):
        download(Address("file:///etc/passwd"), str(tmp_path / "file"))


def test_errors_name_it_where_it_helps(recipe: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", recipe]) == 1
    said = capsys.readouterr().out
    assert said.count("MISSING ") == 2 + (find_spec("kenlm") is None)  # one for each OP, and one for a package
    assert said.endswith(f"\n  djfast fetch {recipe}\n")
    assert not addresses.fetch_hint("../../en.sp.model")
    assert not addresses.fetch_hint("my.bin")
