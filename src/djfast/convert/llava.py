"""LLaVA: conversations of a human and gpt about one image."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any

from djfast.convert.anchored import ambiguous, check_free, freed
from djfast.convert.form import (
    ADD_EOC,
    EOC,
    BadRow,
    Form,
    Options,
    Row,
    list_of,
    media_token,
    separator,
    text_of,
    texts_of,
    without,
)
from djfast.convert.source import source_rows
from djfast.declare import Param
from djfast.type_names import spoken_type

_ROLES = ("human", "gpt")
_MARKERS = tuple(f"[[{role}]]: " for role in _ROLES)
_FIELDS = ("id", "image", "conversations")
_TO_DJ = "Only used on the way to dj."
_FROM_DJ = "Only used on the way from dj."


def _to_dj(options: Options) -> Callable[[Row], Row]:
    def convert(row: Row) -> Row:
        turns = _turns(row)
        image = row.get("image")
        if not isinstance(image, str | None):
            raise BadRow(f"image must be one path, got {spoken_type(image)}")
        position = _position(turns, options, has_image=image is not None)
        images = [] if image is None else [image]
        if options["only_keep_caption"]:
            text = _caption(turns, options, has_image=image is not None)
        else:
            if options["image_broadcast"] and image is not None:
                turns, images = _broadcast(turns, position, options), [image] * (len(turns) // 2)
            text = _joined(turns, options)
            if _split(text, options) != turns:
                raise ambiguous()
        identity = row.get("id")
        identity = str(identity) if options["str_id"] and identity is not None else identity
        end = f" {options['eoc_special_token']}" if options["add_eoc_at_last"] else ""
        rest = without(row, *_FIELDS) if options["keep_other_fields"] else {}
        return {"id": identity, "text": text + end, "images": images, **rest}

    return convert


def _turns(row: Row) -> list[str]:
    """Return what human and gpt say, in turns."""
    turns = []
    for number, turn in enumerate(list_of(row, "conversations")):
        role, text = (turn.get("from"), turn.get("value")) if isinstance(turn, dict) else (None, None)
        if role != _ROLES[number % 2] or not isinstance(text, str):
            raise BadRow(f"turn {number + 1} of conversations must be a string from {_ROLES[number % 2]}, got {role!r}"[:200])
        turns.append(text)
    if not turns or len(turns) % 2:
        raise BadRow(f"conversations must be pairs of turns, got {len(turns)} turns")
    return turns


def _position(turns: list[str], options: Options, *, has_image: bool) -> str:
    """Return where the first turn has its token, and make sure that nothing else looks like a token or a marker."""
    token = options["image_special_token"]
    for turn in turns:
        check_free(turn, options["eoc_special_token"], *_MARKERS)
    if sum(turn.count(token) for turn in turns) != has_image:
        raise BadRow(f"the turns must have {token!r} {'once' if has_image else 'never, since there is no image'}")
    if not has_image:
        return "before"
    if turns[0].startswith(token):
        return "before"
    if turns[0].endswith(token):
        return "after"
    raise BadRow(f"the first turn must start or end with {token!r}")


def _broadcast(turns: list[str], first: str, options: Options) -> list[str]:
    token, between = options["image_special_token"], options["sent_separator"]
    position = options["image_broadcast_pos"]
    told = list(turns)
    for number in range(2, len(turns), 2):
        own = first if position == "follow" else position
        if own == "random":
            own = "before" if zlib.crc32(turns[number].encode("utf-8", "surrogatepass")) & 1 else "after"
        told[number] = token + between + turns[number] if own == "before" else turns[number] + between + token
    return told


def _caption(turns: list[str], options: Options, *, has_image: bool) -> str:
    if len(turns) != 2:
        raise BadRow(f"only_keep_caption needs conversations of one question and its answer, got {len(turns)} turns")
    return options["image_special_token"] + options["sent_separator"] + turns[1] if has_image else turns[1]


def _joined(turns: list[str], options: Options) -> str:
    between = options["sent_separator"]
    rounds = [
        f"{_MARKERS[0]}{question}{between}{_MARKERS[1]}{answer}" for question, answer in zip(turns[::2], turns[1::2], strict=True)
    ]
    end = f" {options['eoc_special_token']}" if options["split_chunk"] else ""
    return f"{end}{between}".join(rounds)


def _from_dj(options: Options) -> Callable[[Row], Row]:
    original = _questions(options["original"]) if options["original"] else None

    def convert(row: Row) -> Row:
        images = texts_of(row, "images")
        if len(set(images)) > 1:
            raise BadRow(f"images must be one image only, got {len(set(images))} different ones")
        turns = _split(text_of(row, "text"), options)
        identity = row.get("id")
        if original is not None:
            identity, turns = _restored(turns, *original(row.get("id")))
        elif turns[0] is None:
            raise BadRow(f"the text must start with {_MARKERS[0]!r}, or the questions must come from a file: original")
        if options["keep_only_first_image"]:
            token, between = options["image_special_token"], options["sent_separator"]
            turns = [turn if i in (0, 1) or i % 2 else freed(str(turn), token, between)[0] for i, turn in enumerate(turns)]
        told = [{"from": _ROLES[i % 2], "value": turn} for i, turn in enumerate(turns)]
        rest = without(row, "id", "text", "images") if options["keep_other_fields"] else {}
        return {"id": identity, **({"image": images[0]} if images else {}), "conversations": told, **rest}

    return convert


def _split(text: str, options: Options) -> list[str | None]:
    """Return the turns of a text; a text without questions has one that is None."""
    between, eoc = options["sent_separator"], options["eoc_special_token"]
    text = _without_end(text, eoc)
    if _MARKERS[0] not in text:
        return [None, freed(text, options["image_special_token"], between)[0]]
    turns: list[str | None] = []
    before, _, rest = text.partition(_MARKERS[0])
    if before:
        raise BadRow(f"the text must start with {_MARKERS[0]!r}")
    while True:
        turn, found, rest = rest.partition(_MARKERS[(len(turns) + 1) % 2])
        turns.append(_without_end(turn.removesuffix(between), eoc) if found else turn)
        if not found:
            break
    if len(turns) % 2 or any(marker in str(turn) for marker in _MARKERS for turn in turns):
        raise BadRow(f"the text must be pairs of turns behind {_MARKERS[0]!r} and {_MARKERS[1]!r}, got {len(turns)} turns")
    return turns


def _without_end(text: str, eoc: str) -> str:
    return text.removesuffix(eoc).removesuffix(" ") if text.endswith(eoc) else text


def _questions(path: str) -> Callable[[Any], tuple[Any, list[str]]]:
    """Return what finds the turns of a row of the original file by its id. Rows must come in the order of that file."""

    def originals() -> Iterator[tuple[Any, list[str]]]:
        for found in source_rows(path, ("json", "jsonl")):
            if found.row is not None:
                try:
                    yield found.row.get("id"), _turns(found.row)
                except BadRow:
                    continue

    rows = originals()

    def find(identity: Any) -> tuple[Any, list[str]]:
        for own, turns in rows:
            if str(own) == str(identity):
                return own, turns
        raise BadRow(f"{path} has no row with this id after the row before, got {str(identity)[:50]!r}")

    return find


def _restored(turns: list[str | None], identity: Any, original: list[str]) -> tuple[Any, list[str | None]]:
    if len(turns) != len(original):
        raise BadRow(f"the row must have as many turns as in the original file: {len(original)}, got {len(turns)}")
    return identity, [old if i % 2 == 0 else new for i, (old, new) in enumerate(zip(original, turns, strict=True))]


LLAVA = Form(
    "llava",
    "LLaVA: rows {id, image, conversations: [{from: human | gpt, value}]}.",
    ("json", "jsonl"),
    _to_dj,
    _from_dj,
    (
        EOC,
        media_token("image", "<image>"),
        ADD_EOC,
        separator("\n"),
        Param("str_id", "bool", f"Make ids texts. {_TO_DJ}", True),
        Param("split_chunk", "bool", f"End each round of question and answer as a chunk. {_TO_DJ}", False),
        Param("image_broadcast", "bool", f"Give every question the image. {_TO_DJ}", False),
        Param(
            "image_broadcast_pos",
            "str",
            f"Where its token stands; random is decided by the question, follow is as in the first. {_TO_DJ}",
            "random",
            choices=("before", "after", "random", "follow"),
        ),
        Param("only_keep_caption", "bool", f"Keep the answer only, of conversations of one round. {_TO_DJ}", False),
        Param("keep_only_first_image", "bool", f"Take tokens away from all questions but the first. {_FROM_DJ}", True),
        Param("original", "str | None", f"LLaVA file that the rows came from, which gives the questions back. {_FROM_DJ}", None),
        Param("keep_other_fields", "bool", "Keep fields that the conversion does not know.", False),
    ),
    "ids that were numbers (str_id), other fields (keep_other_fields), an image that is null",
)
