"""The bytes of a run do not depend on how Python seeds its hashes, which is another way in every process."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from djfast import catalog

ROWS = [
    {
        "text": f"{words}\n{words} number {number}. It's a definately good freind, a@b.org!\n\n数据，模型。" * 2,
        "query": words, "response": "because " + words, "meta": {"b": number, "a": words}, "tags": ["x", "y", words],
        "messages": [{"role": "user", "content": words}, {"role": "assistant", "content": "yes", "tool_calls": []}],
    }
    for number, words in enumerate(
        ["the beautiful house was recieved", "because their believe is necessary", "the people would really separate it"] * 3
    )
]  # fmt: skip

# Runs every OP that needs neither a model nor a server over the rows of its examples and over those given, in one process.
_PROGRAM = """
import hashlib, json, sys, warnings
warnings.simplefilter("ignore")
import djfast
given, rows = json.load(sys.stdin)
for name, params in given:
    try:
        dataset = djfast.Dataset.from_list(rows).process(djfast.load_ops([{name: params}]))
        answer = json.dumps([dataset.to_list(stats=True), [str(bad) for bad in dataset.rejected]])
    except Exception as error:
        answer = f"{type(error).__name__}: {error}"
    print(json.dumps([name, params, hashlib.sha256(answer.encode()).hexdigest(), answer[:80]]))
"""


# Options that are off by default: the changes of words by nlpaug come from sets.
_SWITCHED_ON = [("nlpaug_en_mapper", {method: True}) for method in catalog.find("nlpaug_en_mapper").cls.methods]


def _given() -> list[tuple[str, dict]]:
    examples = [(spec, example) for spec in catalog.all_specs() for example in spec.examples]
    return [*((spec.name, dict(example.params)) for spec, example in examples if not example.says), *_SWITCHED_ON]


def _answers(seed: str) -> list[str]:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "DJFAST_LLM_CACHE": "off"}
    got = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=json.dumps([_given(), ROWS]), env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return got.stdout.splitlines()


def test_no_op_depends_on_the_order_of_a_set() -> None:
    first, second = _answers("1"), _answers("2")
    assert len(first) >= 100
    assert [pair for pair in zip(first, second) if pair[0] != pair[1]] == []
