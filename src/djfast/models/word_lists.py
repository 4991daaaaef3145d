"""Word lists: JSON objects from language to words, merged over the files of a folder."""

from __future__ import annotations

import json
import os
from typing import Any

from djfast.errors import ModelError
from djfast.models.locate import assets_folder, file_of_package
from djfast.records import NamedTuple
from djfast.type_names import spoken_type

# A folder parameter that begins so names an installed package, whose list takes the place of the files of a folder.
PACKAGE = "package:"


class _PackagedList(NamedTuple):
    """The list of a kind that a package ships, and the extra that installs the package."""

    extra: str
    file: str


_PACKAGES = {"stopwords": {"stopwordsiso": _PackagedList("stopwords", "stopwords-iso.json")}}

_MAX_FILE_BYTES = 256 << 20
_MAX_WORD_CHARACTERS = 10_000


def load_word_list(kind: str, directory: str | None, lang: str) -> tuple[str, ...]:
    """Return the words of a language, sorted and without repeats.

    Parameters
    ----------
    kind : str
        ``stopwords`` or ``flagged_words``: every ``*.json`` of the folder with it in its name is read, and the words of
        a language are those of all files.
    directory : str or None
        The folder, or ``package:NAME``. None, and a relative folder without a list, is the assets folder of the cache
        (``DATA_JUICER_ASSETS_CACHE``).
    lang : str
        A language of the lists; ``all`` is every language unless a file defines it.

    Raises
    ------
    ModelError
        If there is no list, a file is malformed, or the language is unknown.
    """
    paths = word_list_files(kind, directory)
    by_language: dict[str, set[str]] = {}
    for path in paths:
        for language, words in _read(path).items():
            by_language.setdefault(language, set()).update(words)
    if "all" not in by_language:
        by_language["all"] = set().union(*by_language.values())
    if lang not in by_language:
        known = ", ".join(sorted(by_language))
        raise ModelError(f"{kind}: lang must be one of {known} in {os.path.dirname(paths[0])}, got {lang!r}")
    return tuple(sorted(by_language[lang]))


def word_list_files(kind: str, directory: str | None) -> list[str]:
    """Return the files that the words of a kind are merged from.

    Raises
    ------
    ModelError
        If there is none.
    """
    if directory and directory.startswith(PACKAGE):
        return [_packaged(kind, directory.removeprefix(PACKAGE))]
    given = [os.path.expanduser(directory)] if directory else []
    # A relative folder such as `./assets` is where Data-Juicer puts the lists that it fetches, not where somebody has put some.
    usual = [assets_folder()] if not given or not os.path.isabs(given[0]) else []
    for folder in (*given, *usual):
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        paths = [os.path.join(folder, name) for name in names if name.endswith(".json") and kind in name]
        if paths:
            return paths
    from djfast.models.addresses import fetch_hint  # which a run that finds its lists does not load

    raise ModelError(
        f"no word list: expected a file like {kind}.json ({{language: [words]}}) in {' or '.join((*given, *usual))}; put one "
        f"there, or set {kind}_dir or DATA_JUICER_ASSETS_CACHE to its folder"
        f"{fetch_hint(f'{kind}.json')}{_package_hint(kind)}"
    )


def _packaged(kind: str, package: str) -> str:
    """Return the file with a package's list."""
    known = _PACKAGES.get(kind, {})
    if package not in known:
        allowed = " or ".join(f"{PACKAGE}{name}" for name in known)
        expected = f"a folder or {allowed}" if allowed else "a folder: djfast knows no package with such a list"
        raise ModelError(f"{kind}_dir must be {expected}, got {PACKAGE + package!r}")
    extra, file = known[package]
    path = file_of_package(package, file)
    if path is None or not os.path.isfile(path):
        raise ModelError(f"{kind}_dir: the package {package} is not installed; pip install 'djfast[{extra}]'")
    return path


def _package_hint(kind: str) -> str:
    """Say which packages have such a list, for the end of an error's remedy."""
    return "".join(
        f"; another list: {kind}_dir: {PACKAGE}{name} with pip install 'djfast[{shipped.extra}]'"
        for name, shipped in _PACKAGES.get(kind, {}).items()
    )


def _read(path: str) -> dict[str, list[str]]:
    if (size := os.path.getsize(path)) > _MAX_FILE_BYTES:
        raise ModelError(f"word list {path} must be at most {_MAX_FILE_BYTES >> 20} MiB, got {size} bytes")
    with open(path, "rb") as file:
        content: Any = file.read()
    try:
        content = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"word list {path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"word list {path} must be an object from language to words, got {spoken_type(content)}")
    for language, words in content.items():
        if not isinstance(words, list) or not set(map(type, words)) <= {str}:
            raise ModelError(f"word list {path}: {language!r} must be a list of strings")
        if max(map(len, words), default=0) > _MAX_WORD_CHARACTERS:
            limit = _MAX_WORD_CHARACTERS
            raise ModelError(f"word list {path}: {language!r} has a word of more than {limit} characters")
        try:
            "".join(words).encode()
        except UnicodeEncodeError as error:
            raise ModelError(f"word list {path}: {language!r} has a word that is not Unicode text") from error
    return content
