"""Which files an input names: one file, a folder, or a pattern."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence

from djfast.errors import InputError
from djfast.io import remote
from djfast.io.read.formats import INPUT_FORMATS, InputFile, input_file_of, readable_suffixes
from djfast.io.read.json_forms import is_lone_object
from djfast.io.result_names import record_path, rejected_path, result_beside
from djfast.reserved import GENERATED, STDIN

_MAGIC = frozenset("*?[")  # of a pattern
_NAMED = 3  # files of a notice that are named
_TEXTS_FOR_ONE = 10  # texts that count as much as a file of data
_OBJECTS_FOR_ONE = 5  # and files of JSON that hold one object each, as settings do
_MOST_SETTINGS = 100  # so many files are not settings, and are not looked into


def discover(where: str, suffixes: Sequence[str], notices: list[str] | None = None) -> list[InputFile]:
    """Find the files of an input, in the order of their paths.

    Parameters
    ----------
    where : str
        A file, a folder (searched to the bottom, hidden files left out) or a pattern with ``*``, ``?`` or ``**``; also as
        an address such as ``s3://bucket/folder``.
    suffixes : sequence of str
        Only these suffixes count; empty is all that can be read.
    notices : list of str, optional
        Takes a sentence on files that can be read and were left out.

    A folder or pattern with several formats gives the files of the most frequent one, the larger of equally frequent ones.
    Texts and documents, a README among them, are what is beside the data unless there are ten times as many of them; so are
    files of JSON that hold one object, unless there are five times as many. What a run wrote beside its result (stats, rejected
    rows, manifest, record) is left out unless there is nothing else, and files without a byte are, but for texts.

    Raises
    ------
    InputError
        If nothing is found, or a named file has a suffix that cannot be read.
    """
    if where == STDIN:
        return [InputFile(STDIN, "jsonl", None)]
    if _is_file(where):
        return [_named_file(where)]
    if not remote.is_remote(where) and os.path.isdir(where):
        if (table := input_file_of(where.rstrip("/"), is_folder=True)) is not None:
            return [table]
        from djfast.io.read.saved_datasets import is_saved_dataset, saved_files

        if is_saved_dataset(where):
            return saved_files(where, notices)
    candidates = _candidates(where)
    wanted = [suffix if suffix.startswith(".") else f".{suffix}" for suffix in suffixes]
    known = [file for path in candidates if (file := _with_format(path)) and _is_wanted(path, wanted)]
    if not known:
        looked_for = ", ".join(wanted) or ".jsonl, .parquet, .csv and others that can be read"
        raise InputError(f"no input file found; looked for {looked_for} among {len(candidates)} files, got {where!r}")
    known = _without_side_files(where, known, notices)
    files = _data_among(known)
    if len(files) < len(known) and notices is not None:
        notices.append(_left_out(where, known, files))
    return _with_bytes(where, files, notices)


def file_size(path: str) -> int:
    """Return the bytes of a file as it lies on disk, 0 for a generated data set.

    Raises
    ------
    InputError
        If there is no such file.
    """
    return 0 if path.startswith(GENERATED) else remote.stat(path).size


def _is_file(where: str) -> bool:
    if not remote.is_remote(where):
        return os.path.isfile(where)
    return not _has_magic(where) and remote.is_file(where)


def _candidates(where: str) -> list[str]:
    """Return the files of a folder or pattern."""
    if remote.is_remote(where):
        found = remote.files_like(where) if _has_magic(where) else remote.files_below(where)
        if found or _has_magic(where):
            return found
        raise InputError(f"there is no file or folder of this name, got {where!r}")
    if os.path.isdir(where):
        return _below(where)
    if _has_magic(where):
        import glob

        found = glob.glob(where, recursive=True)
        return sorted(path for path in found if os.path.isfile(path) or input_file_of(path, is_folder=True))
    if os.path.exists(where):
        raise InputError(f"a device or pipe can only be read as standard input: `--dataset_path - < {where}`, got {where!r}")
    if os.path.islink(where):
        raise InputError(f"the link leads to {os.readlink(where)!r}, which is not there, got {where!r}")
    raise InputError(f"there is no file or folder of this name{_nearest(where)}, got {where!r}")


def _has_magic(where: str) -> bool:
    """Tell whether a path is a pattern; a question mark in an address of the web begins its query."""
    path = where.partition("?")[0] if where.startswith(("http://", "https://")) else where
    return not _MAGIC.isdisjoint(path)


def _named_file(path: str) -> InputFile:
    file = input_file_of(path)
    if file is None:
        raise InputError(f"the input must end in {readable_suffixes()}, got {path!r}")
    return file


def _with_format(path: str) -> InputFile | None:
    return input_file_of(path) or input_file_of(path, is_folder=True)


def _below(folder: str) -> list[str]:
    found = []
    for place, folders, names in os.walk(folder):
        tables = [name for name in folders if input_file_of(name, is_folder=True)]
        found += [os.path.join(place, name) for name in tables]
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in tables)
        found += [os.path.join(place, name) for name in names if not name.startswith(".")]
    return sorted(found)


def _is_wanted(path: str, suffixes: Sequence[str]) -> bool:
    return not suffixes or any(path.lower().endswith(suffix) for suffix in suffixes)


def _without_side_files(where: str, files: list[InputFile], notices: list[str] | None) -> list[InputFile]:
    """Leave out what runs wrote beside their results; all of them stay if there is nothing else."""
    beside = [file for file in files if _is_side_file(file.path)]
    if not beside or len(beside) == len(files):
        return files
    if notices is not None:
        notices.append(f"{where}: what runs wrote beside their results is no input, {len(beside)} files: {_names_of(beside)}")
    taken = set(beside)
    return [file for file in files if file not in taken]


def _is_side_file(path: str) -> bool:
    """Tell whether a file lies beside a result: the record of the run is there, or its name is that of rejected rows."""
    result = result_beside(path)
    return result is not None and (path.endswith(rejected_path("")) or _is_file(record_path(result)))


def _data_among(files: list[InputFile]) -> list[InputFile]:
    """Keep the files of the family that is the data."""
    families: dict[str, list[InputFile]] = {}
    for file in files:
        families.setdefault(INPUT_FORMATS[file.format].family, []).append(file)
    if len(families) == 1:
        return files

    def weight(family: str) -> tuple[float, int]:
        found = families[family]
        return _weight(found), sum(file_size(file.path) for file in found)

    return families[max(families, key=weight)]


def _weight(files: list[InputFile]) -> float:
    """Return as how many files of data some files of one family count."""
    if INPUT_FORMATS[files[0].format].is_document:
        return len(files) / _TEXTS_FOR_ONE
    may_be_settings = [file for file in files if file.format == "json"]
    if len(may_be_settings) > _MOST_SETTINGS:
        return len(files)
    settings = sum(is_lone_object(file.path) for file in may_be_settings)
    return len(files) - settings + settings / _OBJECTS_FOR_ONE


def _with_bytes(where: str, files: list[InputFile], notices: list[str] | None) -> list[InputFile]:
    """Leave out files that hold nothing, such as shards that were never written; all of them stay if none holds anything."""
    if len(files) < 2 or INPUT_FORMATS[files[0].format].is_document:
        return files
    filled = [file for file in files if file_size(file.path)]
    if not filled or len(filled) == len(files):
        return files
    if notices is not None:
        empty = [file for file in files if not file_size(file.path)]
        notices.append(f"{where}: files without a byte hold no rows, {len(empty)}: {_names_of(empty)}")
    return filled


def _names_of(files: Sequence[InputFile]) -> str:
    return ", ".join(file.path for file in files[:_NAMED]) + (", ..." if len(files) > _NAMED else "")


def _left_out(where: str, known: list[InputFile], files: list[InputFile]) -> str:
    """Say which files of other formats were not taken."""
    taken = set(files)
    others = [file for file in known if file not in taken]
    counts = ", ".join(f"{count} {name}" for name, count in Counter(file.format for file in others).most_common())
    family = INPUT_FORMATS[files[0].format].family
    return (
        f"{where}: of several formats {family} is read, with {len(files)} files; left out are {len(others)} ({counts}): "
        f"{_names_of(others)}. Name what to read with `suffixes`"
    )


def _nearest(where: str) -> str:
    """Return a hint with the nearest name in the same folder."""
    from djfast.spelling import did_you_mean

    folder = os.path.dirname(where) or "."
    try:
        names = os.listdir(folder)
    except OSError:
        return ""
    return did_you_mean(os.path.basename(where), names[:10000])
