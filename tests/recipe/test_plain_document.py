"""What is read without the YAML library means the same to it."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from djfast.errors import RecipeError
from djfast.recipe import document, plain_document

RECIPES = Path(__file__).parents[2] / "recipes"

PLAIN = """\
# A recipe.
project_name: web text  # of 2024
dataset_path: ./in/a-b.jsonl
np: 2
open_tracer: false
text_keys: 'text'
note: "a: b # c"
empty:
export:
    path: /out/x.jsonl

    more:
      deep: -1.5
process:
- alphanumeric_filter:
    tokenization: false
    min_ratio: 0.6
-   text_length_filter:
        min_len: 10

        max_len: 1000000
- fix_unicode_mapper
- words_num_filter:
- list_of_things:
    names:
    - a
    - 'b'
    others:
      - c
      -  d
last: yes
"""

# Each is a mistake, or means something that only the library knows.
OTHER = (
    "", "\n", "# nothing\n", "...", "---", "--- a", "a: 1\n---\nb: 2", "a: 1\na: 2", "a: {b: 1}", "a: [1]", "a: &x 1\nb: *x",
    "<<: 1", "a: |\n  text", "a: >\n  text", "a: b\n  c", "a:\n  b\n  c", "- a\n  b", "a: 'it''s'", 'a: "\\n"', "a: b: c",
    "a:b", "a: 1\n b: 2", "  a: 1\nb: 2", "a:\n    b: 1\n  c: 2", "- a\nb: 1", "a: 1\n- b", "a:\n- b\n  - c", "- - a", "-\n  a",
    "- a: 1\n   b: 2", "- a: 1\n b: 2", "a: !!str 1", "a: ~", "? a", "a:\tb", "a: b\t", "a: 1\r\nb: 2", "\ufeffa: 1", "a: é",
    "# \x07\na: 1", "a: @b", "a: `b", "a: %b", "a: *b", "a: b#c #", "a: 'b' c", "a: 'b", '"a": 1', "1: 2", "a : 1", "- ",
    "a: - b", "'a\nb'",
    "a: b\n# c\n  d", "a:\n" + 30 * " " + "b: 1", "x: " + 70_000 * "a",
)  # fmt: skip


def general(text: str, *, line_numbers: bool = True) -> object:
    return document._Reader(text, "here", line_numbers=line_numbers).read()


@pytest.mark.parametrize("text", [PLAIN, *(path.read_text() for path in sorted(RECIPES.glob("*.yaml")))])
def test_usual_recipes_are_read(text: str) -> None:
    assert plain_document.read_plain(text, "here") == general(text)


@pytest.mark.parametrize(
    "text",
    ["a: 1", "a: 1\n", "- a", "- a: 1\n  b: 2\n- c", "a:\n- b\nc: 1", "a:", "a:\n\n\n", "a: -1", "a: ''", "a: x - y", "a: a'b",
     "  a: 1\n  b: 2", "5", "text", "'quoted'", "a: .5", "a: ...", "a: 1#", "a.b-c: 1"],
)  # fmt: skip
def test_read_or_left_to_the_library(text: str) -> None:
    for line_numbers in (True, False):
        plain = plain_document.read_plain(text, "here", line_numbers=line_numbers)
        assert plain is None or plain == general(text, line_numbers=line_numbers)


@pytest.mark.parametrize("text", OTHER)
def test_what_is_not_plain_is_left_to_the_library(text: str) -> None:
    assert plain_document.read_plain(text, "here") is None


def test_damaged_recipes_mean_the_same_or_are_left_to_the_library() -> None:
    rng = random.Random(20)
    characters = "  \n\n--::#'\"abAZ019._/+,[]{}&*!|>%@`~?\t\\é"
    read = 0
    for _ in range(3000):
        text = list(PLAIN)
        start = rng.randrange(len(text))
        text = text[start : start + rng.randint(1, 300)] if rng.random() < 0.7 else text
        for _ in range(rng.randint(0, 3)):
            at = rng.randrange(len(text) + 1)
            text[at : at + rng.randint(0, 2)] = rng.choices(characters, k=rng.randint(0, 2))
        damaged = "".join(text)
        plain = plain_document.read_plain(damaged, "here")
        if plain is not None:
            read += 1
            try:
                assert plain == general(damaged), damaged
            except RecipeError as error:
                pytest.fail(f"{error}:\n{damaged}")
    assert read > 300


def test_values_mean_the_same() -> None:
    texts = [
        "", "null", "Null", "NULL", "nULL", "true", "True", "TRUE", "tRUE", "yes", "No", "ON", "off", "y", "n", "0", "-0", "+1",
        "-1", "12", "012", "1_000", "0x1f", "0b1", "1:30", "1.5", "-1.5", "+1.5", "1.", ".5", "1e3", "1.5e3", "-0.0", ".inf",
        "-.inf", ".nan", "nan", "inf", "~", "2024-01-01", "/a/b", "a b", "_", "1a", "-", "--", "true\n", "yes\n", "1\n",
        "1.5\n", "a\nb", "٣", "9" * 99, "9" * 101, "9" * 300, "1." + "5" * 60, "a" * 300,
    ]  # fmt: skip
    for text in texts:
        is_known, value = plain_document.plain_value(text)
        if is_known:
            assert repr(value) == repr(_by_library(text)), text


def _by_library(text: str) -> object:
    import yaml

    tag = document._resolver(yaml).resolve(yaml.ScalarNode, text, (True, False))
    return document.typed_value(text, tag) if tag in document._SCALAR_TAGS else text


def test_a_plain_recipe_does_not_load_the_library(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("dataset_path: in.jsonl\nexport_path: out.jsonl\nprocess:\n- text_length_filter:\n    min_len: 3\n")
    code = "import sys; from djfast.recipe.load import load_recipe; load_recipe(sys.argv[1]); print('yaml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, str(recipe)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
