"""What a recipe may read of the environment, and what is shown of it."""

from __future__ import annotations

import json
import logging
import os
import stat

import pytest

import djfast
from djfast.cli.main import main
from djfast.errors import RecipeError
from djfast.logs import logger
from djfast.recipe.load import load_recipe
from djfast.redaction import lines_of, safe

SECRET = "hunter2-hunter2"


@pytest.fixture
def recipe(tmp_path):
    """Write a recipe over one row."""
    (tmp_path / "in.jsonl").write_text('{"text": "one"}\n')

    def written(process, **keys):
        path = tmp_path / "r.json"
        paths = {"dataset_path": str(tmp_path / "in.jsonl"), "export_path": str(tmp_path / "out" / "o.jsonl")}
        path.write_text(json.dumps({**paths, "process": process, **keys}))
        return path

    return written


@pytest.mark.parametrize(
    "name",
    [
        "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY", "GITHUB_PAT", "DB_PASSWORD", "SOMETHING", "DATABASE_URL", "DATA_TOKEN",
        "OUT_AUTH", "SLURM_JWT", "SK",
    ],
)  # fmt: skip
@pytest.mark.parametrize("reference", ["${%s}", "${%s:-x}", "${oc.env:%s}"])
def test_variables_are_closed_to_recipes_unless_they_are_named(monkeypatch, name, reference):
    monkeypatch.setenv(name, SECRET)
    given = {"process": [{"replace_content_mapper": {"pattern": "a", "repl": reference % name}}], "export_path": "o.jsonl"}
    with pytest.raises(RecipeError, match=f"recipes may not read .*DJFAST_RECIPE_ENV={name} in the environment") as caught:
        load_recipe(given)
    assert SECRET not in str(caught.value)
    monkeypatch.setenv("DJFAST_RECIPE_ENV", f"OTHER {name}")
    assert load_recipe(given).ops[0].repl == SECRET


def test_places_are_open_to_recipes_and_beginnings_can_be_named(monkeypatch):
    for name in ("HOME", "DATA", "DATA_WEB", "OUT", "SLURM_JOB_ID", "LANGUAGE_A"):
        monkeypatch.setenv(name, "v")
    assert load_recipe({"export_path": "${HOME}/${DATA}/${DATA_WEB}${OUT}${SLURM_JOB_ID}.jsonl"}).settings["export_path"] == (
        "v/v/vvv.jsonl"
    )
    monkeypatch.setenv("DJFAST_RECIPE_ENV", "LANGUAGE_*")
    assert load_recipe({"export_path": "${LANGUAGE_A}.jsonl"}).settings["export_path"] == "v.jsonl"
    with pytest.raises(RecipeError, match="HOME"):
        load_recipe({"export_path": "${HOME}/o.jsonl"})
    monkeypatch.setenv("DJFAST_RECIPE_ENV", "")
    with pytest.raises(RecipeError, match="recipes may not read"):
        load_recipe({"export_path": "${DATA}/o.jsonl"})


def test_no_variable_goes_with_a_server_that_the_recipe_names(monkeypatch):
    monkeypatch.setenv("TONE", "kind")
    monkeypatch.setenv("DJFAST_RECIPE_ENV", "TONE")
    asks = {"optimize_query_mapper": {"system_prompt": "x", "api_endpoint": "http://127.0.0.1:9/chat"}}
    writes = {"replace_content_mapper": {"pattern": "a", "repl": "${TONE}"}}
    for process in ([{"optimize_query_mapper": {**asks["optimize_query_mapper"], "system_prompt": "${TONE}"}}], [writes, asks]):
        with pytest.raises(RecipeError, match=r"names a server, 127\.0\.0\.1:9; if you trust it, set DJFAST_LLM_HOSTS"):
            load_recipe({"process": process, "export_path": "o.jsonl"})
        with monkeypatch.context() as trusting:
            trusting.setenv("DJFAST_LLM_HOSTS", "127.0.0.1:9")
            load_recipe({"process": process, "export_path": "o.jsonl"})
    own = {"optimize_query_mapper": {"system_prompt": "${TONE}"}}
    assert load_recipe({"process": [own], "export_path": "o.jsonl"}).ops[0].system_prompt == "kind"


@pytest.mark.parametrize("checkpoint", [False, True])
def test_the_record_shows_variables_by_name(recipe, tmp_path, monkeypatch, capsys, checkpoint):
    monkeypatch.setenv("TONE", SECRET)
    monkeypatch.setenv("DJFAST_RECIPE_ENV", "TONE")
    path = recipe([{"replace_content_mapper": {"pattern": ["one", "$${x"], "repl": ["${TONE}", "b"]}}], use_checkpoint=checkpoint)
    assert main(["run", str(path)]) == 0
    assert main(["plan", str(path), "--json"]) == 0
    assert main(["plan", str(path)]) == 0
    assert main(["doctor", str(path)]) == 0
    shown = capsys.readouterr()
    record = (tmp_path / "out" / "o.run.json").read_text()
    assert SECRET not in shown.out + shown.err + record
    assert "${TONE}" in record
    assert "${TONE}" in shown.out
    assert json.loads((tmp_path / "out" / "o.jsonl").read_text()) == {"text": SECRET}
    again = load_recipe(json.loads(record)["recipe"])
    assert again.ops == load_recipe(path).ops


def test_a_job_does_not_go_on_with_another_value(recipe, monkeypatch, capsys):
    monkeypatch.setenv("DJFAST_RECIPE_ENV", "TONE")
    path = recipe([{"replace_content_mapper": {"pattern": "one", "repl": "${TONE}"}}], use_checkpoint=True)
    for value in ("first", "second"):
        monkeypatch.setenv("TONE", value)
        assert main(["run", str(path)]) == 0
        assert json.loads((path.parent / "out" / "o.jsonl").read_text()) == {"text": value}
    capsys.readouterr()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://u:p@h/x?api_key=S&a=1&sig=S#f", "http://h/x?api_key=***&a=1&sig=***#f"),
        ("got 'https://u@h:8/'", "got 'https://h:8/'"),
        ("s3://k:s@b/o", "s3://b/o"),
        ("http://h/?X-Amz-Signature=S&X-Amz-Credential=S&x=y z", "http://h/?X-Amz-Signature=***&X-Amz-Credential=***&x=y z"),
        ("http://h/?access_token=S http://a:b@h", "http://h/?access_token=*** http://h"),
        ("http://h/f?code=S&version=2 http://h/#access_token=S&state=1", "http://h/f?code=***&version=2 http://h/#access_token=***&state=1"),
        ("mail me@x.io about x://y", "mail me@x.io about x://y"),
    ],
)
def test_addresses_are_shown_without_secrets(text, shown):
    assert safe(text) == shown


def test_a_plan_shows_no_secrets_of_parameters(recipe, capsys):
    names = ["Authorization", "Cookie", "passwd", "pwd", "bearer", "passphrase", "organization", "api-key", "token", "X-Api-Key"]
    path = recipe(
        [
            {
                "optimize_query_mapper": {
                    "api_endpoint": f"http://user:{SECRET}@h.example/v1?api_key={SECRET}&sig={SECRET}",
                    "model_params": {name: SECRET for name in names}
                    | {"base_url": f"http://u:{SECRET}@h", "extra_headers": {"X-Custom": SECRET}, "default_headers": [SECRET]},
                    "sampling_params": {"max_tokens": 5},
                }
            }
        ]
    )
    assert main(["plan", str(path), "--no-probe"]) == 0
    assert main(["plan", str(path), "--no-probe", "--json"]) == 0
    out = capsys.readouterr().out
    assert SECRET not in out
    assert "max_tokens" in out
    assert SECRET not in json.dumps(load_recipe(path).text)


@pytest.mark.parametrize("given", [SECRET, [SECRET], {f"api_key:{SECRET}": None}, {"api_key": [SECRET]}, {"api_kee": SECRET}])
def test_a_mistake_beside_a_key_does_not_show_the_key(recipe, capsys, given):
    path = recipe([{"llm_quality_score_filter": {"api_endpoint": "http://127.0.0.1:9/v1", "model_params": given}}])
    for command in ("run", "plan", "doctor"):
        main([command, str(path)])
        said = capsys.readouterr()
        assert SECRET not in said.out + said.err, command


def test_what_a_recipe_gives_as_a_secret_is_not_in_messages_of_others(recipe, tmp_path, capsys):
    key = "correct horse battery"
    (tmp_path / "ops.py").write_text(
        "import djfast\n\n@djfast.mapper\ndef call_mapper(row, api_key: str):\n"
        "    raise ValueError(f'no access with {api_key}')\n"
    )
    path = recipe([{"call_mapper": {"api_key": key}}])
    assert main(["run", str(path), f"--custom_operator_paths={tmp_path / 'ops.py'}"]) == 1
    said = capsys.readouterr().err
    assert "no access with ***" in said
    assert key not in said
    assert [key in file.read_text() for file in (tmp_path / "out").iterdir()] == [False]


@pytest.mark.parametrize(("modes", "expected"), [((0o644, 0o644), 0o644), ((0o600, 0o644), 0o600), ((0o644, 0o640), 0o640)])
@pytest.mark.parametrize("checkpoint", [False, True])
def test_the_record_is_as_private_as_what_it_tells_of(recipe, tmp_path, modes, expected, checkpoint):
    path = recipe([], use_checkpoint=checkpoint)
    for file, mode in zip((path, tmp_path / "in.jsonl"), modes):
        file.chmod(mode)
    before = os.umask(0o022)
    try:
        djfast.run(str(path))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out" / "o.run.json").stat().st_mode) == expected


@pytest.mark.parametrize("value", ["0", "0 ", "false", "no", "off", "FALSE", "2", "never", "disabled", "-1"])
def test_code_of_users_is_forbidden_by_whatever_is_no_yes(monkeypatch, tmp_path, value):
    monkeypatch.setenv("DJFAST_USER_CODE", value)
    (tmp_path / "code_of_a_stranger.py").write_text("raise SystemExit")
    with pytest.raises(RecipeError, match="runs code of the recipe, which DJFAST_USER_CODE="):
        load_recipe({"custom_operator_paths": [str(tmp_path / "code_of_a_stranger.py")], "export_path": "o.jsonl"})
    with pytest.raises(RecipeError, match="runs code of the recipe"):
        djfast.Dataset.from_list([{"text": "a"}]).process(
            djfast.load_ops([{"python_lambda_mapper": {"lambda_str": "lambda row: row"}}])
        ).to_list()


@pytest.mark.parametrize("value", ["", "1", "true", "YES", " on "])
def test_yes_allows_it(monkeypatch, value):
    monkeypatch.setenv("DJFAST_USER_CODE", value)
    ops = djfast.load_ops([{"python_lambda_mapper": {"lambda_str": "lambda row: {'text': 'b'}"}}])
    assert djfast.Dataset.from_list([{"text": "a"}]).process(ops).to_list() == [{"text": "b"}]


def test_parameters_that_are_named_after_secrets_are_shown(recipe, tmp_path):
    path = recipe([{"pii_redaction_mapper": {"mask_secrets": True, "secret_replacement": "[gone]"}}])
    assert load_recipe(path).ops[0].given()["secret_replacement"] == "[gone]"
    djfast.run(str(path))
    shown = json.loads((tmp_path / "out" / "o.run.json").read_text())["recipe"]["process"]
    assert shown[0]["pii_redaction_mapper"]["secret_replacement"] == "[gone]"


def test_status_runs_no_code(recipe, tmp_path, capsys):
    (tmp_path / "counts_its_runs.py").write_text(
        "from pathlib import Path\nimport djfast\n"
        f"with Path({str(tmp_path / 'ran')!r}).open('a') as file: file.write('x')\n"
        "@djfast.mapper('counting_mapper')\ndef counting(row): return row\n"
    )
    path = recipe(["counting_mapper"], custom_operator_paths=[str(tmp_path / "counts_its_runs.py")], use_checkpoint=True)
    assert main(["status", str(path)]) == 1
    assert not (tmp_path / "ran").exists()
    assert main(["run", str(path)]) == 0
    assert main(["status", str(path)]) == 0
    assert (tmp_path / "ran").read_text() == "x"
    assert "complete: " in capsys.readouterr().out


def test_messages_cannot_forge_lines(caplog):
    logger("files").warning("%s cannot be read", "a\nWARNING b\x1b[2J\x9bm\u2028\u202e")
    with caplog.at_level(logging.WARNING):
        logger("files").warning("%s cannot be read", "a\nWARNING b\x1b[2J\x9bm\u2028\u202e")
    assert caplog.messages[-1] == "a\\nWARNING b\\x1b[2J\\x9bm\\u2028\\u202e cannot be read"
    assert lines_of("ä\tb\nc\r") == "ä\\tb\nc\\r"
