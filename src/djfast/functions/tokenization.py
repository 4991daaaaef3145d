"""Pieces and tokens of trained tokenizers."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from djfast.errors import ModelError

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor


def bind_sentencepiece_pieces(model: str) -> Callable[[str], list[str]]:
    """Return a function from a text to its sentencepiece pieces.

    Parameters
    ----------
    model : str
        Path of the ``.model`` file.
    """
    processor = load_sentencepiece(model)

    def pieces(text: str) -> list[str]:
        found: list[str] = processor.encode(text, out_type=str)
        return found

    return pieces


def bind_hf_token_count(tokenizer: str) -> Callable[[str], int]:
    """Return a function from a text to its number of tokens, special tokens left out.

    Parameters
    ----------
    tokenizer : str
        Path of the ``tokenizer.json`` file, or of a folder that has it.
    """
    loaded = load_tokenizer(tokenizer)

    def token_count(text: str) -> int:
        return len(loaded.encode(text, add_special_tokens=False))

    return token_count


def load_sentencepiece(path: str) -> SentencePieceProcessor:
    """Return the model of a file, read once and shared by the threads of the process."""
    return _read_sentencepiece(path, _version(path))


def load_tokenizer(path: str) -> Any:
    """Return the tokenizer of a file or folder, read once and shared by the threads of the process."""
    if os.path.isdir(path):
        path = os.path.join(path, "tokenizer.json")
    return _read_tokenizer(path, _version(path))


def _version(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror}") from error
    return status.st_mtime_ns, status.st_size


@functools.lru_cache(maxsize=16)
def _read_sentencepiece(path: str, version: tuple[int, int]) -> SentencePieceProcessor:
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor()
    try:
        processor.Load(path)
    except (RuntimeError, OSError) as error:
        raise ModelError(f"{path} is not a sentencepiece model: {error}") from error
    return processor


@functools.lru_cache(maxsize=16)
def _read_tokenizer(path: str, version: tuple[int, int]) -> Any:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(path)
    except Exception as error:  # the library raises bare Exception
        raise ModelError(f"{path} is not a tokenizer.json: {error}") from error
    # The file may ask for batches of equal length; a count is of the whole text and of nothing else.
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
