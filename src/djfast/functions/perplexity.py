"""Perplexity of a text under an n-gram language model over sentencepiece pieces."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

from djfast.errors import ModelError
from djfast.functions.tokenization import load_sentencepiece


def bind_perplexity(sentencepiece_model: str, kenlm_model: str) -> Callable[[str], float]:
    """Return a function from a text to its perplexity, rounded to one decimal; 0.0 when the text has no line.

    Parameters
    ----------
    sentencepiece_model : str
        Path of the ``.sp.model`` file.
    kenlm_model : str
        Path of the KenLM model over its pieces, ARPA or binary.
    """
    processor = load_sentencepiece(sentencepiece_model)
    language_model = load_kenlm(kenlm_model)

    def perplexity(text: str) -> float:
        log_probability, length = 0.0, 0
        # Pieces may hold line separators that the model does not normalise; each line is a sentence.
        for line in " ".join(processor.encode(text, out_type=str)).splitlines():
            log_probability += language_model.score(line, bos=True, eos=True)
            length += len(line.split()) + 1  # the end of the sentence is predicted, too
        return round(10.0 ** (-log_probability / length), 1) if length else 0.0

    return perplexity


def load_kenlm(path: str) -> Any:
    """Return the model of a file, read once and shared by the threads of the process."""
    try:
        status = os.stat(path)
    except OSError as error:
        raise ModelError(f"cannot read the model {path}: {error.strerror}") from error
    return _read_kenlm(path, (status.st_mtime_ns, status.st_size))


@functools.lru_cache(maxsize=16)
def _read_kenlm(path: str, version: tuple[int, int]) -> Any:
    import kenlm

    config = kenlm.Config()
    config.show_progress = False
    config.arpa_complain = kenlm.ARPALoadComplain.NONE
    try:
        return kenlm.Model(path, config)
    except (OSError, RuntimeError) as error:
        raise ModelError(f"{path} is not a KenLM model: {error}") from error
