import pytest

from djfast.errors import RecipeError
from djfast.recipe.interpolation import escaped, interpolate


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("${DATA}/in", "/data/in"),
        ("${NONE:-x}", "x"),
        ("${NONE:-}", ""),
        ("${EMPTY:-x}", "x"),
        ("${EMPTY}", ""),
        ("${DATA:-x}", "/data"),
        ("${oc.env:DATA}", "/data"),
        ("${oc.env:NONE, y}", "y"),
        ("$${DATA}", "${DATA}"),
        ("$$${DATA}", "$${DATA}"),
        ("^a{2}$", "^a{2}$"),
        ("${2}", "${2}"),
        ("$1 $$ $DATA", "$1 $$ $DATA"),
    ],
)
def test_references_are_replaced(text, expected):
    assert interpolate(text, {"DATA": "/data", "EMPTY": ""}) == expected


def test_two_references_stand_side_by_side():
    assert interpolate("${A}${B}", {"A": "1", "B": "2"}) == "12"


def test_values_are_not_interpolated_again():
    assert interpolate("${A}", {"A": "${B}", "B": "x"}) == "${B}"


@pytest.mark.parametrize("text", ["plain", "${A}", "$${A}", "$$${A}", "a${A}b${B}", "${2}", "$"])
def test_an_escaped_text_means_itself(text):
    assert interpolate(escaped(text), {}) == text


def test_an_unset_variable_is_an_error():
    with pytest.raises(RecipeError, match=r"^the environment variable is not set and there is no default, got '\$\{A\}'$"):
        interpolate("x${A}", {})


def test_other_references_are_an_error():
    with pytest.raises(RecipeError, match=r"got '\$\{a\.b\}'$"):
        interpolate("${a.b}", {})


def test_numbers_come_from_the_environment(load):
    assert load("np: ${THREADS}", environment={"THREADS": "3"}).settings["np"] == 3


def test_quoted_references_are_texts_unless_a_number_is_wanted(load, problems):
    assert load("np: '${THREADS}'\nexport_path: '${THREADS}.jsonl'", environment={"THREADS": "3"}).settings["np"] == 3
    [problem] = problems("np: '${THREADS}'", environment={"THREADS": "many"})
    assert problem == "recipe.yaml:1: np must be an integer or auto, got '${THREADS}'"


def test_an_unset_variable_names_the_line(problems):
    assert problems("np: 1\nexport_path: ${OUT}/x.jsonl", environment={}) == [
        "recipe.yaml:2: the environment variable is not set and there is no default, got '${OUT}'"
    ]


def test_an_override_makes_the_variable_unnecessary(load):
    assert load("export_path: ${OUT}", "export_path=x.json", environment={}).settings["export_format"] == "json"
