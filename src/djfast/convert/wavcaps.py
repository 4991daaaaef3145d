"""WavCaps: sounds with captions, described in one JSON object."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from djfast.convert.anchored import check_free, freed
from djfast.convert.form import ADD_EOC, EOC, BadRow, Form, Options, Row, media_token, separator, text_of
from djfast.declare import Param
from djfast.errors import InputError
from djfast.reserved import META

_CAPTIONS = "num_captions_per_audio"


def _to_dj(options: Options) -> Callable[[Row], Row]:
    sounds = _sounds(options["audio_path"])
    token, eoc, field = options["audio_special_token"], options["eoc_special_token"], options["target_field"]

    def convert(row: Row) -> Row:
        identity = row.get("id")
        name = str(identity)
        path = sounds.get(name.removesuffix(".flac"))
        if identity is None or path is None:
            raise BadRow(f"there is no {name[:50]}.flac in {options['audio_path']}")
        text = text_of(row, field)
        check_free(text, token, eoc)
        marker = f"[[{field}]]: " if options["add_target_field_token"] else ""
        end = eoc if options["add_eoc_at_last"] else ""
        return {
            "id": name if options["str_id"] else identity,
            "text": f"{token}{options['sent_separator']}{marker}{text}{end}",
            "audios": [path],
            META: {_CAPTIONS: options[_CAPTIONS], **row},
        }

    return convert


def _sounds(folder: str | None) -> dict[str, str]:
    """Return the paths of all sounds in a folder, and in the folders in it, by their names without suffix."""
    if not folder:
        return {}
    if not os.path.isdir(folder):
        raise InputError(f"audio_path must be a folder, got {folder!r}")
    found: dict[str, str] = {}
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if name.endswith(".flac"):
                found.setdefault(name.removesuffix(".flac"), os.path.join(place, name))
    return found


def _from_dj(options: Options) -> Callable[[Row], Row]:
    token, eoc, field = options["audio_special_token"], options["eoc_special_token"], options["target_field"]
    between = options["sent_separator"]
    marker = f"[[{field}]]: " if options["add_target_field_token"] else ""

    def convert(row: Row) -> Row:
        meta: Any = row.get(META)
        if not isinstance(meta, dict):
            raise BadRow(f"{META} must hold the row that it was made of")
        text, count = freed(text_of(row, "text").removesuffix(eoc), token, between)
        if count != 1 or token in text:
            raise BadRow(f"the text must have {token!r} once, before or after all else")
        known = {name: value for name, value in meta.items() if name != _CAPTIONS}
        return {**known, field: text.removeprefix(marker)}

    return convert


WAVCAPS = Form(
    "wavcaps",
    "WavCaps: one object {num_captions_per_audio, data: [{id, caption, ...}]}; the sounds are called id and .flac.",
    ("json",),
    _to_dj,
    _from_dj,
    (
        EOC,
        media_token("audio"),
        ADD_EOC,
        separator("\n"),
        Param("audio_path", "str | None", "Folder of the sounds, which may lie in folders in it. Needed on the way to dj.", None),
        Param("target_field", "str", "Field that is the text.", "caption", choices=("caption", "title", "description")),
        Param("add_target_field_token", "bool", "Put the name of this field before the text.", False),
        Param("str_id", "bool", "Make ids texts; __dj__meta__ keeps them.", True),
        Param(_CAPTIONS, "int", "What the object says besides its rows.", 1, ge=1),
    ),
    "rows whose sound is not there; other members of the object than its rows",
    envelope="data",
    head=lambda options: {_CAPTIONS: options[_CAPTIONS]},
)
