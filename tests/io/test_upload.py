"""Results at other addresses: they appear there when they are complete, and credentials are written nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.errors import MissingExtraError, OutputError, RecipeError
from djfast.io.write import upload
from djfast.io.write.formats import RESULT_FORMATS
from djfast.ranks.alone import Alone
from djfast.recipe.load import load_recipe
from djfast.runners.job.runner import Job
from djfast.runners.job.standing import standing_of
from djfast.runners.job.stopping import Stopping
from djfast.runners.progress import Progress
from djfast.runners.report import Report
from tests.ranks.threads import run_threads

fsspec = pytest.importorskip("fsspec")

ROWS = [*({"text": f"some words, number {i}"} for i in range(20)), {"text": None}]
PROCESS = [{"text_length_filter": {"min_len": 3}}]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    yield
    memory = fsspec.filesystem("memory")
    for path in memory.find("/"):
        memory.rm_file(path)


def recipe_to(address: str, **keys: Any) -> dict[str, Any]:
    return {"dataset_path": "in.jsonl", "export_path": address, "process": PROCESS, "np": 1, **keys}


def stored(address: str) -> dict[str, bytes]:
    memory = fsspec.filesystem("memory")
    return {path.rpartition("/")[2]: memory.cat_file(path) for path in memory.find(address)}


def local(folder: str, **keys: Any) -> dict[str, bytes]:
    report = djfast.run(recipe_to(f"{folder}/result.jsonl", **keys))
    assert report.rows_rejected == 1
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def same_but_run(found: dict[str, bytes], expected: dict[str, bytes]) -> bool:
    return {**found, "result.run.json": b""} == {**expected, "result.run.json": b""}


def test_all_files_of_a_run_are_uploaded() -> None:
    report = djfast.run(recipe_to("memory://bucket/a/result.jsonl"))
    files = stored("memory://bucket/a")
    assert sorted(files) == ["result.jsonl", "result.rejected.jsonl", "result.run.json", "result_stats.jsonl"]
    assert same_but_run(files, local("here"))
    assert report.export_paths == ("memory://bucket/a/result.jsonl",)
    assert report.stats_path == "memory://bucket/a/result_stats.jsonl"
    assert report.rejected_path == "memory://bucket/a/result.rejected.jsonl"
    assert json.loads(files["result.run.json"])["export_paths"] == ["memory://bucket/a/result.jsonl"]
    assert list(Path("outputs").rglob("*.*")) == []


def test_shards_and_their_manifest_are_uploaded() -> None:
    report = djfast.run(recipe_to("memory://bucket/b/result.jsonl", export_shard_rows=8))
    assert report.export_paths == tuple(f"memory://bucket/b/result-{i:02d}-of-03.jsonl" for i in range(3))
    assert same_but_run(stored("memory://bucket/b"), local("here", export_shard_rows=8))


@pytest.mark.parametrize("ranks", [1, 3])
def test_jobs_upload_too_and_know_that_they_have(ranks: int) -> None:
    recipe = load_recipe(recipe_to("memory://bucket/c/result.jsonl", split_bytes=300, export_shard_rows=8))

    def work(each: Any) -> Report | None:
        return Job(recipe, each, progress=Progress(is_quiet=True), stopping=Stopping()).run()

    def run() -> Report | None:
        return work(Alone()) if ranks == 1 else run_threads(ranks, lambda each: work(each))[0]

    assert not standing_of(recipe).is_complete
    report = run()
    assert report is not None
    assert report.export_paths[0] == "memory://bucket/c/result-00-of-03.jsonl"
    assert same_but_run(stored("memory://bucket/c"), local("here", export_shard_rows=8))
    assert standing_of(recipe).is_complete
    again = run()
    assert again is not None
    assert again.notices[-1].startswith("already complete")
    fsspec.filesystem("memory").rm_file("/bucket/c/result-01-of-03.jsonl")
    assert "is gone or has changed" in standing_of(recipe).text
    run()
    assert same_but_run(stored("memory://bucket/c"), local("here", export_shard_rows=8))
    assert [path.name for path in Path("outputs").iterdir() if any(path.iterdir())] == ["result.job"]


@pytest.mark.parametrize("kind", ["parquet", "csv", "webdataset", "arrow"])
def test_any_format_is_uploaded(kind: str) -> None:
    name = f"result.{RESULT_FORMATS[kind].suffix}"
    djfast.run(recipe_to(f"memory://bucket/d/{name}"))
    djfast.run(recipe_to(f"here/{name}"))
    assert stored(f"memory://bucket/d/{name}") == {name: Path("here", name).read_bytes()}


def test_a_folder_replaces_only_a_result() -> None:
    datasets = pytest.importorskip("datasets")
    djfast.run(recipe_to("memory://bucket/e/result.hf", export_shard_rows=10))
    assert sorted(stored("memory://bucket/e/result.hf")) == [
        "data-00000-of-00002.arrow", "data-00001-of-00002.arrow", "dataset_info.json", "state.json",
    ]  # fmt: skip
    assert datasets.load_from_disk("memory://bucket/e/result.hf")["text"][:] == [row["text"] for row in ROWS[:-1]]
    djfast.run(recipe_to("memory://bucket/e/result.hf"))
    assert sorted(stored("memory://bucket/e/result.hf")) == ["data-00000-of-00001.arrow", "dataset_info.json", "state.json"]
    fsspec.filesystem("memory").rm("/bucket/e/result.hf/state.json")
    with pytest.raises(OutputError, match="would replace what is not a result"):
        djfast.run(recipe_to("memory://bucket/e/result.hf"))


def test_what_names_the_other_files_of_a_folder_comes_last(tmp_path: Path) -> None:
    for name in ("state.json", "_versions/1.manifest", "data/a.lance", "zzz.arrow"):
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).touch()
    files = upload._files_of(tmp_path / "folder")
    assert [path.name for path in files] == ["a.lance", "zzz.arrow", "1.manifest", "state.json"]


def test_elsewhere_files_are_renamed_when_they_are_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    put_file = fsspec.implementations.local.LocalFileSystem.put_file

    def spying(self: Any, path: str, target: str, **keys: Any) -> None:
        seen.append(target.rpartition("/")[2])
        put_file(self, path, target, **keys)

    monkeypatch.setattr(fsspec.implementations.local.LocalFileSystem, "put_file", spying)
    djfast.run(recipe_to(f"file://{tmp_path}/there/deep/result.jsonl"))
    assert all(".tmp-" in name for name in seen)
    assert sorted(path.name for path in Path("there/deep").iterdir()) == [
        "result.jsonl", "result.rejected.jsonl", "result.run.json", "result_stats.jsonl",
    ]  # fmt: skip


def test_what_cannot_be_uploaded_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(self: Any, path: str, target: str, **keys: Any) -> None:
        raise PermissionError("signature of SECRET9 is wrong")

    monkeypatch.setattr(fsspec.implementations.local.LocalFileSystem, "put_file", refusing)
    credentials = {"aws_secret_access_key": "SECRET9"}
    message = r"^cannot write file://.*: PermissionError: signature of \*\*\* is wrong; the result is kept in"
    with pytest.raises(OutputError, match=message) as raised:
        djfast.run(recipe_to(f"file://{Path.cwd()}/there/result.jsonl", export_aws_credentials=credentials))
    kept = Path(str(raised.value).rpartition(" in ")[2])
    assert len((kept / "result.jsonl").read_text().splitlines()) == 20
    assert list(Path("there").iterdir()) == []


def test_an_unknown_scheme_is_an_error_before_anything_runs() -> None:
    with pytest.raises(RecipeError, match=r"^export_path must be a path or an address that fsspec knows, got nowhere://$"):
        djfast.run(recipe_to("nowhere://bucket/result.jsonl"))
    assert not Path("outputs").exists()


def test_a_package_that_is_not_there_is_an_error_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'djfast\[remote\]'"):
        djfast.run(recipe_to("memory://bucket/result.jsonl"))
    monkeypatch.setattr("djfast.runners.delivery.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"not installed: lance; pip install 'djfast\[lance\]' to write lance"):
        djfast.run(recipe_to("result.lance"))


def test_a_dataset_is_uploaded() -> None:
    [op] = djfast.load_ops(PROCESS)
    data = djfast.Dataset.from_jsonl("in.jsonl").process(op)
    report = data.export("memory://bucket/f/result.csv")
    assert report.export_paths == ("memory://bucket/f/result.csv",)
    data.export("here.csv")
    assert stored("memory://bucket/f") == {
        "result.csv": Path("here.csv").read_bytes(), "result_stats.jsonl": Path("here_stats.jsonl").read_bytes(),
    }  # fmt: skip


# S3.


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Endpoint of a server that has a bucket named "bucket"."""
    pytest.importorskip("s3fs")
    server_module = pytest.importorskip("moto.moto_server.threaded_moto_server")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    own = fsspec.filesystem("s3", key="k", secret="s", endpoint_url=endpoint, skip_instance_cache=True)
    own.makedirs("bucket", exist_ok=True)
    yield endpoint
    server.stop()


def test_results_go_to_s3_and_credentials_nowhere(bucket: str, capfd: pytest.CaptureFixture[str]) -> None:
    credentials = {"aws_access_key_id": "HUNTER2ID", "aws_secret_access_key": "HUNTER2", "endpoint_url": bucket}
    report = djfast.run(recipe_to("s3://bucket/deep/result.jsonl.gz", export_aws_credentials=credentials, export_shard_rows=8))
    assert report.export_paths[0] == "s3://bucket/deep/result-00-of-03.jsonl.gz"
    s3 = fsspec.filesystem("s3", key="k", secret="s", endpoint_url=bucket, skip_instance_cache=True)
    names = [path.rpartition("/")[2] for path in s3.find("bucket/deep")]
    assert "result.manifest.json" in names
    assert "result.run.json" in names
    assert len(names) == 7
    written = b"".join(s3.cat_file(path) for path in s3.find("bucket"))
    written += b"".join(path.read_bytes() for path in Path("outputs").rglob("*") if path.is_file())
    assert b"HUNTER2" not in written
    assert "HUNTER2" not in "".join(capfd.readouterr())


def test_a_bucket_that_is_not_there_is_said(bucket: str) -> None:
    credentials = {"aws_access_key_id": "HUNTER2ID", "aws_secret_access_key": "HUNTER2", "endpoint_url": bucket}
    with pytest.raises(OutputError, match=r"^cannot write s3://nobucket/result\.jsonl: .*; the result is kept in") as raised:
        djfast.run(recipe_to("s3://nobucket/result.jsonl", export_aws_credentials=credentials))
    assert "HUNTER2" not in str(raised.value)


def test_credentials_of_the_environment_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    given = {
        "aws_access_key_id": "a", "aws_secret_access_key": "b", "aws_session_token": "c", "aws_region": "d", "endpoint_url": "e",
    }  # fmt: skip
    assert upload._options("s3", given) == {
        "key": "a", "secret": "b", "token": "c", "endpoint_url": "e", "client_kwargs": {"region_name": "d"},
    }  # fmt: skip
    assert upload._options("s3", {"anon": True}) == {"anon": True}
    assert upload._options("memory", given) == {}
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_REGION", "y")
    assert upload._options("s3", given) == {"endpoint_url": "e"}


