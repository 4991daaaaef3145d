"""MMC4: documents of sentences, and images that belong to sentences."""

from __future__ import annotations

import os
from collections.abc import Callable

from djfast.convert.anchored import ambiguous, anchored, check_free, freed
from djfast.convert.form import (
    ADD_EOC,
    EOC,
    KEEP,
    BadRow,
    Form,
    Options,
    Row,
    list_of,
    media_token,
    position,
    separator,
    text_of,
    texts_of,
    without,
)  # fmt: skip
from djfast.declare import Param


def _to_dj(options: Options) -> Callable[[Row], Row]:
    token, eoc, between = options["image_special_token"], options["eoc_special_token"], options["sent_separator"]

    def convert(row: Row) -> Row:
        sentences = texts_of(row, "text_list")
        infos = sorted((_info(info, len(sentences)) for info in list_of(row, "image_info")), key=lambda info: info[0])
        counts = [0] * len(sentences)
        for index, _ in infos:
            counts[index] += 1
        chunks = []
        for sentence, count in zip(sentences, counts, strict=True):
            check_free(sentence, token, eoc)
            place = options["image_special_token_insert_pos"]
            chunks.append(anchored(sentence, [token] * count, between, place) if count else sentence)
        text = f" {eoc}{between}".join(chunks) + (f" {eoc}" if options["add_eoc_at_last"] and chunks else "")
        if _sentences(text, options) != (sentences, [index for index, _ in infos]):
            raise ambiguous()
        images = [os.path.join(options["image_dir"], name) for _, name in infos]
        rest = without(row, "text", "images") if options["keep_other_fields"] else {}
        return {**rest, "images": images, "text": text}

    return convert


def _info(info: object, sentences: int) -> tuple[int, str]:
    if not isinstance(info, dict) or not isinstance(info.get("image_name"), str):
        raise BadRow("image_info must be a list of mappings with image_name")
    index = info.get("matched_text_index")
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < sentences:
        raise BadRow(f"matched_text_index must be that of one of {sentences} sentences, got {index!r}"[:200])
    return index, info["image_name"]


def _from_dj(options: Options) -> Callable[[Row], Row]:
    token = options["image_special_token"]

    def convert(row: Row) -> Row:
        sentences, places = _sentences(text_of(row, "text"), options)
        images = texts_of(row, "images")
        if len(images) != len(places):
            raise BadRow(f"the text must have {token!r} once for each of {len(images)} images, got {len(places)}")
        rest = without(row, "text", "images", "text_list", "image_info") if options["keep_other_fields"] else {}
        return {**rest, "image_info": _infos(row, images, places), "text_list": sentences}

    return convert


def _sentences(text: str, options: Options) -> tuple[list[str], list[int]]:
    """Return the sentences of a text, and to which of them each image belongs."""
    token, eoc, between = options["image_special_token"], options["eoc_special_token"], options["sent_separator"]
    sentences: list[str] = []
    places: list[int] = []
    for number, chunk in enumerate(_chunks(text, eoc, between)):
        sentence, count = freed(chunk, token, between)
        if token in sentence:
            raise BadRow(f"sentence {number + 1} must have {token!r} before or after all else")
        sentences.append(sentence)
        places += [number] * count
    return sentences, places


def _chunks(text: str, eoc: str, between: str) -> list[str]:
    if not text:
        return []
    chunks = (text.removesuffix(eoc) if text.endswith(eoc) else f"{text} ").split(eoc)
    return [chunk.removesuffix(" ").removeprefix(between if number else "") for number, chunk in enumerate(chunks)]


def _infos(row: Row, images: list[str], places: list[int]) -> list[Row]:
    """Return what is known of the images, in the order in which it was; images are found by the ends of their paths."""
    left = list(zip(images, places, strict=True))
    infos = []
    for info in row.get("image_info") or []:
        name = info.get("image_name") if isinstance(info, dict) else None
        found = next((each for each in left if each[0] == name or each[0].endswith(f"/{name}")), None)
        if name is not None and found is not None:
            left.remove(found)
            infos.append({**info, "matched_text_index": found[1]})
    return [*infos, *({"image_name": image, "matched_text_index": place} for image, place in left)]


MMC4 = Form(
    "mmc4",
    "MMC4: rows {image_info: [{image_name, matched_text_index, ...}], text_list, similarity_matrix}.",
    ("jsonl", "json"),
    _to_dj,
    _from_dj,
    (
        EOC,
        media_token("image"),
        ADD_EOC,
        separator(" "),
        position("image"),
        KEEP,
        Param("image_dir", "str", "Folder to put before the names of images.", ""),
    ),
    "similarity_matrix is not computed again when sentences or images have gone",
)
