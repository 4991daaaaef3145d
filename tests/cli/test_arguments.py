"""The order of a recipe, the command's own options and options of recipes is no matter."""

import json

import pytest

from djfast.cli.main import main


@pytest.fixture
def recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.jsonl").write_text('{"text": "a b c d"}\n{"text": "a"}\n')
    (tmp_path / "r.yaml").write_text(
        "dataset_path: in.jsonl\nexport_path: out.jsonl\nprocess:\n- text_length_filter: {min_len: 1}\n"
    )
    return tmp_path / "r.yaml"


ORDERS = [
    "--config r.yaml {np} {len}",
    "{np} {len} --config r.yaml",
    "{np} --config r.yaml {len}",
    "r.yaml {np} {len}",
    "{np} {len} r.yaml",
    "{np} r.yaml {len}",
    "--config=r.yaml {np} {len}",
    "{np} --skip_op_error r.yaml {len}",
    "--skip_op_error false {len} r.yaml {np}",
    "{len} --set np=2 r.yaml",
    "--text_keys text {len} --config r.yaml",
]


@pytest.mark.parametrize("joined", [" ", "="])
@pytest.mark.parametrize("order", ORDERS)
def test_every_order_runs(recipe, order, joined):
    given = order.format(np=f"--np{joined}2", len=f"--text_length_filter.min_len{joined}3").split()
    assert main(["run", *given, "-q"]) == 0
    assert (recipe.parent / "out.jsonl").read_text().count("\n") == 1


@pytest.mark.parametrize("order", ORDERS)
def test_the_other_commands_take_the_same(recipe, order, capsys):
    given = order.format(np="--np 2", len="--text_length_filter.min_len 3").split()
    assert main(["plan", *given, "--json", "--no-probe"]) == 0
    assert json.loads(capsys.readouterr().out)
    assert main(["doctor", *given]) == 0
    assert main(["status", *given, "-q"]) == 1
    assert main(["submit", *given, "--set", "np=2", "--mpi", "openmpi", "--file", "job.sh"]) == 0
    assert "min_len" in (recipe.parent / "job.sh").read_text()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["run", "r.yaml", "other.yaml"], "unrecognized arguments: other.yaml"),
        (["run", "r.yaml", "--np"], "--np takes a value"),
        (["run", "--np", "--json", "r.yaml"], "--np takes a value"),
        (["rnu", "r.yaml"], "did you mean 'run'?"),
        (["zzz"], "got 'zzz'"),
    ],
)
def test_wrong_arguments_are_named(recipe, given, said, capsys):
    with pytest.raises(SystemExit) as stop:
        main(given)
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


def test_two_recipes_are_one_too_many(recipe, capsys):
    assert main(["run", "r.yaml", "--config", "other.yaml"]) == 2
    assert "two recipes" in capsys.readouterr().err


@pytest.mark.parametrize("given", [["help"], ["help", "run"], ["-V"], ["version"], ["--version"]])
def test_help_and_version_have_the_usual_names(given, capsys):
    with pytest.raises(SystemExit) as stop:
        main(given)
    assert stop.value.code == 0
    assert "djfast" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["run", "plan", "submit", "status", "fetch"])
def test_a_command_without_a_recipe_says_how_it_is_called(command, capsys):
    assert main([command]) == 2
    assert f"no recipe given: djfast {command} RECIPE" in capsys.readouterr().err


def test_doctor_takes_no_key_without_a_recipe(capsys):
    assert main(["doctor", "--np", "3"]) == 2
    assert "no recipe given: djfast doctor RECIPE" in capsys.readouterr().err


def test_the_home_folder_stands_before_a_recipe_too(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "r.yaml").write_text("process: [{text_length_filter: {min_len: 1}}]")
    assert main(["plan", "--config=~/r.yaml", "--no-probe"]) == 0
    assert "text_length_filter" in capsys.readouterr().out


@pytest.mark.parametrize(("given", "limit"), [("1", ">= 256MiB, got 1"), ("9MiB", ">= 256MiB, got '9MiB'"), ("9PiB", "such as")])
def test_sizes_are_told_as_people_write_them(tmp_path, given, limit, capsys):
    (tmp_path / "r.yaml").write_text("process: []")
    assert main(["plan", str(tmp_path / "r.yaml"), "--memory", given]) == 2
    assert limit in capsys.readouterr().err
