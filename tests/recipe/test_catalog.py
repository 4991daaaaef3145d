import subprocess
import sys
from importlib import import_module

import pytest

from djfast import catalog
from djfast.declare import MISSING, REGISTRY, Deduplicator, Filter, Fused, Grouper, Mapper, Selector
from djfast.errors import RecipeError
from djfast.expr import Expr
from djfast.ops.text.lengths import TextLengthFilter
from djfast.peer_names import NEVER_HERE, PEER_NAMES

SPECS = catalog.all_specs()


def test_the_index_equals_what_the_modules_declare():
    for module in sorted(set(catalog.OPS.values())):
        import_module(module)
    declared = {name: spec.cls.__module__ for name, spec in REGISTRY.items() if spec.cls.__module__.startswith("djfast.")}
    assert declared == catalog.OPS


def test_the_index_is_in_alphabetical_order():
    assert list(catalog.OPS) == sorted(catalog.OPS)


def test_listing_names_imports_nothing_heavy():
    code = (
        "import sys; import djfast.catalog as c; c.names();"
        "heavy = {'yaml', 'numpy', 'pyarrow', 'regex', 'ftfy', 'dataclasses', 'difflib'} & set(sys.modules);"
        "ops = [m for m in sys.modules if m.startswith('djfast.ops.')];"
        "assert not heavy and not ops, (heavy, ops)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_making_ops_imports_nothing_heavy():
    code = (
        "import sys; import djfast.catalog as c; c.all_specs();"
        "heavy = {'yaml', 'numpy', 'pyarrow', 'regex', 'ftfy', 'dataclasses', 'difflib'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_ops_are_found_by_name():
    assert catalog.find("text_length_filter").cls is TextLengthFilter


def test_an_op_that_will_never_be_is_named_with_the_reason(monkeypatch):
    monkeypatch.setitem(NEVER_HERE, "video_nsfw_filter", "there is a reason")
    with pytest.raises(RecipeError, match=r"^video_nsfw_filter is an OP .* that djfast will not have: there is a reason$"):
        catalog.find("video_nsfw_filter")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("text_length_fliter", "no such OP (did you mean 'text_length_filter'?), got 'text_length_fliter'"),
        ("image_sze_filter", "no such OP (did you mean 'image_size_filter'?), got 'image_sze_filter'"),
        ("language_filter", "no such OP (did you mean 'language_id_score_filter'?), got 'language_filter'"),
        ("video_nsfw_filter", "video_nsfw_filter is an OP of Data-Juicer that djfast does not have yet"),
        ("zzz", "no such OP, got 'zzz'"),
    ],
)
def test_unknown_ops_are_named(name, message):
    with pytest.raises(RecipeError) as raised:
        catalog.find(name)
    assert str(raised.value) == message


def test_load_ops_takes_every_form_of_a_recipe():
    ops = catalog.load_ops([{"text_length_filter": {"min_len": 5}}, {"text_length_filter": None}, "text_length_filter"])
    assert ops == [TextLengthFilter(min_len=5), TextLengthFilter(), TextLengthFilter()]


NOT_AN_OP = (
    "an OP is given as its name, as a mapping of its name to its parameters, as a decorated function or as an object of its "
    "class, got "
)



@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            {"text_length_filter": {"min_lenn": 5}},
            "text_length_filter: no such parameter (did you mean 'min_len'?), got 'min_lenn'",
        ),
        ({"text_length_filter": {"min_len": -5}}, "text_length_filter: min_len must be >= 0, got -5"),
        ({"text_length_filter": 5}, "text_length_filter: parameters must be a mapping or null, got 5"),
        ({}, f"{NOT_AN_OP}{{}}"),
        (5, f"{NOT_AN_OP}5"),
    ],
)
def test_load_ops_says_what_is_wrong(item, message):
    with pytest.raises(RecipeError) as raised:
        catalog.load_ops([item])
    assert str(raised.value) == message


def test_every_op_has_a_name_that_data_juicer_knows():
    assert set(catalog.OPS) <= PEER_NAMES


def test_what_will_never_be_here_is_not_here_and_says_why():
    assert set(NEVER_HERE) <= PEER_NAMES - set(catalog.OPS)
    assert all(reason and not reason.endswith(".") for reason in NEVER_HERE.values())


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_declarations_are_complete(spec):
    assert spec.summary.endswith((".", ":"))
    assert "empty" in spec.description or "white space only" in spec.description
    for param in spec.params:
        assert param.doc.endswith("."), param.name
        if param.default is not MISSING and not param.refused:
            assert param.check(param.default) == param.default


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_own_parameters_come_first_and_are_no_common_ones(spec):
    common = {"text_key", "num_proc", "reversed_range", "skip_op_error"}
    assert not common & {param.name for param in spec.own_params}
    assert spec.params[: len(spec.own_params)] == spec.own_params


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_expressions_can_be_made_and_hashed(spec):
    has_to_be_given = any(param.default is MISSING for param in spec.params)
    op = spec.cls(**(spec.examples[0].params if has_to_be_given else {}))
    if op.rewrite() is not None:
        expressions = [op.rewrite()]
    elif isinstance(op, Filter):
        kept = [op.keep()] if op.keep() is not None else []
        expressions = [*op.stats().values(), *kept]
        assert set().union(*map(stat_names, kept)) <= set(op.stats())
    elif isinstance(op, Mapper):
        expressions = [*op.assign().values(), *op.tags().values()]
    elif isinstance(op, Grouper):
        expressions = [expression for expression in [op.group()] if expression]
    elif isinstance(op, Fused):
        expressions = []
    elif isinstance(op, Selector):
        assert op.selection().kind == "all"
        expressions = [expression for expression in (op.keep(), op.values()) if expression]
    else:
        assert isinstance(op, Deduplicator)
        assert op.rule().kind in ("equal", "bands", "hamming")
        expressions = [op.key(), *op.columns().values()]
    for expression in expressions:
        assert isinstance(hash(expression), int)


def stat_names(expression: Expr) -> set[str]:
    if expression.fn == "col":
        return {expression.param("name")}
    return set().union(*(stat_names(argument) for argument in expression.args))


def test_parameters_whose_default_is_a_list_can_be_given():
    given = {"query_entities": ["E"], "sampling_params": {"temperature": 1}}
    [op] = catalog.load_ops([{"extract_entity_attribute_mapper": given}])
    assert op.given() == given
