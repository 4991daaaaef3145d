"""The groups of some deduplicators, whose keys go to disk where they take more memory than a run may use for them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from types import TracebackType
from typing import Any

from djfast import _native
from djfast.declare import DuplicateRule
from djfast.io.durable import writing


class KeyedGroups:
    """Rows with the keys of some deduplicators.

    Parameters
    ----------
    groups : sequence
        The native state of each deduplicator.
    folder : str or None
        Where keys go to disk, in files that have no name, so that none is left behind; None keeps them in memory.
    most_bytes : int or None
        Memory for all keys; None is no limit.

    Raises
    ------
    OutputError
        From all methods, when the disk fails.
    """

    def __init__(self, groups: Sequence[Any], *, folder: str | None, most_bytes: int | None) -> None:
        self._groups = groups
        self._folder = folder
        self._most_bytes = most_bytes
        self._resolved = 0
        self._part = 0.0  # of the one that is being resolved
        self._files = ExitStack()
        self._stays_in_memory = folder is None or most_bytes is None
        self._is_spilled = False

    def __enter__(self) -> KeyedGroups:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._files.close()

    def add(self, keys: Sequence[tuple[bytes, bytes | None]], rows: int) -> None:
        """Append rows: for each deduplicator their keys, and which rows have some."""
        with self._writing() if self._is_spilled else nullcontext():
            for group, (own, present) in zip(self._groups, keys):
                group.add(own, rows, present)
        if not self._stays_in_memory and sum(group.used_bytes for group in self._groups) > int(self._most_bytes or 0):
            self._spill()

    def resolve(self, number: int, alive: bytes) -> bytes:
        """Return which rows stay, one byte for each, of those that are alive."""
        with self._writing():
            kept = bytes(self._groups[number].resolve(alive, self._tell))
        self._resolved, self._part = self._resolved + 1, 0.0
        return kept

    def share_resolved(self) -> float:
        """Return how much of the work of all `resolve` is done, from 0 to 1."""
        return (self._resolved + self._part) / len(self._groups)

    def _tell(self, share: float) -> None:
        self._part = share

    def _spill(self) -> None:
        import tempfile  # most runs spill nothing

        self._stays_in_memory = self._is_spilled = True  # what more comes, native code spills
        with self._writing():
            os.makedirs(str(self._folder), exist_ok=True)
            for group in self._groups:
                file = self._files.enter_context(tempfile.TemporaryFile(dir=self._folder))  # noqa: SIM115
                group.spill_to(file.fileno(), int(self._most_bytes or 0) // len(self._groups))

    def _writing(self) -> AbstractContextManager[None]:
        return writing(os.path.join(str(self._folder), "keys of deduplicators"), setting="work_dir")


def make_groups(rule: DuplicateRule) -> Any:
    """Return the native state that finds the groups of a deduplicator."""
    if rule.kind == "equal":
        return _native.DigestGroups()
    if rule.kind == "bands":
        return _native.BandGroups(rule.bands, rule.by_number)
    return _native.HammingGroups(rule.distance)
