import pytest

from djfast.errors import RecipeError
from djfast.recipe.overrides import Override, parse_flags, parse_set

RECIPE = """\
np: 2
process:
  - text_length_filter: {min_len: 1}
  - clean_email_mapper
  - text_length_filter:
  - text_length_filter: {max_len: 99}
"""


def test_global_keys_are_replaced(load):
    assert load(RECIPE, "np=4", "export_path=x.json").settings["np"] == 4


def test_one_op_is_hit_by_its_number(load):
    recipe = load(RECIPE, "process.2.min_len=20")
    assert [op.given() for op in recipe.ops] == [{"min_len": 1}, {}, {"min_len": 20}, {"max_len": 99}]


def test_every_op_of_a_name_is_hit(load):
    recipe = load(RECIPE, "process.text_length_filter.min_len=20")
    assert [op.given() for op in recipe.ops] == [{"min_len": 20}, {}, {"min_len": 20}, {"min_len": 20, "max_len": 99}]


def test_an_op_without_parameters_gets_some(load):
    assert load(RECIPE, "process.1.repl=X").ops[1].repl == "X"


def test_an_op_shared_by_an_anchor_is_changed_once(load):
    recipe = load("process:\n- &a {text_length_filter: {min_len: 1}}\n- *a\n", "process.1.min_len=2")
    assert [op.min_len for op in recipe.ops] == [1, 2]


@pytest.mark.parametrize(
    "flags",
    [
        ["--np", "4", "--text_length_filter.min_len", "20"],
        ["--np=4", "--text_length_filter.min_len=20"],
    ],
)
def test_flags_of_data_juicer_work(load, flags):
    recipe = load(RECIPE, *parse_flags(flags))
    assert recipe.settings["np"] == 4
    assert [op.min_len for op in recipe.ops if op.spec.name == "text_length_filter"] == [20, 20, 20]


def test_flags_are_read():
    assert parse_flags(["--checkpoint.n_ops", "3", "--debug", "--open_tracer", "false"]) == [
        Override(("checkpoint", "n_ops"), "3", "--checkpoint.n_ops"),
        Override(("debug",), "true", "--debug"),
        Override(("open_tracer",), "false", "--open_tracer"),
    ]
    assert parse_flags(["--custom-operator-paths", "a.py", "b"])[0].path == ("custom_operator_paths",)
    assert parse_flags(["--repl=a=b"])[0].text == "a=b"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["np"], "an option starts with --, got 'np'"),
        (["--np"], "--np takes a value"),
        (["--np", "--debug"], "--np takes a value"),
        (["--np", "1", "2"], "an option starts with --, got '2'"),
    ],
)
def test_broken_flags_are_refused(flags, message):
    with pytest.raises(RecipeError) as raised:
        parse_flags(flags)
    assert str(raised.value) == message


@pytest.mark.parametrize("text", ["np", "=4", "a..b=1", ".np=1"])
def test_set_takes_path_and_value(text):
    with pytest.raises(RecipeError, match=r"^--set takes path=value"):
        parse_set(text)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("np=0", "--set np: np must be >= 1, got 0"),
        ("np=", "--set np: np must be an integer or auto, got None"),
        ("np=[1", "--set np: not valid YAML: did not find expected ',' or ']'"),
        ("nq=1", "--set nq: no such key (did you mean 'np'?), got 'nq'"),
        (
            "process.4.min_len=1",
            "--set process.4.min_len: process.4 does not exist: process has 4 entries (indices 0 to 3), got '4'",
        ),
        ("process.0=1", "--set process.0: needs a parameter after the OP, such as process.0.min_len"),
        (
            "process.0.min_len=-1",
            "--set process.0.min_len: text_length_filter: min_len must be >= 0, got -1",
        ),
        (
            "process.0.min_lenn=1",
            "--set process.0.min_lenn: text_length_filter: no such parameter (did you mean 'min_len'?), got 'min_lenn'",
        ),
        (
            "process.text_lenght_filter.min_len=1",
            "--set process.text_lenght_filter.min_len: process has no such OP (did you mean 'text_length_filter'?), "
            "got 'text_lenght_filter'",
        ),
        ("--words_num_filter.min_num=1", "--words_num_filter.min_num: process has no such OP, got 'words_num_filter'"),
        ("--np=0", "--np: np must be >= 1, got 0"),
        ("--nq=0", "--nq: no such key (did you mean 'np'?), got 'nq'"),
    ],
)
def test_mistakes_name_the_override(problems, override, message):
    assert problems(RECIPE, override) == [message]


def test_an_override_replaces_a_wrong_value(load):
    assert load("np: 0", "np=3").settings["np"] == 3


def test_values_are_yaml(load):
    assert load(RECIPE, "text_keys=[a, b]").settings["text_keys"] == ["a", "b"]
    assert load(RECIPE, "max_errors=null").settings["max_errors"] is None
    assert load(RECIPE, "skip_op_error=false").settings["skip_op_error"] is False


def test_texts_need_no_quotes(load):
    assert load(RECIPE, "project_name=12").settings["project_name"] == "12"
    assert load(RECIPE, "process.1.pattern=a: b: c").ops[1].pattern == "a: b: c"


def test_nested_keys_are_reached(load):
    recipe = load("dataset: {configs: [{path: a.jsonl}]}", "dataset.configs.0.path=b.jsonl", "checkpoint.n_ops=9")
    assert recipe.settings["inputs"] == ["b.jsonl"]
    assert recipe.notices[0].startswith("--set checkpoint.n_ops: checkpoint.n_ops has no effect: ")
