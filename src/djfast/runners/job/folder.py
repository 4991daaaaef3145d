"""The folder of a job on the shared file system: what the job is, its parts and its journal."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from djfast.errors import ResumeError
from djfast.io.files import InputFile
from djfast.io.results import stem
from djfast.plan.resources import resource_files
from djfast.plan.steps import Compute, Plan
from djfast.recipe.load import Recipe
from djfast.runners.job.journal import Journal

# Settings that decide which rows are in the parts; the others may differ between attempts.
_SETTINGS = ("text_keys", "keep_stats_in_res_ds", "keep_hashes_in_res_ds", "skip_op_error")
_FORMAT = 1  # of parts and journal


class JobFolder:
    """Where a job keeps what it has finished.

    Parameters
    ----------
    path : Path
        ``<result without suffixes>.job`` in the recipe's work_dir.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.writer = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"

    @classmethod
    def of(cls, recipe: Recipe) -> JobFolder:
        """Return the folder of a recipe's job."""
        export = os.path.abspath(str(recipe.settings["export_path"]))
        place = recipe.settings["work_dir"] or os.path.dirname(export)
        return cls(Path(place) / f"{os.path.basename(stem(export))}.job")

    def journal(self) -> Journal:
        """Return the journal as it is on disk now."""
        journal = Journal(self.path / "journal", self.writer)
        journal.read()
        return journal

    def open(self, identity: Mapping[str, Any], *, split_bytes: int) -> int:
        """Make the folder, or check that the job in it is this one. Returns the size of the job's splits.

        A finished job makes room: its parts are gone, and only a run brings its result about again.

        Raises
        ------
        ResumeError
            If the folder holds an unfinished job of another recipe, input or version; the message says what differs.
        """
        identity = json.loads(json.dumps(identity))  # as it is read back: no tuples
        record = self._read_manifest()
        if record is not None:
            differences = _differences(record["identity"], identity)
            if self.journal().done is None:
                if not differences:
                    return int(record["split_bytes"])
                shown = "; ".join(differences[:5]) + ("; ..." if len(differences) > 5 else "")
                raise ResumeError(
                    f"{self.path} holds an unfinished job that is not this one: {shown}. Run what it was begun with to finish "
                    "it, or start over with --fresh"
                )
            self.clear()
        self.path.mkdir(parents=True, exist_ok=True)
        self._write_manifest({"identity": identity, "split_bytes": split_bytes})
        return split_bytes

    def note_splits(self, count: int) -> None:
        """Keep the number of splits, for who looks at the job from outside and reads no input."""
        record = self._read_manifest()
        if record is not None and record.get("splits") != count:
            self._write_manifest({**record, "splits": count})

    def split_count(self) -> int:
        """Return what `note_splits` kept; 0 before that."""
        record = self._read_manifest()
        return 0 if record is None else int(record.get("splits", 0))

    def differences(self, identity: Mapping[str, Any]) -> list[str] | None:
        """Say in what the job in the folder differs from another; None if there is no job.

        No difference is an empty list.
        """
        record = self._read_manifest()
        return None if record is None else _differences(record["identity"], json.loads(json.dumps(identity)))

    def _read_manifest(self) -> dict[str, Any] | None:
        with contextlib.suppress(FileNotFoundError):
            record: dict[str, Any] = json.loads((self.path / "job.json").read_text(encoding="utf-8"))
            return record
        return None

    def _write_manifest(self, record: Mapping[str, Any]) -> None:
        temporary = self.path / f"job.json.tmp-{self.writer}"
        temporary.write_text(json.dumps(record, indent=1), encoding="utf-8")
        temporary.replace(self.path / "job.json")

    def clear(self) -> None:
        """Forget the job."""
        shutil.rmtree(self.path, ignore_errors=True)

    def remove_parts(self) -> None:
        """Remove what only an unfinished job needs."""
        shutil.rmtree(self.path / "parts", ignore_errors=True)


def identity_of(recipe: Recipe, plan: Plan, files: Sequence[InputFile]) -> dict[str, Any]:
    """Return what makes a job this job: recipe, input, models and version, as JSON data."""
    from djfast import __version__

    resources = {
        path: _stamp(path)
        for stage in plan.stages
        for step in stage.steps
        if isinstance(step, Compute)
        for path in resource_files(step.fn, step.params, plan.ops[step.op].spec.name)
    }
    return {
        "format": _FORMAT,
        "version": __version__,
        "process": [{op.spec.name: op.given()} for op in plan.ops],
        "settings": {name: recipe.settings[name] for name in _SETTINGS},
        "inputs": {file.path: _stamp(file.path) for file in files},
        "models and word lists": resources,
    }


def _stamp(path: str) -> list[int]:
    """Size and time of change of a file: [-1, -1] if there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return [-1, -1]
    return [status.st_size, status.st_mtime_ns]


def _differences(before: Any, now: Any, where: str = "") -> list[str]:
    """Say in which places two JSON values differ."""
    if before == now:
        return []
    if isinstance(before, dict) and isinstance(now, dict):
        return [
            line
            for key in {**before, **now}
            for line in _differences(before.get(key), now.get(key), f"{where}{' ' if where else ''}{key}")
        ]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now) and "process" in where:
        return [line for i, pair in enumerate(zip(before, now)) for line in _differences(*pair, f"{where}[{i}]")]
    if where.startswith(("inputs ", "models and word lists ")):
        what = "is new" if before is None else "is no longer there" if now is None or now[0] < 0 else "has changed"
        return [f"{where} {what}"]
    return [f"{where} was {_shown(before)}, is {_shown(now)}"]


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
