import pytest

from djfast.recipe.document import MAX_BYTES


def test_tags_of_python_are_refused(problems):
    assert problems("np: !!python/object/apply:os.system ['true']") == [
        "recipe.yaml:1: tags other than those of plain YAML are not allowed, got "
        "'tag:yaml.org,2002:python/object/apply:os.system'"
    ]


@pytest.mark.parametrize("tag", ["!custom x", "!!timestamp 2001-01-01", "!!set {a}", "!!binary YQ=="])
def test_other_tags_are_refused(problems, tag):
    [line] = problems(f"project_name: {tag}")
    assert line.startswith("recipe.yaml:1: tags other than those of plain YAML are not allowed, got ")


def test_plain_tags_are_allowed(load):
    recipe = load("project_name: !!str 12\nnp: !!int '3'\nprocess: !!seq []\ntext_keys: ! x\n")
    assert recipe.settings["project_name"] == "12"
    assert recipe.settings["np"] == 3


def test_a_billion_laughs_are_refused(problems):
    levels = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert problems("\n".join(levels)) == ["recipe.yaml:5: the document unfolds to more than 100000 values"]


def test_merge_keys_cannot_laugh_either(problems):
    levels = ["a0: &a0 {k: 1}"]
    levels += [f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}" for i in range(1, 12)]
    [line] = problems("\n".join(levels))
    assert line.endswith("the document unfolds to more than 100000 values")


def test_deep_nesting_is_refused(problems):
    assert problems("np: " + "[" * 65 + "]" * 65) == ["recipe.yaml:1: values are nested deeper than 64 levels"]


def test_nesting_without_end_is_refused(problems):
    # The YAML library may have a limit of its own that it meets first; what it says then is its own affair.
    [line] = problems("np: " + "[" * 100_000)
    assert line.startswith("recipe.yaml:1: ")


def test_deep_nesting_by_aliases_is_refused(problems):
    levels = ["a0: &a0 x"]
    levels += [f"a{i}: &a{i} {'[' * 30}*a{i - 1}{']' * 30}" for i in range(1, 100)]
    assert problems("\n".join(levels)) == ["recipe.yaml:4: values are nested deeper than 64 levels"]


def test_sixty_levels_are_fine(problems):
    [line] = problems("np: " + "[" * 60 + "]" * 60)
    assert line.startswith("recipe.yaml:1: np must be an integer or auto, got [[[")


def test_an_alias_to_its_own_collection_is_refused(problems):
    assert problems("np: &a [*a]") == ["recipe.yaml:1: the anchor 'a' contains itself"]


def test_an_unknown_alias_is_refused(problems):
    assert problems("np: *nothing") == ["recipe.yaml:1: no anchor of this name, got 'nothing'"]


def test_large_documents_are_refused(problems):
    assert problems("#" * (MAX_BYTES + 1)) == [f"recipe.yaml: a recipe must not be larger than {MAX_BYTES} bytes"]


def test_keys_must_not_repeat(problems):
    assert problems("np: 1\nproject_name: x\nnp: 2") == ["recipe.yaml:3: the key is there twice, got 'np'"]
    assert problems("process:\n- text_length_filter:\n    min_len: 1\n    min_len: 2\n") == [
        "recipe.yaml:4: the key is there twice, got 'min_len'"
    ]


def test_the_same_key_flat_and_nested_is_refused(problems):
    assert problems("checkpoint: {n_ops: 1}\ncheckpoint.n_ops: 2") == [
        "recipe.yaml:2: the key is there twice, got 'checkpoint.n_ops'"
    ]


def test_keys_must_be_texts(problems):
    assert problems("{[a]: 1}") == ["recipe.yaml:1: keys must be strings"]


def test_yes_and_on_can_be_keys(problems):
    assert problems("on: 1") == ["recipe.yaml:1: no such key, got 'on'"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "recipe.yaml: is empty"),
        ("# nothing\n", "recipe.yaml: is empty"),
        ("- a\n", "recipe.yaml:1: a recipe must be a mapping of keys to values"),
        ("just text", "recipe.yaml:1: a recipe must be a mapping of keys to values"),
        ("np: 1\n---\nnp: 2\n", "recipe.yaml:2: there must be one document only"),
        ("a: 1\nb: [1,\n", "recipe.yaml:3: not valid YAML: did not find expected node content"),
        (b"a: 1\nb: \xff", "recipe.yaml:2: a recipe must be UTF-8, got byte 0xff"),
    ],
)
def test_documents_that_are_no_recipe_are_refused(problems, text, message):
    assert problems(text) == [message]


def test_control_characters_are_refused(problems):
    [line] = problems(b"np: \x01")
    assert line.startswith("recipe.yaml: not valid YAML: ")


def test_a_byte_order_mark_is_skipped(load):
    assert load(b"\xef\xbb\xbfnp: 3").settings["np"] == 3


@pytest.mark.parametrize("number", ["9" * 5000, "1" + ":59" * 100_000, "0x" + "f" * 300_000])
def test_huge_numbers_cost_nothing(problems, number):
    [line] = problems(f"np: {number}")
    assert line.startswith("recipe.yaml:1: np must be an integer or auto, got '")


def test_numbers_beyond_64_bits_are_refused(problems):
    assert problems("process:\n- text_length_filter: {max_len: 9223372036854775808}") == [
        "recipe.yaml:2: text_length_filter: max_len must be <= 9223372036854775807, got 9223372036854775808"
    ]


def test_the_pure_python_parser_gives_the_same(monkeypatch, problems):
    import yaml

    monkeypatch.delattr(yaml, "CSafeLoader")
    assert problems("np: " + "[" * 10_000) == ["recipe.yaml:1: values are nested deeper than 64 levels"]
    assert problems("np: 0") == ["recipe.yaml:1: np must be >= 1, got 0"]


@pytest.mark.parametrize("line", ["text_lenght_filter{}: 1", "- text_lenght_filter{}", "  min_lenght{}: 1"])
def test_a_document_full_of_mistakes_is_not_searched_to_its_end(problems, line):
    start = {"-": "process:", " ": "process:\n- text_length_filter:\n   <<: {}"}.get(line[0], "np: 1")
    indent = " " if line[0] == " " else ""
    lines = problems(start + "\n" + "\n".join(indent + line.format(i) for i in range(30_000)))
    assert lines[-1] == "... and at least 30 more"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n\tb: 1\n", ":2: not valid YAML: a tab; indent with spaces"),
        ("process:\n- x:\n  \ty: 1\n", ":3: not valid YAML: a tab; indent with spaces"),
        ("dataset_path: -\n", ":1: not valid YAML: a value cannot begin with -; put it in quotes: '-'"),
        ("dataset_path: *.jsonl\n", ":1: not valid YAML: a value cannot begin with *; put it in quotes"),
        ("text_keys: @text\n", ":1: not valid YAML: a value cannot begin with @; put it in quotes"),
        *(
            (
                f'np: 1\ndataset_path: "{path}"\n',
                r":2: not valid YAML: a \ in double quotes begins an escape; put the value in single quotes, or write \\",
            )
            for path in (r"C:\data\in.jsonl", r"\d+", r"C:\users\me", r"C:\xyz")
        ),
        ("np: 1\nproject_name: a: b\n", ":2: not valid YAML: a value cannot hold a colon and a space; put it in quotes"),
    ],
)
def test_the_usual_slips_are_named(problems, text, message):
    assert problems(text) == [f"recipe.yaml{message}"]
