"""What a model thinks before it answers, where its server hands it over as a part of the answer.

Servers without a parser for the model's thoughts leave them in the text, between marks that depend on the model. They are
no part of the answer: nobody asked for them, and drafts in them look like answers.
"""

from __future__ import annotations

import re

from djfast.records import NamedTuple

_NAMES = ("think", "thinking", "seed:think")
# Words that also name elements of other texts: they hold thoughts only where the answer, or what is left of it, begins.
_COMMON_NAMES = ("thought", "thoughts", "reasoning", "reflection", "scratchpad", "analysis", "thought_process", "cot")
_AT_BEGINNING = frozenset(f"<{name}>" for name in _COMMON_NAMES)
_MARKS = {
    **{f"<{name}>": f"</{name}>" for name in (*_NAMES, *_COMMON_NAMES)},
    "[think]": "[/think]",
    "◁think▷": "◁/think▷",
    "<|begin_of_thought|>": "<|end_of_thought|>",
    "<|start_thinking|>": "<|end_thinking|>",
    "<|inner_prefix|>": "<|inner_suffix|>",
    "<unused94>": "<unused95>",
}
_FENCE = "```"
_QUOTES = "`'\"“‘"  # before a mark: it is spoken of
_ENDS = frozenset(end for mark, end in _MARKS.items() if mark not in _AT_BEGINNING)
_NEXT = re.compile(r"(?=[<\[◁`])(?:" + "|".join(map(re.escape, (*_MARKS, *_ENDS, _FENCE))) + ")", re.IGNORECASE)
_WORD = re.compile(r"\S")
_SMALL = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}  # which keeps every character at its place
_ANSWERS = (
    re.compile(r"<(answer|response|final|solution|output)>(.*)</\1>", re.DOTALL | re.IGNORECASE),
    re.compile(
        r"<\|(begin_of_solution|start_response)\|>(.*?)(?:<\|(?:end_of_solution|end_response)\|>)?", re.DOTALL | re.IGNORECASE
    ),
)
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)[^<]*<\|message\|>")
_CHANNEL_END = re.compile(r"<\|(?:end|return|call|start)\|>")
_BARE_CHANNELS = re.compile(r"\s*analysis(?![a-z ]).*?assistantfinal", re.DOTALL)


class Spoken(NamedTuple):
    """An answer without thoughts; `is_thinking` where the text ends in the middle of one."""

    text: str
    is_thinking: bool = False


def spoken(text: str) -> Spoken:
    """Return what a model says after its thoughts.

    Thoughts stand between marks, several times if need be. A closing mark alone ends thoughts that began with the answer,
    since the opening one may be a part of the prompt. Marks in quotes and in code fences are spoken of, and stay. An answer
    without thoughts comes back unchanged. Takes time in proportion to the text.
    """
    if "<|channel|>" in text:
        return _final_channel(text)
    if (match := _BARE_CHANNELS.match(text)) is not None:
        return Spoken(text[match.end() :].strip())
    match = _NEXT.search(text)
    if match is None:
        return Spoken(text)
    pieces: list[str] = []
    position = search = 0
    is_found = False
    spoken_of = ""  # the end of a mark in quotes, which is spoken of like its beginning
    lowered = text.translate(_SMALL)
    while (match := _NEXT.search(text, search)) is not None:
        mark = match[0].lower()
        search = match.end()
        if mark == _FENCE:
            end = text.find(_FENCE, search)
            if end < 0:
                # An open fence hides nothing: thoughts may quote the beginning of one.
                continue
            search = end + len(_FENCE)
        elif mark in _AT_BEGINNING and (any(pieces) or _WORD.search(text, position, match.start())):
            continue
        elif mark == spoken_of or (match.start() and text[match.start() - 1] in _QUOTES):
            spoken_of = _MARKS.get(mark, "")
        elif mark in _ENDS:
            pieces, is_found = [], True
            position = search
        else:
            is_found = True
            pieces += [text[position : match.start()]] if _WORD.search(text, position, match.start()) else []
            end = lowered.find(_MARKS[mark], search)
            if end < 0:
                return Spoken("".join(pieces).strip(), is_thinking=True)
            position = search = end + len(_MARKS[mark])
    if not is_found:
        return Spoken(text)
    answer = "".join([*pieces, text[position:]]).strip()
    for pattern in _ANSWERS:
        if (whole := pattern.fullmatch(answer)) is not None:
            return Spoken(whole[2].strip())
    return Spoken(answer)


def _final_channel(text: str) -> Spoken:
    """Return the last message for the user in a text of several channels; nothing where there is none yet."""
    found: str | None = None
    for match in _CHANNEL.finditer(text):
        if match[1] == "final":
            end = _CHANNEL_END.search(text, match.end())
            found = text[match.end() : end.start() if end else None]
    return Spoken("", is_thinking=True) if found is None else Spoken(found.strip())
