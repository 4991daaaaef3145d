"""Copies of rows with random changes: always the same ones, and nothing else is disturbed."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

import djfast
from djfast.catalog import find

pytest.importorskip("nlpaug", reason="the extra augment is not installed")
pytest.importorskip("nlpcda", reason="the extra augment is not installed")

from djfast.functions.augmentation import bind_nlpaug_rows, bind_nlpcda_rows

ENGLISH = "The quick brown fox jumps over the lazy dog number 7 today"
CHINESE = "这个软件包提供了一个很长的中文句子，用来测试随机数据增强，共有3个例子。"


DEFAULTS = {"text_key": "text", "sequential": False, "copies": 1, "keep_original": True, "seed": 42}


def nlpaug(*methods, **params):
    return bind_nlpaug_rows(methods=methods, **{**DEFAULTS, **params})


def nlpcda(*methods, **params):
    return bind_nlpcda_rows(methods=methods, **{**DEFAULTS, **params})


def texts(rows):
    return [row["text"] for row in rows]


@pytest.mark.parametrize("method", find("nlpaug_en_mapper").cls.methods)
def test_every_english_method_changes_the_text_and_nothing_else(method):
    row, copy = nlpaug(method)({"text": ENGLISH, "id": [1]})
    assert row == {"text": ENGLISH, "id": [1]}
    assert copy["text"] != ENGLISH
    assert copy["id"] == [1]


@pytest.mark.parametrize("method", find("nlpcda_zh_mapper").cls.methods)
def test_every_chinese_method_changes_the_text_and_nothing_else(method):
    row, copy = nlpcda(method)({"text": CHINESE, "id": [1]})
    assert row == {"text": CHINESE, "id": [1]}
    assert copy["text"] != CHINESE
    assert copy["id"] == [1]


@pytest.mark.parametrize(
    ("make", "methods", "text"),
    [
        (nlpaug, ("swap_random_word", "delete_random_char"), ENGLISH),
        (nlpcda, ("replace_homophone_char", "delete_random_char"), CHINESE),
    ],
)
def test_rows_are_counted_as_the_parameters_say(make, methods, text):
    assert len(make(*methods, copies=3)({"text": text})) == 1 + 2 * 3
    assert len(make(*methods, copies=3, sequential=True)({"text": text})) == 1 + 3
    assert len(make(*methods, copies=3, keep_original=False)({"text": text})) == 2 * 3
    assert make()({"text": text}) == [{"text": text}]
    assert make(keep_original=False)({"text": text}) == []


def test_methods_come_one_after_the_other():
    made = texts(nlpcda("delete_random_char", "replace_equivalent_num", keep_original=False)({"text": CHINESE}))
    assert made == [
        *texts(nlpcda("delete_random_char", keep_original=False)({"text": CHINESE})),
        made[1],
    ]
    assert len(made[0]) < len(CHINESE) == len(made[1])


@pytest.mark.parametrize(
    ("make", "method", "text"), [(nlpaug, "insert_random_char", ENGLISH), (nlpcda, "swap_random_char", CHINESE)]
)
def test_the_text_and_the_seed_decide(make, method, text):
    change = make(method, copies=2)
    first = change({"text": text})
    change({"text": text + text})
    random.random()
    assert change({"text": text}) == first == make(method, copies=2)({"text": text})
    assert make(method, copies=2, seed=43)({"text": text}) != first


def test_random_numbers_of_others_are_left_alone():
    import numpy

    random.seed(1)
    numpy.random.seed(1)
    expected = random.random(), numpy.random.random()
    random.seed(1)
    numpy.random.seed(1)
    nlpaug("swap_random_word", "insert_random_char")({"text": ENGLISH})
    nlpcda("swap_random_char")({"text": CHINESE})
    assert (random.random(), numpy.random.random()) == expected


def test_words_of_synonyms_stay_with_their_op():
    before = texts(nlpcda("delete_random_char")({"text": CHINESE * 5}))
    nlpcda("replace_similar_word")({"text": CHINESE})
    assert texts(nlpcda("delete_random_char")({"text": CHINESE * 5})) == before


@pytest.mark.parametrize(("make", "op"), [(nlpaug, "nlpaug_en_mapper"), (nlpcda, "nlpcda_zh_mapper")])
def test_unusual_texts_do_no_harm(make, op):
    change = make(*find(op).cls.methods)
    for text in ["  ", "a", "\n", "🙂", "ﬁ ﬂ", "\u0301", "x" * 5000, "数" * 1000, "1,2;3 (4)"]:
        rows = change({"text": text})
        assert rows[0] == {"text": text}
        assert all(isinstance(row["text"], str) for row in rows)
    assert change({"text": ""}) == [{"text": ""}]


def test_sequential_copies_go_through_the_methods_that_can_change_them():
    without_synonyms = "甲A乙B丙C丁D戊E己F庚G辛H壬I癸，甲A乙B丙C丁D戊E己F庚G辛H壬I癸。"
    change = nlpcda("replace_similar_word", "delete_random_char", sequential=True, copies=2, keep_original=False)
    assert len(change({"text": without_synonyms})) == 1
    assert change({"text": "ab"}) == []


def test_dots_descend_and_the_original_row_is_not_touched():
    row = {"text": {"en": ENGLISH}, "id": 1}
    same, copy = nlpaug("delete_random_word", text_key="text.en")(row)
    assert same == {"text": {"en": ENGLISH}, "id": 1}
    assert copy["text"]["en"] != ENGLISH


@pytest.mark.parametrize("row", [{}, {"text": None}, {"text": 3}, {"text": ["a"]}])
@pytest.mark.parametrize("make", [nlpaug, nlpcda])
def test_a_row_without_a_text_is_an_error(make, row):
    with pytest.raises(TypeError, match="field 'text' must be a string, got"):
        make()(row)


@pytest.mark.parametrize(
    "op",
    [
        {"nlpaug_en_mapper": {"ocr_error_char": True, "swap_random_word": True, "aug_num": 2}},
        {"nlpcda_zh_mapper": {"replace_similar_word": True, "swap_random_char": True}},
    ],
)
def test_threads_and_batches_do_not_matter(op, tmp_path: Path):
    rows = [{"content": f"{ENGLISH} {CHINESE} {n}", "id": n} for n in range(40)] + [{"content": None}]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def outcome(name, **keys):
        target = tmp_path / name / "out.jsonl"
        djfast.run(
            {"dataset_path": str(source), "export_path": str(target), "text_keys": "content", "process": [op], **keys}
        )
        return target.read_bytes()

    whole = outcome("whole", np=1)
    assert whole.count(b"\n") > 2 * 40
    assert outcome("threads", np=3, batch_bytes=4096) == whole


def test_a_missing_package_is_one_error(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "nlpcda" else sys.modules.get(name))
    [op] = djfast.load_ops(["nlpcda_zh_mapper"])
    with pytest.raises(djfast.errors.MissingExtraError, match=r"not installed: nlpcda; pip install 'djfast\[augment\]'"):
        djfast.Dataset.from_list([{"text": "a"}]).process(op).to_list()
