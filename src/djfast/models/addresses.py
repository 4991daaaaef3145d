"""Where the models and word lists lie that Data-Juicer's own recipes use. Only ``djfast fetch`` opens an address."""

from __future__ import annotations

import re

from djfast.records import NamedTuple

_HOST = "https://dail-wlcb.oss-cn-wulanchabu.aliyuncs.com/data_juicer"
_KENLM = "https://huggingface.co/edugp/kenlm/resolve/main/wikipedia"


class Address(NamedTuple):
    """Where a file lies, and what it must be. None is not known: then only the length that the server tells is checked."""

    url: str
    size: int | None = None
    sha256: str | None = None


# None of these addresses was opened when the table was made. Size and sum of lid.176.bin are those that distributions publish.
_ADDRESSES = {
    "lid.176.bin": Address(
        "https://dl.fbaipublicfiles.com/fasttext/supervised-models/lid.176.bin",
        size=131_266_198,
        sha256="7e69ec5451bc261cc7844e49e4792a85d7f09c06789ec800fc4a44aec362764e",
    ),
    "stopwords.json": Address(f"{_HOST}/stopwords.json"),
    "flagged_words.json": Address(f"{_HOST}/flagged_words.json"),
}
_OF_A_LANGUAGE = re.compile(r"[a-z]{2,3}\.(arpa\.bin|sp\.model)", re.ASCII)


def address_of(name: str) -> Address | None:
    """Return the address of a file of this name; None if the table does not know it."""
    if _OF_A_LANGUAGE.fullmatch(name):
        return Address(f"{_KENLM}/{name}")
    return _ADDRESSES.get(name)


def fetch_hint(name: str) -> str:
    """Say that ``djfast fetch`` gets a file, for the end of an error's remedy; empty if it does not."""
    return "; `djfast fetch RECIPE` gets it" if address_of(name) else ""
