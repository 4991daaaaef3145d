"""Files and addresses that rows name: those of a stranger read neither this machine nor its network."""

from __future__ import annotations

import json
import os
import socket
import tarfile
import zipfile

import pytest

import djfast
from djfast.access import Access, folder_of, is_public
from djfast.errors import OutputError, RecipeError
from djfast.recipe.load import load_recipe
from tests.functions.test_files import Server, no_pauses, server  # noqa: F401


@pytest.fixture(autouse=True)
def closed(monkeypatch):
    monkeypatch.delenv("DJFAST_LOCAL_ROOTS", raising=False)


@pytest.fixture
def rows(tmp_path):
    """Run a recipe over rows that name places; return the contents that came."""

    def run(places, **keys):
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        lines = "".join(json.dumps({"text": "", "f": place}) + "\n" for place in places)
        (folder / "in.jsonl").write_text(lines)
        process = [{"download_file_mapper": {"download_field": "f", "save_field": "c", "retries": 0}}]
        recipe = {"dataset_path": str(folder / "in.jsonl"), "export_path": str(tmp_path / "out" / "o.jsonl"), "process": process}
        djfast.run({**recipe, **keys})
        return [json.loads(line).get("c") for line in (tmp_path / "out" / "o.jsonl").read_text().splitlines()]

    return run


def test_files_beside_the_input_can_be_named_and_no_others(rows, tmp_path):
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "data" / "images" / "a.png").write_bytes(b"inside")
    (tmp_path / "data" / ".key").write_bytes(b"hidden")
    (tmp_path / "secret").write_bytes(b"outside")
    (tmp_path / "data" / "link").symlink_to(tmp_path / "secret")
    (tmp_path / "data" / "up").symlink_to(tmp_path)
    (tmp_path / "database").mkdir()
    (tmp_path / "database" / "x").write_bytes(b"outside, of a name that begins alike")
    data = tmp_path / "data"
    inside = [str(data / "images" / "a.png"), "images/a.png", "./images/../images/a.png"]
    outside = [
        str(tmp_path / "secret"), "../secret", str(data / "link"), "link", "up/secret", str(data / ".." / "secret"), ".key",
        str(data / ".key"), "/etc/passwd", "/proc/self/environ", "../database/x", "~/.ssh/id_rsa", "\x00", "images/\x00",
    ]  # fmt: skip
    found = rows([*inside, *outside])
    assert [each is not None for each in found] == [True] * len(inside) + [False] * len(outside)
    assert rows(outside[:4], local_roots=[str(tmp_path)])[0] is not None
    assert all(rows(outside[:6], local_roots="*"))


def test_the_environment_opens_folders(rows, tmp_path, monkeypatch):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / ".x").write_bytes(b"x")
    assert rows([str(tmp_path / "more" / ".x")]) == [None]
    monkeypatch.setenv("DJFAST_LOCAL_ROOTS", f"/nowhere {tmp_path}/more")
    assert rows([str(tmp_path / "more" / ".x")]) != [None]
    monkeypatch.setenv("DJFAST_USER_CODE", "0")
    assert rows([str(tmp_path / "more" / ".x")]) != [None]


def test_who_forbids_code_of_strangers_does_not_let_them_open_the_machine(monkeypatch):
    monkeypatch.setenv("DJFAST_USER_CODE", "no")
    with pytest.raises(RecipeError, match="local_roots opens this machine to data, which DJFAST_USER_CODE=no forbids here"):
        load_recipe({"export_path": "o.jsonl", "local_roots": ["/"]})
    monkeypatch.delenv("DJFAST_USER_CODE")
    with pytest.raises(RecipeError, match="local_roots must hold folders and addresses"):
        load_recipe({"export_path": "o.jsonl", "local_roots": ["ftp://x"]})


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1", "::1",
        "fe80::1", "fe80::1%lo", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::",
        "255.255.255.255", "240.0.0.1", "198.18.0.1", "127.1", "2130706433", "0177.0.0.1", "ff02::1", "",
    ],
)  # fmt: skip
def test_private_addresses_are_not_public(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_public_addresses_are(address):
    assert is_public(address)


def test_servers_of_the_own_network_are_not_asked(rows, server: Server):  # noqa: F811
    port = server.server_address[1]
    hosts = ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "a@127.0.0.1"]
    hosts += ["127。0。0。1", "①②⑦.0.0.1", "１２７．０．０．１", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "127.0.0.1.", "127.0.\t0.1"]
    assert rows([f"http://{host}:{port}/a" for host in hosts]) == [None] * len(hosts)
    assert not server.asked
    assert rows([f"{server.url}/a", f"{server.url}/to/there"], local_roots=[server.url]) != [None, None]
    assert rows([f"http://localhost:{port}/a"], local_roots=[server.url]) == [None]


def test_every_hop_is_checked(rows, server: Server):  # noqa: F811
    """Only one port is open: what it leads to is not."""
    with Server() as other:
        assert rows([f"{server.url}/to//127.0.0.1:{other.server_address[1]}/a"], local_roots=[server.url]) == [None]
        assert not other.asked
    assert sum(server.asked.values()) == 1


def test_the_address_that_was_checked_is_the_one_that_is_asked(rows, server: Server, monkeypatch):  # noqa: F811
    """A name of which the second look finds another address, as those who rebind names do."""
    real, looked = socket.getaddrinfo, []

    def rebinding(host, port, *arguments, **options):
        if host != "rebound.example":
            return real(host, port, *arguments, **options)
        looked.append(host)
        return real("8.8.8.8" if len(looked) == 1 else "127.0.0.1", port, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    asked = []

    def connect(self, *_, **given):
        asked.append(given)
        raise OSError("not now")

    monkeypatch.setattr("aiohttp.connector.TCPConnector._wrap_create_connection", connect)
    assert rows([f"http://rebound.example:{server.server_address[1]}/a"]) == [None]
    assert {info[4][0] for given in asked for info in given["addr_infos"]} == {"8.8.8.8"}
    assert len(looked) == 1


@pytest.mark.parametrize("checkpoint", [False, True])
def test_media_of_a_result_come_from_beside_the_input(tmp_path, checkpoint):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.jpg").write_bytes(b"inside")
    (tmp_path / "secret").write_bytes(b"outside")
    source = tmp_path / "data" / "in.jsonl"
    recipe = {
        "dataset_path": str(source), "export_path": str(tmp_path / "out" / "o.tar"), "process": [], "use_checkpoint": checkpoint,
        "export_extra_args": {"field_mapping": {"jpg": "f"}},
    }  # fmt: skip
    source.write_text('{"text": "", "f": "a.jpg"}\n')
    djfast.run(recipe)
    with tarfile.open(tmp_path / "out" / "o.tar") as archive:
        assert [archive.extractfile(member).read() for member in archive] == [b"inside"]
    source.write_text(json.dumps({"text": "", "f": str(tmp_path / "secret")}) + "\n")
    with pytest.raises(OutputError, match="rows may not name files outside of the input's folder here"):
        djfast.run(recipe)


def test_archives_come_from_beside_the_input(tmp_path):
    for folder in ("data", "elsewhere"):
        (tmp_path / folder).mkdir()
        with zipfile.ZipFile(tmp_path / folder / "a.zip", "w") as archive:
            archive.writestr("a.tex", "paper")
    source = tmp_path / "data" / "in.jsonl"
    named = [{"text": "", "archive": str(tmp_path / each / "a.zip")} for each in ("data", "elsewhere")]
    source.write_text("".join(json.dumps(row) + "\n" for row in named))
    process = [{"latex_merge_tex_mapper": {"compressed_file_key": "archive"}}]
    djfast.run({"dataset_path": str(source), "export_path": str(tmp_path / "o.jsonl"), "process": process})
    assert [json.loads(line)["text"] for line in (tmp_path / "o.jsonl").read_text().splitlines()] == ["paper", ""]


@pytest.mark.parametrize(
    ("path", "folder"),
    [("a/b.jsonl", "a"), ("b.jsonl", "."), ("a/*/c.jsonl", "a"), ("a/b*.jsonl", "a"), ("/", "/"), ("/x.jsonl", "/")],
)
def test_the_folder_of_an_input(path, folder):
    assert folder_of(path) == folder


def test_an_input_in_the_root_does_not_open_all(tmp_path):
    with pytest.raises(PermissionError):
        Access.of((), (os.sep,)).path("/etc/passwd")
