"""What a model thinks is no part of its answer."""

from __future__ import annotations

import time

import pytest

from djfast.llm.thoughts import Spoken, spoken


@pytest.mark.parametrize(
    "text",
    [
        "<think>no?</think>\n\nyes",
        "<think>\n</think>yes",
        "<THINK>no?</Think>yes",
        "no? so\n</think>\nyes",  # the prompt ends with the opening mark
        "<think>a</think>y<think>b</think>es",
        "<think>I may write <think> here</think>so</think>yes",
        "<think>```\nno</think>yes",
        "<think>İİ no?</think>yes",  # small letters of another length
        "<thinking>no?</thinking>yes",
        "<thought>no?</thought>yes",
        "<reasoning>no?</reasoning>yes",
        "<thinking>no?</thinking>\n<reflection>no!</reflection>\n<output>yes</output>",
        "<scratchpad>no?</scratchpad>yes",
        "<seed:think>no?</seed:think>yes",
        "[THINK]no?[/THINK]yes",
        "◁think▷no?◁/think▷yes",
        "<|begin_of_thought|>no?<|end_of_thought|><|begin_of_solution|>yes<|end_of_solution|>",
        "<|START_THINKING|>no?<|END_THINKING|><|START_RESPONSE|>yes<|END_RESPONSE|>",
        "<think>no?</think><answer>yes</answer>",
        "<|channel|>analysis<|message|>no?<|end|><|start|>assistant<|channel|>final<|message|>yes<|return|>",
        "analysisNo? They want it.assistantfinalyes",
    ],
)
def test_thoughts_are_left_out(text):
    assert spoken(text) == Spoken("yes")


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        " yes \n",
        "",
        "Models write `<think>` and `</think>`.",
        'Use re.sub("<think>.*?</think>", "", text).',
        "```html\n<think>a</think>\n```\nis markup",
        "a < b, think > c",
        "The report:\n<report><analysis>a</analysis></report>",
        "a</reasoning>b",
        "analysis of assistantfinal words",
        "<answer>yes</answer>",
    ],
)
def test_an_answer_without_thoughts_comes_back_unchanged(text):
    assert spoken(text) == Spoken(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<think>and so on", ""),
        ("<think>", ""),
        ("yes<think>or", "yes"),
        ("<think>a</think><think>b", ""),
        ("<|channel|>analysis<|message|>and so on", ""),
    ],
)
def test_thoughts_without_an_end_are_told(text, said):
    assert spoken(text) == Spoken(said, is_thinking=True)


HOSTILE = ["<think>" * 300_000, "</think>" * 300_000, "<" * 2_000_000, "```<think>" * 200_000, "x<analysis>" * 200_000]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_answers_take_no_time(text):
    started = time.monotonic()
    spoken(text)
    assert time.monotonic() - started < 5
