"""Names that stand for other OPs."""

import pytest

import djfast
from djfast.errors import RecipeError

NESTED = """\
dataset_path: in.jsonl
export_path: out.jsonl
process:
  - clean_email_mapper
  - general_fused_op:
      batch_size: 7
      fused_op_list:
        - text_length_filter:
            min_len: 5
        - fused_sequential_batch_op:
            group_name: g
            fused_ops: [clean_links_mapper]
            op_specs: [words_num_filter]
  - general_fused_op:
  - fused_sequential_batch_op: {op_specs: null}
"""


def test_members_take_the_place_of_a_fused_op(load):
    recipe = load(NESTED)
    names = ["clean_email_mapper", "text_length_filter", "words_num_filter", "clean_links_mapper"]
    assert [op.spec.name for op in recipe.ops] == names
    assert recipe.op_lines == (4, 8, 13, 12)
    assert recipe.ops[1].min_len == 5
    assert [next(iter(item)) for item in recipe.text["process"]] == names
    assert any(
        notice.startswith("recipe.yaml:11: fused_sequential_batch_op: group_name has no effect") for notice in recipe.notices
    )


def test_python_makes_the_same_ops():
    members = [{"text_length_filter": {"min_len": 5}}, {"general_fused_op": {"fused_op_list": ["clean_email_mapper"]}}]
    fused = djfast.load_ops([{"fused_sequential_batch_op": {"op_specs": members}}, "general_fused_op"])
    assert [op.spec.name for op in fused] == ["fused_sequential_batch_op", "general_fused_op"]
    rows = [{"text": "write to a@b.org"}, {"text": "no"}]
    apart = djfast.Dataset.from_list(rows).process(djfast.load_ops([members[0], "clean_email_mapper"]))
    assert djfast.Dataset.from_list(rows).process(fused).to_list(stats=True) == apart.to_list(stats=True)
    assert djfast.Dataset.from_list(rows).process(fused[0]).to_list() == apart.to_list()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{fused_op_list: [{text_length_filter: {min_len: -1}}]}", "text_length_filter: min_len must be >= 0, got -1"),
        (
            "{fused_op_list: [text_lenth_filter]}",
            "no such OP (did you mean 'text_length_filter'?), got 'text_lenth_filter'",
        ),
        ("{fused_op_list: 5}", "general_fused_op: fused_op_list must be a list of OPs or null"),
        (
            "{fused_op_lists: []}",
            "general_fused_op: no such parameter (did you mean 'fused_op_list'?), got 'fused_op_lists'",
        ),
        (
            "{fused_op_list: [{clean_email_mapper: , clean_links_mapper: }]}",
            "an item of process is one OP, with its parameters indented below its name, "
            "got the keys 'clean_email_mapper', 'clean_links_mapper'",
        ),
    ],
)
def test_mistakes_are_told_with_their_place(problems, line, message):
    text = f"dataset_path: in.jsonl\nexport_path: out.jsonl\nprocess:\n  - general_fused_op:\n      {line}\n"
    assert problems(text) == [f"recipe.yaml:5: {message}"]


def test_a_parameter_that_members_have_themselves_is_noticed(load):
    text = "dataset_path: in.jsonl\nexport_path: out.jsonl\nprocess: [{general_fused_op: {text_key: x, fused_op_list: []}}]\n"
    assert "recipe.yaml:3: general_fused_op: text_key has no effect: the OPs it lists have their own" in load(text).notices


def test_fused_ops_are_not_nested_without_end(problems):
    item = "clean_email_mapper"
    for _ in range(17):
        item = f"{{general_fused_op: {{fused_op_list: [{item}]}}}}"
    message = "general_fused_op: fused OPs must not be nested deeper than 16 levels"
    assert problems(f"dataset_path: in.jsonl\nexport_path: out.jsonl\nprocess: [{item}]\n") == [f"recipe.yaml:3: {message}"]
    endless: dict = {"general_fused_op": {"fused_op_list": []}}
    endless["general_fused_op"]["fused_op_list"].append(endless)
    with pytest.raises(RecipeError, match="deeper than 16 levels"):
        djfast.load_ops([endless])


@pytest.mark.parametrize("listed", [5, "clean_email_mapper", {"clean_email_mapper": None}])
def test_a_list_that_is_none_is_refused(listed):
    with pytest.raises(RecipeError, match=r"general_fused_op: fused_op_list must be a list or null, got "):
        djfast.load_ops([{"general_fused_op": {"fused_op_list": listed}}])


def test_a_field_cannot_be_dropped_by_a_fused_op():
    with pytest.raises(RecipeError, match=r"cleanup_columns cannot be used here: .*, got \['x'\]"):
        djfast.load_ops([{"fused_sequential_batch_op": {"cleanup_columns": ["x"]}}])
