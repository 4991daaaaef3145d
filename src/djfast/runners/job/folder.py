"""The folder of a job on the shared file system: what the job is, its parts and its journal.

There is no lock. Whoever begins an attempt puts its name into ``attempt.json``, and the newest name counts: an attempt that
finds another one there stops before it writes anything that matters. What it wrote until then does no harm, for all names
are its own, and parts of the same job are equal, whoever wrote them.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import uuid
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from djfast.errors import InputError, OutputError, RecipeError, ResumeError
from djfast.io.durable import write_durably
from djfast.io.read.formats import InputFile
from djfast.io.remote import stat
from djfast.io.result_names import stem
from djfast.plan.resources import resource_files
from djfast.plan.steps import Compute, Plan, Rewrite
from djfast.recipe.load import Recipe
from djfast.records import NamedTuple
from djfast.redaction import Resolved
from djfast.reserved import STDIN, STDOUT
from djfast.runners.inputs import described
from djfast.runners.job.journal import Journal

# Settings that decide which rows and counts are in the parts; the others may differ between attempts.
_SETTINGS = (
    "text_keys", "add_suffix", "keep_stats_in_res_ds", "keep_hashes_in_res_ds", "skip_op_error", "without_rules", "limit"
)  # fmt: skip
_NAMES = frozenset({"attempt.json", "job.json", "journal", "parts", "metrics.prom"})  # of what lies in a job's folder
_SAMPLES = 16
_SAMPLE_BYTES = 4096
_FORMAT = 2  # of parts and journal
# Entries of a job's identity that are known only when its OPs are.
OF_OPS = ("process", "values of environment variables in process", "models, word lists and code")


class Attempt(NamedTuple):
    """What ``attempt.json`` says about the attempt that owns a folder.

    `job` is new when a job starts over, `attempt` with every attempt. All splits are of `split_bytes` bytes, which the
    first attempt decides.
    """

    job: str
    attempt: str
    host: str
    process: int
    split_bytes: int


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
        self.attempt: Attempt | None = None

    @classmethod
    def of(cls, recipe: Recipe) -> JobFolder:
        """Return the folder of a recipe's job.

        Raises
        ------
        RecipeError
            If input or result is a stream.
        """
        paths = [*recipe.settings["inputs"], recipe.settings["export_path"]]
        if stream := next((path for path in paths if path in (STDIN, STDOUT)), None):
            raise RecipeError(
                "a run with ranks or use_checkpoint goes on where it was interrupted, so dataset_path and export_path must name "
                f"files, got {'standard input' if stream == STDIN else 'standard output'}"
            )
        export = os.path.abspath(str(recipe.settings["result_path"]))
        place = recipe.settings["work_dir"] or os.path.dirname(export)
        return cls(Path(place) / f"{os.path.basename(stem(export))}.job")

    def open(self, identity: Mapping[str, Any], *, split_bytes: int) -> Attempt:
        """Begin an attempt: go on with the unfinished job in the folder, or make a new one.

        Raises
        ------
        ResumeError
            If the folder holds an unfinished job of another recipe, input or version; the message says what differs.
        OutputError
            If something else is in its place.
        """
        identity = json.loads(json.dumps(identity))  # as it is read back: no tuples
        record = self._record()
        if record is None:
            self._check_is_ours()
            record = {"job": uuid.uuid4().hex[:8], "split_bytes": split_bytes, "identity": identity}
            self.path.mkdir(parents=True, exist_ok=True)
            write_durably(self.path / "job.json", json.dumps(record, indent=1).encode())
        else:
            differences = _differences(record["identity"], identity)
            if differences and self._journal_of(record["job"]).done is None:
                shown = "; ".join(differences[:5]) + ("; ..." if len(differences) > 5 else "")
                raise ResumeError(
                    f"{self.path} holds an unfinished job that is not this one: {shown}. Finish it with the recipe, input "
                    "and version that it was started with, or start over with --fresh"
                )
            if differences:
                self.clear()
                return self.open(identity, split_bytes=split_bytes)
        attempt = Attempt(record["job"], uuid.uuid4().hex[:8], socket.gethostname(), os.getpid(), record["split_bytes"])
        write_durably(self.path / "attempt.json", json.dumps(attempt._asdict()).encode())
        self.join(attempt)
        return attempt

    def join(self, attempt: Attempt) -> None:
        """Take part in an attempt that another rank opened."""
        self.attempt = attempt

    def check_owned(self) -> None:
        """Stop if another run has begun an attempt in this folder.

        Raises
        ------
        ResumeError
            If it has. The newest attempt goes on: where a batch system puts a job back into its queue, the older one may
            be a process that nobody could kill.
        """
        record = _read(self.path / "attempt.json")
        if record is None:
            raise ResumeError(f"{self.path} is gone: another run started over, or it was removed. This one stops")
        owner = Attempt(**record)
        if self.attempt is not None and owner.attempt != self.attempt.attempt:
            raise ResumeError(
                f"another run has taken over {self.path}, and this one stops: process {owner.process} on {owner.host}"
            )

    def journal(self) -> Journal:
        """Return the job's journal, as it is on disk now."""
        assert self.attempt is not None, "the folder is not open"
        return self._journal_of(self.attempt.job)

    def look(self) -> Journal:
        """Return the journal for someone who only looks: nothing is written."""
        record = self._record()
        return self._journal_of(record["job"] if record is not None else "", joins=False)

    def _journal_of(self, job: str, *, joins: bool = True) -> Journal:
        journal = Journal(self.path, job, self.writer)
        journal.read(joins=joins)
        return journal

    def note_splits(self, count: int) -> None:
        """Keep the number of splits, for who looks at the job from outside and reads no input."""
        record = self._record()
        if record is not None and record.get("splits") != count:
            write_durably(self.path / "job.json", json.dumps({**record, "splits": count}, indent=1).encode())

    def split_count(self) -> int:
        """Return what `note_splits` kept; 0 before that."""
        record = self._record()
        return 0 if record is None else int(record.get("splits", 0))

    def differences(self, identity: Mapping[str, Any], *, leaving_out: Sequence[str] = ()) -> list[str] | None:
        """Say in what the job in the folder differs from another, some entries left out; None if there is no job.

        No difference is an empty list.
        """
        record = self._record()
        if record is None:
            return None
        before, now = dict(record["identity"]), dict(json.loads(json.dumps(identity)))
        for entry in leaving_out:
            before[entry] = now[entry] = None
        return _differences(before, now)

    def _record(self) -> dict[str, Any] | None:
        return _read(self.path / "job.json")

    def clear(self) -> None:
        """Forget the job. The attempt's name goes first, so that whoever still works on it notices.

        Raises
        ------
        OutputError
            If the folder holds other files.
        """
        self._check_is_ours()
        for name in ("attempt.json", "job.json"):
            (self.path / name).unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)

    def _check_is_ours(self) -> None:
        """Make sure that nothing but a job is, or will be, lost with the folder."""
        if not self.path.is_dir():
            others = [self.path.name] if os.path.lexists(self.path) else []
        else:
            others = sorted(each.name for each in self.path.iterdir() if each.name not in _NAMES and ".tmp" not in each.name)
        if others:
            raise OutputError(
                f"something else is where the job is kept; move it, or choose another work_dir or export_path: {self.path} is "
                f"or holds {', '.join(others[:5])}{', ...' if len(others) > 5 else ''}"
            )

    def remove_parts(self) -> None:
        """Remove what only an unfinished job needs, and what crashed attempts left behind."""
        shutil.rmtree(self.path / "parts", ignore_errors=True)
        for leftover in self.path.glob("*.tmp-*"):
            leftover.unlink(missing_ok=True)

    def mark(self) -> str:
        """Name for temporary files of this attempt, the same on all ranks."""
        assert self.attempt is not None, "the folder is not open"
        return f"{self.attempt.job}-{self.attempt.attempt}"


def identity_of(recipe: Recipe, plan: Plan, files: Sequence[InputFile]) -> dict[str, Any]:
    """Return what makes a job this job: recipe, input, models and version, as JSON data."""
    steps = [step for stage in plan.stages for step in (*stage.steps, stage.rewrite) if isinstance(step, Compute | Rewrite)]
    resources = {
        path: _stamp(path) for step in steps for path in resource_files(step.fn, step.params, plan.ops[step.op].spec.name)
    }
    return {
        **recipe_identity(recipe, plan),
        "inputs": {file.path: [*_stamp(file.path), _sample(file.path)] for file in files},
        "models, word lists and code": resources,
    }


def recipe_identity(recipe: Recipe, plan: Plan) -> dict[str, Any]:
    """Return what a recipe says of the rows of its result, as JSON data; all ranks must have the same."""
    from djfast import __version__

    return {
        "format": _FORMAT,
        "version": __version__,
        "process": [{op.spec.name: op.given()} for op in plan.ops],
        "values of environment variables in process": _digest_of_variables(plan),
        "settings": {name: recipe.settings[name] for name in _SETTINGS},
        "mixture": described(recipe.settings["sources"]),
    }


def _digest_of_variables(plan: Plan) -> str:
    """Return a digest of what variables stood for when the recipe was loaded; OPs show only their names."""
    import hashlib

    found: list[str] = []

    def look(value: Any) -> None:
        if isinstance(value, Resolved):
            found.append(str(value))
        elif isinstance(value, dict | list | tuple):
            for each in value.values() if isinstance(value, dict) else value:
                look(each)

    for op in plan.ops:
        look(dict(op.__dict__))
    return hashlib.sha256(json.dumps(found).encode()).hexdigest() if found else ""


def code_digest(plan: Plan) -> str:
    """Return a digest of the files with code of the user that a plan runs; ranks must have the same."""
    import hashlib

    steps = [step for stage in plan.stages for step in (*stage.steps, stage.rewrite) if isinstance(step, Compute | Rewrite)]
    files = {path for step in steps for path in resource_files(step.fn, step.params, plan.ops[step.op].spec.name)}
    digest = hashlib.sha256()
    for path in sorted(path for path in files if path.endswith(".py") and os.path.isfile(path)):
        digest.update(Path(path).name.encode() + hashlib.sha256(Path(path).read_bytes()).digest())
    return digest.hexdigest()


def _read(path: Path) -> dict[str, Any] | None:
    """Return what a file of the folder holds, None if there is none."""
    try:
        record: dict[str, Any] = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError as error:
        raise ResumeError(f"{path} is damaged ({error}); start over with --fresh") from error
    return record


def _stamp(path: str) -> list[Any]:
    """Size and time of change of a file, or its tag: [-1, -1] if there is none."""
    try:
        return list(stat(path))
    except InputError:
        return [-1, -1]


def _sample(path: str) -> int:
    """Return a checksum of some blocks of a file here: other content of the same size and time shows, if not every change."""
    checksum = 0
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            for place in sorted({size * number // _SAMPLES for number in range(_SAMPLES)} | {max(0, size - _SAMPLE_BYTES)}):
                file.seek(place)
                checksum = zlib.crc32(file.read(_SAMPLE_BYTES), checksum)
    except OSError:  # a folder, or elsewhere
        return 0
    return checksum


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
    if where.startswith(("inputs ", "models, word lists and code ")):
        what = "is new" if before is None else "is no longer there" if now is None or now[0] < 0 else "has changed"
        return [f"{where} {what}"]
    return [f"{where} was {_shown(before)}, is {_shown(now)}"]


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
