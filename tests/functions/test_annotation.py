"""Preferences of people, against a small server with Label Studio's interface."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast.errors import Preempted, RecipeError
from djfast.functions.annotation import LabelStudio, bind_annotated_preference
from djfast.llm.interrupts import interrupt
from djfast.recipe.load import load_recipe
from tests.functions.label_studio import LabelStudioServer, pairwise

KEY = "a-token-0123456789"
OP = "human_preference_annotation_mapper"
ROW = {"prompt": "Which?", "answer1": "this", "answer2": "that"}


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> Iterator[LabelStudioServer]:
    for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    with LabelStudioServer() as server:
        monkeypatch.setenv("LABEL_STUDIO_URL", server.url)
        monkeypatch.setenv("LABEL_STUDIO_API_KEY", KEY)
        yield server


def _run(rows: list[dict[str, Any]], **params: Any) -> djfast.Dataset:
    params = {"wait_for_annotations": True, "poll_interval": 0.05, "timeout": 10, **params}
    return djfast.Dataset.from_list(rows).process(djfast.load_ops([{OP: params}]))


def test_the_selected_side_is_chosen(studio: LabelStudioServer) -> None:
    studio.annotate = lambda data, looks: [pairwise("right" if data["prompt"] == "b" else "left")]
    rows = [{**ROW, "prompt": prompt, "text": "t"} for prompt in ("a", "b")]
    expected = [{**rows[0], "chosen": "this", "rejected": "that"}, {**rows[1], "chosen": "that", "rejected": "this"}]
    assert _run(rows).to_list() == expected
    assert [task["data"] for task in studio.tasks.values()] == [{**ROW, "prompt": "a"}, {**ROW, "prompt": "b"}]
    assert {request.authorization for request in studio.requests} == {f"Token {KEY}"}


def test_rows_that_do_not_wait_stay_as_they_are(studio: LabelStudioServer) -> None:
    assert _run([ROW], wait_for_annotations=False).to_list() == [ROW]
    assert len(studio.tasks) == 1
    assert studio.paths("GET") == []


def test_a_new_project_is_made_once_and_has_the_interface(studio: LabelStudioServer, tmp_path: Path) -> None:
    _run([ROW] * 5, max_tasks_per_batch=2, wait_for_annotations=False).to_list()
    [project] = studio.projects.values()
    assert project["title"].startswith("DataJuicer_Annotation_20")
    assert "<Pairwise" in project["label_config"]
    assert all(f'value="${name}"' in project["label_config"] for name in ROW)
    assert [len(request.body) for request in studio.requests if "import" in request.path] == [2, 2, 1]
    (tmp_path / "view.xml").write_text("<View/>")
    _run([ROW], label_config_file=str(tmp_path / "view.xml"), project_name_prefix="P", wait_for_annotations=False).to_list()
    _run([ROW], label_config="<Own/>", label_config_file="none", wait_for_annotations=False).to_list()
    assert [project["label_config"] for project in studio.projects.values()][1:] == ["<View/>", "<Own/>"]


def test_a_project_that_there_is_gets_the_tasks(studio: LabelStudioServer) -> None:
    _run([ROW], project_id=77, wait_for_annotations=False).to_list()
    assert studio.projects == {}
    assert [task["project"] for task in studio.tasks.values()] == [77]


def test_fields_have_names_of_the_user(studio: LabelStudioServer) -> None:
    names = {"prompt_key": "q", "answer1_key": "a.x", "answer2_key": "a.y", "chosen_key": "good", "rejected_key": "bad"}
    row = {"q": "ü", "a": {"x": "1\n\U0001f600", "y": "2"}}
    assert _run([row], **names).to_list() == [{**row, "good": "1\n\U0001f600", "bad": "2"}]


def test_rows_wait_until_people_are_done(studio: LabelStudioServer) -> None:
    studio.annotate = lambda data, looks: [pairwise("left")] if looks >= (3 if data["prompt"] == "late" else 1) else []
    rows = [{**ROW, "prompt": prompt} for prompt in ("late", "soon")]
    assert all(row["chosen"] == "this" for row in _run(rows).to_list())
    looks = studio.paths("GET")
    assert [looks.count(path) for path in sorted(set(looks))] == [3, 1]


def test_rows_that_nobody_annotates_in_time_are_set_aside(studio: LabelStudioServer) -> None:
    studio.annotate = lambda data, looks: [] if data["prompt"] == "never" else [pairwise("left")]
    data = _run([{**ROW, "prompt": prompt} for prompt in ("never", "soon")], timeout=0.3)
    assert [row["prompt"] for row in data.to_list()] == ["soon"]
    assert data.rejected[0].reason == "TimeoutError: task 1000 was not done within 0.3 s"


@pytest.mark.parametrize(
    "said",
    [
        [pairwise(None)],
        [pairwise("left", was_cancelled=True)],
        [pairwise("middle")],
        ["nonsense", {"result": [3, {"value": 4}]}, {"result": None}],
    ],
)
def test_skipped_tasks_leave_the_row(studio: LabelStudioServer, said: list[Any]) -> None:
    studio.annotate = lambda data, looks: said
    assert _run([ROW]).to_list() == [ROW]


def test_the_first_who_has_a_preference_counts(studio: LabelStudioServer) -> None:
    said = [pairwise("left", was_cancelled=True), pairwise(None), pairwise("right"), pairwise("left")]
    studio.annotate = lambda data, looks: said
    assert _run([ROW]).to_list()[0]["chosen"] == "that"


def test_rows_without_two_answers_are_set_aside_and_no_task_is_made(studio: LabelStudioServer) -> None:
    rows = [{**ROW, "answer2": value} for value in (None, "", 5, ["x"], "that")] + [{"answer1": "a", "answer2": "b"}]
    data = _run(rows)
    assert [row["chosen"] for row in data.to_list()] == ["this", "a"]
    assert [task["data"]["prompt"] for task in studio.tasks.values()] == ["Which?", ""]
    reasons = [bad.reason for bad in data.rejected]
    assert reasons[0] == reasons[1] == "ValueError: the row must have two answers to compare"
    assert "the field must be a string, got integer" in reasons[2]


def test_rows_whose_tasks_cannot_be_made_are_set_aside_with_the_reason(studio: LabelStudioServer) -> None:
    studio.refuse = lambda request: 403 if request.method == "POST" and len(request.body) == 1 else None
    data = _run([{**ROW, "prompt": str(number)} for number in range(3)], max_tasks_per_batch=2, project_id=1)
    assert [row["prompt"] for row in data.to_list()] == ["0", "1"]
    [bad] = data.rejected
    assert bad.reason.startswith("Refused: 127.0.0.1:")
    assert 'answered 403: {"detail": "refused Token ***"}' in bad.reason
    assert KEY not in bad.reason


def test_a_task_that_was_deleted_is_not_waited_for_and_other_trouble_is(studio: LabelStudioServer) -> None:
    troubles = iter([404, 500])
    studio.refuse = lambda request: next(troubles, None) if request.method == "GET" else None
    data = _run([{**ROW, "prompt": prompt} for prompt in ("gone", "busy")])
    assert [row["prompt"] for row in data.to_list()] == ["busy"]
    assert "answered 404" in data.rejected[0].reason


def test_a_server_that_is_not_there_is_told(studio: LabelStudioServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:9")
    data = _run([ROW])
    assert data.to_list() == []
    assert "127.0.0.1:9 cannot be reached" in data.rejected[0].reason


def test_redirects_are_not_followed(studio: LabelStudioServer) -> None:
    studio.refuse = lambda request: 302
    data = _run([ROW])
    assert data.to_list() == []
    assert "answered 302" in data.rejected[0].reason
    assert "/elsewhere" not in studio.paths("GET")


def test_a_token_that_gives_access_is_exchanged(studio: LabelStudioServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "head.body.signature")
    assert _run([ROW]).to_list()[0]["chosen"] == "this"
    first, *others = studio.requests
    assert (first.path, first.body, first.authorization) == ("/api/token/refresh/", {"refresh": "head.body.signature"}, None)
    assert {request.authorization for request in others} == {"Bearer access-for-minutes"}


def test_the_key_of_the_environment_goes_to_its_own_server_only(
    studio: LabelStudioServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LabelStudioServer() as other:
        with pytest.raises(RecipeError, match=f"is only sent to LABEL_STUDIO_URL: set LABEL_STUDIO_URL={other.url} if"):
            _run([ROW], api_url=other.url).to_list()
        assert _run([ROW], api_url=other.url, api_key="own").to_list()[0]["chosen"] == "this"
        assert {request.authorization for request in other.requests} == {"Token own"}
    assert _run([ROW], api_url=studio.url + "/").to_list()[0]["chosen"] == "this"
    monkeypatch.delenv("LABEL_STUDIO_URL")
    with pytest.raises(RecipeError, match="api_url must be the address of a Label Studio server, or set LABEL_STUDIO_URL"):
        _run([ROW]).to_list()
    monkeypatch.delenv("LABEL_STUDIO_API_KEY")
    with pytest.raises(RecipeError, match="api_key must be a token of Label Studio, or set LABEL_STUDIO_API_KEY"):
        _run([ROW], api_url=studio.url).to_list()


@pytest.mark.parametrize(
    "url", ["ftp://host", "file:///etc/passwd", "host:80", "http://", "http://u:pass@host", "http://h/?a=b", "http://h :1", "http://h:x"]
)
def test_only_addresses_are_called(url: str) -> None:
    with pytest.raises(RecipeError, match="api_url must be an address with http or https") as caught:
        LabelStudio(url, "key")
    assert "pass@" not in str(caught.value)


def test_a_key_that_could_end_a_header_is_refused_and_not_shown() -> None:
    with pytest.raises(RecipeError, match=r"must be printable ASCII without spaces, got 6 characters$"):
        LabelStudio("http://host", "a\r\nb:c")


def test_notifications_have_no_effect_and_are_not_shown(tmp_path: Path) -> None:
    params = {"notification_config": {"email": {"smtp": "hunter2"}}, "notification_events": {"task_created": True}}
    process = [{OP: {**params, "api_url": "http://127.0.0.1"}}]
    recipe = load_recipe({"export_path": str(tmp_path / "out.jsonl"), "process": process})
    assert [notice for notice in recipe.notices if "notification_config has no effect: djfast sends no messages" in notice]
    assert "hunter2" not in repr(recipe.ops) + json.dumps(recipe.text) + "".join(recipe.notices)
    with pytest.raises(RecipeError, match="samples_per_task cannot be used here"):
        djfast.load_ops([{OP: {"samples_per_task": 2}}])


def test_the_key_of_a_recipe_is_shown_nowhere(
    studio: LabelStudioServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from djfast.cli.main import main

    (tmp_path / "in.jsonl").write_text(json.dumps({"text": "t", **ROW}) + "\n")
    recipe = tmp_path / "recipe.json"
    process: list[Any] = [
        {OP: {"api_url": studio.url, "api_key": "sk-secret"}},
        {"llm_ray_vllm_engine_pipeline": {"is_hf_model": False, "api_key": "sk-secret"}},
    ]
    keys = {"dataset_path": str(tmp_path / "in.jsonl"), "export_path": str(tmp_path / "out.jsonl"), "process": process[:1]}
    recipe.write_text(json.dumps({**keys, "process": process}))
    for flags in ([], ["-v"], ["--json"], ["--no-probe"]):
        assert main(["plan", *flags, str(recipe)]) == 0
    planned = capsys.readouterr().out
    assert "asks or changes what is outside of the run" in planned
    assert "'***'" in planned
    assert studio.requests == []
    djfast.run({**keys, "use_checkpoint": True})
    djfast.run({**keys, "export_path": str(tmp_path / "again.jsonl")})
    said = capsys.readouterr()
    shown = [planned, said.out, said.err, repr(load_recipe(keys)), *map(repr, djfast.load_ops(process))]
    shown += [path.read_text() for path in tmp_path.rglob("*") if path.is_file() and path != recipe]
    assert (tmp_path / "out.run.json").exists()
    assert not [text for text in shown if "sk-secret" in text]


def test_a_stopped_thread_waits_no_longer(studio: LabelStudioServer) -> None:
    studio.annotate = lambda data, looks: []
    server = {"api_url": studio.url, "api_key": KEY}
    project = {"name_prefix": "", "label_config": None, "label_config_file": None, "number": 1}
    function = bind_annotated_preference(server.items(), project.items(), True, 600.0, 600.0, 100)
    outcome: list[str] = []

    def work() -> None:
        try:
            function(['"p"'], ['"a"'], ['"b"'])
        except Preempted:
            outcome.append("stopped")

    thread = threading.Thread(target=work)
    thread.start()
    while not studio.paths("GET"):
        time.sleep(0.01)
    interrupt([thread])
    thread.join(10)
    assert outcome == ["stopped"]
