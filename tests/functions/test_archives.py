"""LaTeX sources in archives."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

import djfast
from djfast.functions import archives
from djfast.functions.archives import bind_tex_sources

FILES = {
    "main.tex": b"\\input{part}", "../../evil.tex": b"evil", "a/b.TEX": b"no", "fig.png": b"x" * 5000,
    "/abs.tex": "Straße 数".encode(), "bad.tex": b"\xff",
}  # fmt: skip
JOINED = "\\input{part}\n\nevil\n\nStraße 数\n\n\ufffd"


@pytest.fixture(autouse=True)
def everything_is_open(monkeypatch):
    monkeypatch.setenv("DJFAST_LOCAL_ROOTS", "*")



def _zip(path: Path, files: dict[str, bytes]) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return str(path)


def _tar(path: Path, files: dict[str, bytes]) -> str:
    with tarfile.open(path, "w" if path.suffix == ".tar" else "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for kind, target in ((tarfile.SYMTYPE, "/etc/passwd"), (tarfile.LNKTYPE, "main.tex"), (tarfile.FIFOTYPE, "")):
            member = tarfile.TarInfo(f"link{kind!r}.tex")
            member.type, member.linkname = kind, target
            archive.addfile(member)
    return str(path)


def _sources(path: str, *, max_file_size: int | None = None, max_total_size: int | None = None) -> str:
    return bind_tex_sources(separator="\n\n", max_file_size=max_file_size, max_total_size=max_total_size)(path)


@pytest.fixture(params=["p.zip", "p.tar", "P.Tar.GZ", "p.tgz"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    path = tmp_path / "papers" / request.param
    path.parent.mkdir()
    return _zip(path, FILES) if path.suffix == ".zip" else _tar(path, FILES)


def test_sources_are_joined_in_their_order_and_nothing_is_unpacked(archive: str) -> None:
    assert _sources(archive) == JOINED
    assert [path.name for path in Path(archive).parent.parent.rglob("*") if path.is_file()] == [Path(archive).name]


def test_large_sources_are_left_out_and_the_total_ends_the_text(archive: str) -> None:
    assert _sources(archive, max_file_size=11) == "evil\n\nStraße 数\n\n\ufffd"
    assert _sources(archive, max_total_size=16) == "\\input{part}\n\nevil"
    assert _sources(archive, max_total_size=3) == ""


@pytest.mark.parametrize(
    "name", ["no.zip", "x.rar", "x.tex", "broken.zip", "broken.tar", "broken.tgz", "short.tgz", "folder.zip", ""]
)
def test_what_cannot_be_read_gives_the_empty_text(name: str, tmp_path: Path) -> None:
    if name.startswith("broken") or name.startswith("x."):
        (tmp_path / name).write_bytes(b"this is no archive" * 100)
    if name == "short.tgz":
        whole = Path(_tar(tmp_path / name, {"a.tex": os.urandom(4000), "b.tex": b"b"})).read_bytes()
        (tmp_path / name).write_bytes(whole[:2000])
    if name == "folder.zip":
        (tmp_path / name).mkdir()
    assert _sources(str(tmp_path / name) if name else "") == ""


def test_pipes_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.tar")
    assert _sources(str(tmp_path / "p.tar")) == ""


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_MOST_BYTES", 100_000)
    monkeypatch.setattr(archives, "_MOST_MEMBERS", 20)
    zeros = b"\0" * 200_000
    with pytest.raises(ValueError, match="unpacks to more than 100000 bytes"):
        _sources(_tar(tmp_path / "a.tgz", {"big.png": zeros, "a.tex": b"a"}))
    with pytest.raises(ValueError, match="the sources have more than 100000 bytes"):
        _sources(_zip(tmp_path / "a.zip", {"a.tex": zeros}))
    many = {f"{number}.png": b"" for number in range(30)}
    with pytest.raises(ValueError, match="more than 20 members"):
        _sources(_zip(tmp_path / "b.zip", many))
    with pytest.raises(ValueError, match="more than 20 members"):
        _sources(_tar(tmp_path / "b.tar", many))


def test_an_archive_that_lies_about_sizes_is_not_believed(tmp_path: Path) -> None:
    honest = Path(_zip(tmp_path / "a.zip", {"a.tex": b"x" * 70_000})).read_bytes()
    size = (70_000).to_bytes(4, "little")
    assert honest.count(size) == 2
    (tmp_path / "b.zip").write_bytes(honest.replace(size, (10).to_bytes(4, "little")))
    assert _sources(str(tmp_path / "b.zip"), max_total_size=1000) in ("", "x" * 10)


def test_a_gzip_of_nothing_but_zeros_ends(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "z.tar.gz", "wb") as file:
        file.write(b"\0" * 10_000_000)
    assert _sources(str(tmp_path / "z.tar.gz")) == ""


def test_a_row_that_names_no_file_is_set_aside(tmp_path: Path) -> None:
    [op] = djfast.load_ops([{"latex_merge_tex_mapper": {"compressed_file_key": "meta.file", "max_total_size": 0}}])
    path = _zip(tmp_path / "a.zip", FILES)
    dataset = djfast.Dataset.from_list([{"meta": {"file": path}}, {"text": "a"}, {"meta": {"file": 3}}]).process(op)
    assert dataset.to_list() == [{"meta": {"file": path}, "text": JOINED}]
    assert [bad.line for bad in dataset.rejected] == [2, 3]
