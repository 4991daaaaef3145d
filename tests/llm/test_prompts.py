"""Prompt files and templates: strict, and blind to what is filled in."""

from __future__ import annotations

import pytest

from djfast.errors import RecipeError
from djfast.llm.prompts import Prompt, Template, load_prompt


def test_a_prompt_of_the_package_is_loaded():
    prompt = load_prompt("quality_score")
    assert prompt.version == "quality_score.en/2"
    assert list(prompt.sections) == ["system", "input"]
    assert prompt.template("input", ["data"]).fill(data="{x} {0}") == "## Data\n{x} {0}\n\n## Your answer"
    assert '{"dimension_scores": {"accuracy"' in prompt.template("system").fill()


def test_a_prompt_in_another_language_is_loaded():
    prompt = load_prompt("calibrate_qa", "zh")
    assert prompt.template("qa_pair", ["query", "response"]).fill(query="问", response="答") == "【问题】\n问\n【回答】\n答"


@pytest.mark.parametrize(
    ("name", "language"), [("quality_score", "fr"), ("../errors", "en"), ("nothing", "en"), ("", "en"), ("x", "*")]
)
def test_a_prompt_that_is_not_there_is_told(name, language):
    with pytest.raises(RecipeError, match="prompt must be one of the package's") as caught:
        load_prompt(name, language)
    assert ("quality_score.en" in str(caught.value)) == (name == "quality_score")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the first line must be like 'version: 1', got ''"),
        ("# system\nx", "the first line must be"),
        ("version: x\n", "the first line must be"),
        ("version: 1\nstray\n# system\nx", "text must be in a section such as '# system', got 'stray'"),
        ("version: 1\n# a\nx\n# a\ny", "sections must have different names, got # a twice"),
    ],
)
def test_a_bad_file_is_told(text, message):
    with pytest.raises(RecipeError) as caught:
        Prompt("p", "en", text)
    assert str(caught.value).startswith(f"prompt p.en: {message}")


def test_a_missing_section_is_told():
    with pytest.raises(RecipeError, match="must have one of its sections, a, got # b"):
        Prompt("p", "en", "version: 1\n# a\nx").template("b")


def test_lower_headings_are_text():
    assert Prompt("p", "en", "version: 1\n# a\n## b\n### 情节\n# Not A Name").sections == {"a": "## b\n### 情节\n# Not A Name"}


def test_the_users_template_takes_the_place_of_ours():
    prompt = load_prompt("quality_score")
    assert prompt.template("input", ["data"], given="Q: {data}", what="input_template").fill(data="x") == "Q: x"
    assert prompt.template("input", ["data"], given="").fill(data="x").startswith("## Data")


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{a} and {b}", "1 and 2"),
        ("{} and {}", "1 and 2"),
        ("{1} and {0}", "2 and 1"),
        ("{{a}} {a}{a}", "{a} 11"),
        ("no placeholder", "no placeholder"),
        ("", ""),
    ],
)
def test_placeholders(text, filled):
    assert Template(text, ["a", "b"], what="t").fill(a="1", b="2") == filled


@pytest.mark.parametrize("value", ["{b}", "{}", "{{", "%s", "{a.__class__}", "\\1", "\0"])
def test_braces_in_data_mean_nothing(value):
    assert Template("<{a}>", ["a"], what="t").fill(a=value) == f"<{value}>"


@pytest.mark.parametrize(
    "field", ["c", "a.__class__", "a[0]", "a!r", "a:>10", "a:{b}", "2", "0.x", " a", "a ", "A", "٠", "a!r:>99999999999"]
)
def test_what_may_not_stand_in_braces(field):
    with pytest.raises(RecipeError) as caught:
        Template("x {" + field + "}", ["a", "b"], what="input_template")
    assert str(caught.value).startswith("input_template may hold {a}, {b} (double a brace to write one), got {")


@pytest.mark.parametrize("text", ["{", "}", "{a", "a}", "{a!}", "{a!rr}"])
def test_a_lonely_brace_is_told(text):
    with pytest.raises(RecipeError, match="double a brace to write one"):
        Template(text, ["a"], what="input_template")


def test_templates_have_limits():
    with pytest.raises(RecipeError, match="at most 100000 characters"):
        Template("x" * 100_001, [], what="t")
    with pytest.raises(RecipeError, match="at most 100 placeholders"):
        Template("{a}" * 101, ["a"], what="t")


def test_values_must_be_exactly_those():
    template = Template("{a}", ["a", "b"], what="t")
    for values in ({"a": "1"}, {"a": "1", "b": "2", "c": "3"}, {"a": 1, "b": "2"}):
        with pytest.raises(TypeError):
            template.fill(**values)
