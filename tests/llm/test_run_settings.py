"""What recipes say of asking language models: requests in flight, and where answers are kept."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.errors import OutputError, TooManyErrors
from djfast.llm import client as clients
from djfast.llm.cache import default_cache
from djfast.llm.run_settings import RunSettings, current, used
from tests.llm.server import Asked, Said, Server, completion, refusal

OP = {"optimize_response_mapper": {"is_hf_model": False}}


def _run(folder: Path, rows: int = 1, **keys: Any) -> djfast.Report:
    folder.mkdir(exist_ok=True)
    source = folder / "in.jsonl"
    source.write_text("".join(json.dumps({"text": "", "query": f"q{number}"}) + "\n" for number in range(rows)))
    return djfast.run({"dataset_path": str(source), "export_path": str(folder / "out.jsonl"), "process": [OP], **keys})


@pytest.mark.parametrize("keys", [{}, {"use_checkpoint": True}], ids=["local", "job"])
def test_a_recipe_says_how_many_requests_are_in_flight(server: Server, tmp_path: Path, keys: dict[str, Any]) -> None:
    server.latency = 0.05
    _run(tmp_path / "few", 30, llm_in_flight=3, **keys)
    assert server.most_in_flight == 3
    server.respond = lambda asked: completion("other")
    _run(tmp_path / "many", 90, llm_in_flight=90, llm_cache="off", np=1, **keys)
    assert server.most_in_flight > 64
    assert current() == RunSettings()


@pytest.mark.parametrize("keys", [{}, {"use_checkpoint": True}], ids=["local", "job"])
def test_a_recipe_says_where_answers_are_kept(server: Server, tmp_path: Path, keys: dict[str, Any]) -> None:
    place = tmp_path / "own"
    for number in range(2):
        _run(tmp_path / f"run{number}", llm_cache=str(place), **keys)
    assert server.count == 1
    assert len(list(place.iterdir())) == 1
    assert not Path(os.environ["DJFAST_LLM_CACHE"]).exists()
    for number in range(2, 4):
        _run(tmp_path / f"run{number}", llm_cache="off", **keys)
    assert server.count == 3


def test_a_recipe_that_says_nothing_takes_what_the_environment_names(server: Server, tmp_path: Path) -> None:
    _run(tmp_path / "a", llm_cache="off")
    _run(tmp_path / "b")
    _run(tmp_path / "c", llm_cache=None)
    assert server.count == 2
    assert list(Path(os.environ["DJFAST_LLM_CACHE"]).iterdir())


def test_settings_hold_while_a_run_lasts_and_also_when_it_fails(server: Server, tmp_path: Path) -> None:
    seen: list[RunSettings] = []

    def respond(asked: Asked) -> Said:
        seen.append(current())
        return completion("fine")

    server.respond = respond
    clients.configure(in_flight=7)
    try:
        _run(tmp_path / "a", llm_in_flight=5)
        assert seen == [RunSettings(5)]
        assert clients.shared_client().in_flight == 7
        with used(RunSettings(9, "off")):
            assert clients.shared_client().in_flight == 9
            assert default_cache() is None
        server.respond = lambda asked: refusal(400)
        with pytest.raises(TooManyErrors):
            _run(tmp_path / "b", llm_in_flight=5, llm_cache="off", max_errors=0)
        assert current() == RunSettings(7)
    finally:
        clients.configure()


def test_a_cache_that_is_no_folder_is_told_by_its_key(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="llm_cache must name a folder or be off, got "):
        _run(tmp_path / "a", llm_cache=str(tmp_path / "file"))
