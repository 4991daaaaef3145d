"""All forms that can be converted. A new one is one more entry here."""

from __future__ import annotations

from collections.abc import Mapping

from djfast.convert.dialogue import ALPACA, MESSAGES, SHAREGPT, SWIFT
from djfast.convert.form import Form
from djfast.convert.llava import LLAVA
from djfast.convert.mmc4 import MMC4
from djfast.convert.videos import INTERNVID, MSRVTT, VIDEO_CHATGPT, YOUKU
from djfast.convert.wavcaps import WAVCAPS

COMMON = "dj"
FORMS: Mapping[str, Form] = {
    form.name: form
    for form in (
        LLAVA, MMC4, WAVCAPS, VIDEO_CHATGPT, INTERNVID, MSRVTT, YOUKU,
        ALPACA, SHAREGPT, MESSAGES, SWIFT,
    )
}  # fmt: skip
