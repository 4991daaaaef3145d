"""Sets of videos with one text each: Video-ChatGPT, InternVid, MSR-VTT, Youku-mPLUG."""

from __future__ import annotations

import os
from collections.abc import Callable

from djfast.convert.anchored import ambiguous, caption_of, captioned, check_free
from djfast.convert.form import (
    ADD_EOC,
    EOC,
    KEEP,
    BadRow,
    Form,
    Options,
    Row,
    media_token,
    position,
    separator,
    text_of,
    texts_of,
    without,
)
from djfast.declare import Param

_TOKEN = media_token("video")
_OPTIONS = (EOC, _TOKEN, ADD_EOC, separator(" "), position("video"), KEEP)
_STALE_TOKENS = "nothing; texts that hold one of the tokens are rejected"


def _texts(options: Options) -> tuple[Callable[[str], str], Callable[[Row], str]]:
    """Return what puts the token into a text, and what takes the text out of a common row."""
    token, eoc, between = options["video_special_token"], options["eoc_special_token"], options["sent_separator"]
    place, end = options["video_special_token_insert_pos"], options["eoc_special_token"] if options["add_eoc_at_last"] else ""

    def anchor(text: str) -> str:
        check_free(text, token, eoc)
        whole = captioned(text, token, between, place, end)
        if caption_of(whole, token, between, eoc) != text:
            raise ambiguous()
        return whole

    def free(row: Row) -> str:
        return caption_of(text_of(row, "text"), token, between, eoc)

    return anchor, free


def _kept(row: Row, options: Options, *known: str) -> Row:
    return without(row, *known) if options["keep_other_fields"] else {}


def _only_video(row: Row) -> str:
    videos = texts_of(row, "videos")
    if len(videos) != 1:
        raise BadRow(f"videos must hold one path, got {len(videos)}")
    return videos[0]


# Video-ChatGPT.


def _from_video_chatgpt(options: Options) -> Callable[[Row], Row]:
    anchor, _ = _texts(options)

    def convert(row: Row) -> Row:
        question, answer, identity = text_of(row, "q"), text_of(row, "a"), text_of(row, "video_id")
        if not identity.startswith("v_"):
            raise BadRow(f"video_id must start with v_, got {identity[:50]!r}")
        check_free(question, _ANSWER)
        video = os.path.join(options["video_dir"], identity[2:])
        text = anchor(f"{_QUESTION}{question}{_ANSWER}{answer}")
        return {"videos": [video], "text": text, "youtube_id": identity[2:], **_kept(row, options, "q", "a", "video_id")}

    return convert


def _to_video_chatgpt(options: Options) -> Callable[[Row], Row]:
    _, free = _texts(options)

    def convert(row: Row) -> Row:
        question, found, answer = free(row).partition(_ANSWER)
        if not found or not question.startswith(_QUESTION):
            raise BadRow(f"the text must be a question behind {_QUESTION!r} and an answer behind {_ANSWER!r}")
        identity = row.get("youtube_id") or os.path.splitext(os.path.basename(_only_video(row)))[0]
        own = {"video_id": f"v_{identity}", "q": question.removeprefix(_QUESTION), "a": answer}
        return {**own, **_kept(row, options, "videos", "text", "youtube_id")}

    return convert


_QUESTION = "[[q]]:"
_ANSWER = " \n[[a]]:"
VIDEO_CHATGPT = Form(
    "video-chatgpt",
    "Video-ChatGPT: rows {q, a, video_id}, the last one v_ and the id of YouTube.",
    ("json", "jsonl"),
    _from_video_chatgpt,
    _to_video_chatgpt,
    (*_OPTIONS, Param("video_dir", "str", "Folder to put before the ids of videos.", "")),
    _STALE_TOKENS,
)


# InternVid.


def _from_internvid(options: Options) -> Callable[[Row], Row]:
    anchor, _ = _texts(options)

    def convert(row: Row) -> Row:
        own = {"videos": [text_of(row, "YoutubeID")], "text": anchor(text_of(row, "Caption")), "is_cut": False}
        times = {name: text_of(row, name) for name in ("Start_timestamp", "End_timestamp")}
        return {**times, **_kept(row, options, "YoutubeID", "Caption", *times), **own}

    return convert


def _to_internvid(options: Options) -> Callable[[Row], Row]:
    _, free = _texts(options)

    def convert(row: Row) -> Row:
        own: Row = {"YoutubeID": _only_video(row), "Caption": free(row)}
        times: Row = {name: row[name] for name in ("Start_timestamp", "End_timestamp") if name in row}
        cut = {"is_cut": True} if row.get("is_cut") else {}
        return {**own, **times, **_kept(row, options, "videos", "text", "is_cut", *times), **cut}

    return convert


INTERNVID = Form(
    "internvid",
    "InternVid: rows {YoutubeID, Start_timestamp, End_timestamp, Caption}, the first one replaced by a path.",
    ("jsonl", "json"),
    _from_internvid,
    _to_internvid,
    _OPTIONS,
    _STALE_TOKENS,
)


# MSR-VTT.


def _from_msrvtt(options: Options) -> Callable[[Row], Row]:
    anchor, _ = _texts(options)

    def convert(row: Row) -> Row:
        own = {"videos": [text_of(row, "video_id") + ".mp4"], "text": anchor(text_of(row, "caption"))}
        return {**_kept(row, options, "video_id", "caption"), **own}

    return convert


def _to_msrvtt(options: Options) -> Callable[[Row], Row]:
    _, free = _texts(options)

    def convert(row: Row) -> Row:
        own = {"video_id": _only_video(row).removesuffix(".mp4"), "caption": free(row)}
        return {**_kept(row, options, "videos", "text"), **own}

    return convert


MSRVTT = Form(
    "msrvtt",
    "MSR-VTT: rows {video_id, caption}; videos are called video_id and .mp4.",
    ("jsonl", "json"),
    _from_msrvtt,
    _to_msrvtt,
    _OPTIONS,
    _STALE_TOKENS,
)


# Youku-mPLUG.

# Sub-set -> columns: of the video, of the text, and the others.
_SUBSETS = {
    "classification": ("video_id:FILE", "title", "label"),
    "pretrain": ("video_id:FILE", "title"),
    "retrieval": ("clip_name:FILE", "caption"),
    "captioning": ("video_id:FILE", "golden_caption"),
}


def _subset(row: Row, options: Options) -> tuple[str, ...]:
    """Return the columns of a row's sub-set: the given one, or the first that it has the columns of."""
    wanted = options["subset_type"]
    names = [wanted] if wanted else [name for name, columns in _SUBSETS.items() if row.keys() >= set(columns)]
    if not names:
        raise BadRow("the columns fit no subset; name one with subset_type")
    return _SUBSETS[names[0]]


def _from_youku(options: Options) -> Callable[[Row], Row]:
    anchor, _ = _texts(options)

    def convert(row: Row) -> Row:
        video, text, *rest = _subset(row, options)
        own = {name: text_of(row, name) for name in (video, text, *rest)}
        return {**own, **_kept(row, options, *own), "videos": [own[video]], "text": anchor(own[text])}

    return convert


def _to_youku(options: Options) -> Callable[[Row], Row]:
    _, free = _texts(options)

    def convert(row: Row) -> Row:
        video, text, *rest = _subset(row, options)
        own = {video: _only_video(row), text: free(row), **{name: text_of(row, name) for name in rest}}
        return {**own, **_kept(row, options, "videos", "text", *own)}

    return convert


YOUKU = Form(
    "youku",
    "Youku-mPLUG: columns of pretrain, classification, retrieval or captioning.",
    ("csv",),
    _from_youku,
    _to_youku,
    (*_OPTIONS, Param("subset_type", "str | None", "Sub-set; by default what the columns say.", None, choices=(None, *_SUBSETS))),
    f"{_STALE_TOKENS}; quotes that CSV does not need",
)
