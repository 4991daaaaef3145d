"""Hostile Arrow capsules through every native function, and through a data set: each row comes out, is dropped or is rejected.

python tests/sanitize.py -m tests.fuzz.arrow_campaign [capsules] [seed]
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import djfast
from djfast import _native, catalog
from djfast.errors import DjfastError, SchemaError
from djfast.plan.build import build_plan
from djfast.plan.steps import Compute, Keep
from tests.fuzz.capsules import Handed, Memory, Node
from tests.fuzz.hostile_arrays import Arrays
from tests.models.test_language import MODELS


class Case(NamedTuple):
    """A program of native functions. The slots from 0 on are texts, then come fields as JSON, then what is computed."""

    texts: int
    fields: int
    steps: list[tuple[Any, ...]]

    @property
    def slots(self) -> int:
        """Number of slots."""
        return 1 + max(step[3] for step in self.steps)

    @property
    def drops(self) -> bool:
        """Whether rows may be dropped."""
        return any(step[0] is None for step in self.steps)


def chains(model: str) -> list[Case]:
    """Return programs of functions that no example reaches without a function in Python before it."""
    minhash: dict[str, Any] = {"window": 2, "permutations": 16}
    bands = {**minhash, "bands": 4, "rows": 2}
    calls: list[list[tuple[str, list[int], dict[str, Any]]]] = [
        [
            ("language_prediction", [0], {"model": model}),
            ("language_label", [2], {"model": model}),
            ("language_score", [2], {}),
            ("one_of", [3], {"values": ["en"]}),
            ("and", [5, 5], {}),
            ("json_of", [3], {}),
            ("json_of", [4], {}),
        ],
        [
            ("fix_lines", [0], {"normalization": "NFKC"}),
            ("hard_lines", [2], {}),
            ("merge_lines", [0, 2, 3], {}),
            ("words_of_pieces", [3], {"lower": True, "groups": (2, 3), "join": " "}),
            ("share_in_list", [5], {"words": ["the", "größe", "中文"]}),
            ("remove_pieces_with_substrings", [0, 3], {"substrings": ["o", "文"]}),
            ("minhash_signature_of_tokens", [3], minhash),
            ("minhash_bands_of_tokens", [3], bands),
            ("json_of", [3], {}),
        ],
        [
            (function, [0], {**params, "tokenization": tokenization, "hash": mode, "lowercase": lowercase})
            for function, params in (("minhash_signature", minhash), ("minhash_bands", bands))
            for tokenization in ("space", "punctuation", "character")
            for mode in ("data-juicer", "fast")
            for lowercase in (False, True)
        ],
        [
            ("replace_literal", [0], {"literal": "o", "repl": "größe"}),
            ("member", [1], {"name": "a"}),
            ("json_of", [0], {}),
            ("text_of", [4], {"path": "f"}),
            ("through_lists", [1, 1], {"path": "a.b"}),
            ("json_or", [1, 4], {}),
        ],
    ]
    return [Case(1, 1, [(*call, 2 + number, 0) for number, call in enumerate(program)]) for program in calls]


def cases_of_examples() -> list[Case]:
    """Return the native steps at the beginning of each example of an OP."""
    cases = []
    for spec in catalog.all_specs():
        for example in spec.examples if spec.kind != "fused" else ():
            plan = build_plan(catalog.flattened(djfast.load_ops([{spec.name: example.params}])))
            native = list(takewhile(lambda step: isinstance(step, Keep) or step.native, plan.stages[0].steps))
            steps = [_step(step) for step in native]
            if steps and not any({"model", "word_list"} & {*step[2]} for step in steps):
                cases.append(Case(len(plan.stages[0].texts), len(plan.stages[0].reserved), steps))
    return cases


def _step(step: Compute | Keep) -> tuple[Any, ...]:
    if isinstance(step, Keep):
        return None, [], {}, step.slot, step.op
    return step.fn, list(step.args), dict(step.params), step.slot, step.op


def check_columns(seed: str, programs: list[tuple[Case, _native.Program]]) -> str:
    """Hand a column of strings to native code and run every program on it; return what became of it."""
    arrays = Arrays(seed)
    memory = Memory()
    rows = arrays.random.choice([0, 1, 2, 3, 8, 20])
    column = Handed(arrays.texts(rows), memory)
    field = _field(rows)
    rejected = 0
    try:
        for case, program in programs:
            batch = _native.batch_of_arrow([column] * case.texts + [field] * case.fields, rows, case.slots)
            program.run(batch)
            gone = rows - batch.alive_count - len(batch.rejections)
            assert gone >= 0 if case.drops else gone == 0, f"{gone} of {rows} rows are nowhere"
            rejected += len(batch.rejections)
            for step in case.steps:
                batch.values(step[3])
    except SchemaError:
        return "refused"
    finally:
        memory.free()
    return "rejected" if rejected else "passed"


def _field(rows: int) -> Any:
    import pyarrow as pa

    return pa.array([json.dumps({"a": [{"b": row}, "x"], "text_len": 3}) for row in range(rows)], pa.large_string())


def check_table(seed: str) -> str:
    """Hand a table with nested columns to a data set; return what became of it."""
    import pyarrow as pa

    arrays = Arrays(seed)
    memory = Memory()
    rows = arrays.random.choice([1, 2, 3, 8])
    columns = [arrays.texts(rows), *(arrays.nested(rows, f"c{i}") for i in range(arrays.random.randrange(3)))]
    try:
        data = Handed(Node("+s", rows, [None], columns), memory)
        if not _native.check_arrow(data):
            _agrees(pa.record_batch(data))
        if any(column.format == "+r" for column in columns):
            return "checked"
        data = Handed(Node("+s", rows, [None], columns), memory)  # an array is imported once
        dataset = djfast.Dataset.from_arrow(data).process(
            "whitespace_normalization_mapper", {"text_length_filter": {"min_len": 3}}
        )
        out = dataset.to_list()
        assert dataset.report is not None
        dropped = dataset.report.ops[-1].rows_in - dataset.report.ops[-1].rows_out
        assert len(out) + dropped + len(dataset.rejected) == rows, f"{rows} rows in, {len(out)} out, {dataset.rejected}"
        result = "rejected" if dataset.rejected else "passed"
        del dataset, data
    except DjfastError:
        return "refused"
    finally:
        memory.free()
    return result


def _agrees(batch: Any) -> None:
    """Check that pyarrow, whose check is of another make, finds nothing wrong but texts that no row shows."""
    import pyarrow as pa

    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as error:
        assert "UTF8" in str(error), f"pyarrow refuses what was let in: {error}"  # noqa: PT017 - what no row shows


def campaign(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Yield what became of each capsule."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.bin"
        model.write_bytes(next(iter(MODELS.values()))(random.Random(1)).to_bytes())
        cases = [*cases_of_examples(), *chains(str(model))]
        missed = set(_native.functions()) - {step[0] for case in cases for step in case.steps}
        assert not missed, f"no program calls {', '.join(sorted(missed))}"
        programs = [(case, _native.Program(case.steps)) for case in cases]
        for number in range(count):
            name = f"{seed}.{number}"
            yield name, check_columns(name, programs) if number % 2 == 0 else check_table(name)


def main(count: int = 20_000, seed: int = 1) -> None:
    """Run the campaign and print what became of the capsules."""
    became: dict[str, int] = {}
    for name, result in campaign(count, seed):
        became[result] = became.get(result, 0) + 1
        if sum(became.values()) % 1000 == 0:
            print(name, became, flush=True)
    print(f"{count} capsules, no failure: {became}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
