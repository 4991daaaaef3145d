"""Modules of Data-Juicer for media, models and logs: what djfast has of them, and for the rest who says so when it is called."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from djfast.recipe.keys import KEYS


class SpecialTokens:
    """What stands in a text for its media, and for the end of a chunk."""

    image = str(KEYS["image_special_token"].default)
    audio = str(KEYS["audio_special_token"].default)
    video = str(KEYS["video_special_token"].default)
    eoc = str(KEYS["eoc_special_token"].default)


def get_special_tokens() -> dict[str, str]:
    """Return all special tokens by their names."""
    return {name: token for name, token in vars(SpecialTokens).items() if not name.startswith("_")}


def remove_special_tokens(text: str) -> str:
    """Return a text without its special tokens, and without white space at its ends."""
    for token in get_special_tokens().values():
        text = text.replace(token, "").strip()
    return text


def setup_logger(save_dir: str | None = None, *_: Any, level: str = "INFO", **__: Any) -> None:
    """Show messages of djfast from a level on, on standard error. No file is written in `save_dir`."""
    del save_dir
    logging.basicConfig()
    logging.getLogger("djfast").setLevel(level)


def _missing(module: str, what: str) -> Callable[[str], Any]:
    """Return what a module gives for names that it does not have: a function that says so when it is called."""

    def find(name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")

        def say(*_: Any, **__: Any) -> Any:
            raise NotImplementedError(f"djfast has no {what} yet; an OP of yours can use the library itself, got {module}.{name}")

        say.__name__ = name
        return say

    return find


MODULES: dict[str, dict[str, Any]] = {
    "utils.logger_utils": {"setup_logger": setup_logger},
    "utils.mm_utils": {
        "SpecialTokens": SpecialTokens,
        "get_special_tokens": get_special_tokens,
        "remove_special_tokens": remove_special_tokens,
        "__getattr__": _missing("data_juicer.utils.mm_utils", "functions for images, audio and video"),
    },
    "utils.model_utils": {"__getattr__": _missing("data_juicer.utils.model_utils", "shared loader of models")},
}
