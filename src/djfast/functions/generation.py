"""Questions and answers that a language model writes: about texts, after examples, or as answers to queries."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice
from typing import Any

from djfast.errors import RecipeError
from djfast.functions.language_models import Asking, checked_pattern, conversing, messages, text_in
from djfast.functions.rouge import rouge_l
from djfast.functions.rows import Row, path_of, text_at
from djfast.llm.asking import Ask
from djfast.llm.conversations import Conversation
from djfast.llm.prompts import load_prompt
from djfast.type_names import spoken_type

Pair = tuple[str, str]
PairsIn = Callable[[str], Iterator[Pair]]

_LARGEST_SEED_FILE = 64 << 20


def bind_rows_of_generated_pairs(
    text_key: str,
    query_key: str,
    response_key: str,
    max_num: int | None,
    output_pattern: str | None,
    asking: Iterable[Any],
) -> Callable[[list[Row]], list[Any]]:
    """Return the function of rows that puts in the place of each the rows with the questions and answers about its text."""
    ask = Asking.of(asking)
    pairs_in = _pairs_reader(ask.op, output_pattern, question="Human:", answer="Assistant:", end="Human")

    def talk(row: Row) -> Conversation[list[Row]]:
        text = text_at(row, path_of(row, text_key))
        if not text:
            return []
        reply = yield Ask(text)
        return [{**row, query_key: query, response_key: said} for query, said in islice(pairs_in(reply.text), max_num)]

    return conversing(ask, ask.language_model(), talk)


def bind_row_of_generated_dialog(
    query_key: str,
    response_key: str,
    history_key: str,
    seed_file: str,
    example_num: int,
    similarity_threshold: float,
    templates: Iterable[tuple[str, str | None]],
    output_pattern: str | None,
    asking: Iterable[Any],
) -> Callable[[list[Row]], list[Any]]:
    """Return the function of rows that gives each a dialogue.

    Raises
    ------
    RecipeError
        If the file of examples is not there, is none, or has too few.
    """
    ask = Asking.of(asking)
    seeds = seed_dialogs(seed_file, op=ask.op)
    if len(seeds) < example_num:
        raise RecipeError(f"{ask.op}: seed_file must have at least {example_num} dialogues (example_num), got {len(seeds)}")
    prompt = load_prompt("generate_qa_from_examples", "zh")
    names = {"system": (), "input": ("examples",), "example": ("example",), "qa_pair": ("query", "response")}
    made = prompt.templates(names, given=dict(templates), op=ask.op)
    pairs_in = _pairs_reader(ask.op, output_pattern, question="【问题】", answer="【回答】", end="【问题】")

    def shown(dialog: list[Pair]) -> str:
        pairs = "\n".join(made["qa_pair"].fill(query=query, response=response) for query, response in dialog)
        return made["example"].fill(example=pairs)

    def talk(row: Row) -> Conversation[Row]:
        content = hashlib.sha256(json.dumps(row, sort_keys=True).encode()).digest()
        chosen = [seeds[number] for number in drawn(example_num, len(seeds), seed=content)]
        user = made["input"].fill(examples="\n".join(map(shown, chosen)))
        reply = yield Ask(messages(made["system"].fill(), user))
        dialog = list(pairs_in(reply.text))
        if any(rouge_l(_said(dialog), _said(example)) > similarity_threshold for example in chosen):
            dialog = []
        query, response = dialog[-1] if dialog else ("", "")
        return {**row, query_key: query, response_key: response, history_key: [list(pair) for pair in dialog[:-1]]}

    return conversing(ask, ask.language_model(prompt_version=prompt.version), talk)


def bind_generated_response(system_prompt: str | None, asking: Iterable[Any]) -> Callable[..., list[Any]]:
    """Return the function of a column of the JSON of queries that gives the JSON of the answers, nothing for no query."""
    ask = Asking.of(asking)

    def talk(query: str) -> Conversation[str]:
        text = text_in(query)
        if not text:
            return ""
        reply = yield Ask(messages(system_prompt or "", text))
        return json.dumps(reply.text, ensure_ascii=False)

    return conversing(ask, ask.language_model(), talk)


def seed_dialogs(path: str, *, op: str) -> list[list[Pair]]:
    """Return the dialogues of a file of JSON lines with `messages`, each as pairs of a user's and the assistant's words.

    What other roles say is left out, and so are dialogues without an answer.

    Raises
    ------
    RecipeError
        If there is no such file, it is larger than 64 MiB, or a line is no dialogue.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST_SEED_FILE + 1)
    except (OSError, ValueError) as error:
        raise RecipeError(f"{op}: seed_file must be a file of JSON lines that can be read, got {path!r}") from error
    if len(data) > _LARGEST_SEED_FILE:
        raise RecipeError(f"{op}: seed_file must have at most {_LARGEST_SEED_FILE >> 20} MiB, got {path!r}")
    dialogs = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            dialogs.append(_dialog(json.loads(line)))
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise RecipeError(
                f"{op}: each line of seed_file must be like "
                '{"messages": [{"role": "user", "content": "..."}, {"role": "assistant", "content": "..."}]}, '
                f"got another one in {path}:{number}"
            ) from error
    return [dialog for dialog in dialogs if dialog]


def _dialog(document: Any) -> list[Pair]:
    pairs: list[Pair] = []
    query: str | None = None
    for message in document["messages"]:
        role, content = message["role"], message["content"]
        if role not in ("user", "assistant"):
            continue
        if not isinstance(content, str):
            raise TypeError(f"content must be a string, got {spoken_type(content)}")
        if role == "user":
            query = content
        elif query is not None:
            pairs.append((query, content))
            query = None
    return pairs


def drawn(number: int, among: int, *, seed: bytes) -> list[int]:
    """Return different numbers from 0 up to `among`, in the order in which they are drawn; the same for the same seed."""
    found: dict[int, None] = {}
    for turn in count():
        if len(found) == number:
            break
        digest = hashlib.sha256(turn.to_bytes(8, "little") + seed).digest()
        found[int.from_bytes(digest, "little") % among] = None
    return list(found)


def _said(dialog: list[Pair]) -> str:
    return " ".join(text for pair in dialog for text in pair)


def _pairs_reader(op: str, output_pattern: str | None, *, question: str, answer: str, end: str) -> PairsIn:
    """Return what finds the pairs in what a model said: between markers, or by the user's pattern."""
    if output_pattern:
        pattern = checked_pattern(op, output_pattern, groups=2, flags=re.DOTALL)

        def matches(said: str) -> Iterator[Pair]:
            for found in pattern.finditer(said):
                first, second, *_ = found.groups(default="")
                yield first.strip(), second.strip()

        return matches

    def marked(said: str) -> Iterator[Pair]:
        # Markers are looked for, since a pattern that is tried everywhere takes for ever on a long answer that has none.
        behind = 0
        while (begin := said.find(question, behind)) >= 0 and (middle := said.find(answer, begin + len(question))) >= 0:
            behind = said.find(end, middle + len(answer))
            behind = len(said) if behind < 0 else behind
            yield said[begin + len(question) : middle].strip(), said[middle + len(answer) : behind].strip()

    return marked
