"""How a result gets its names: all of its files at once, or none of them.

Everything that a run writes beside its result begins in a hidden folder there, ``.<result>.djfast``. What is to be done when
all of it is complete, which file gets which name and which files of an earlier result go, is written down first, in
``commit.json``. From then on the new result is the one that counts: whoever finds such a file does what it says, and doing it
twice does no harm. The record of the run goes first and comes last, so a result with a record is whole.

A lock on a file in the folder keeps two runs apart, on one host or on several. The system forgets it when its process ends,
so what lies in a folder that is not locked was left by the dead.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from typing import IO, Any

from djfast.errors import OutputError
from djfast.io.durable import sync_file, sync_folder, write_durably, writing
from djfast.io.result_names import manifest_path, read_record, record_path, stem
from djfast.records import NamedTuple

_LOCK = "lock"
_JOURNAL = "commit.json"
_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL})
_DEFERRED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


def place_of(path: str) -> str:
    """Return the hidden folder for what is made of a result."""
    folder, name = os.path.split(stem(path))
    return os.path.join(folder, f".{name}.djfast")


def target_of(path: str) -> str:
    """Return the file that a result is written to: where a link leads, else itself."""
    return os.path.realpath(path) if os.path.islink(path) else path


def staged(path: str, result: str, mark: str) -> str:
    """Return the name of a file of a result until it is committed; it lies in the file system that it will stay in."""
    target = target_of(path) if path == result else path
    return os.path.join(place_of(result if target == path else target), mark, os.path.basename(target))


class Holder(NamedTuple):
    """Who holds a lock."""

    host: str
    process: int
    since: float
    job: str  # folder of the job whose attempt it is; empty for a run without one

    def __str__(self) -> str:
        """Say who it is."""
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"process {self.process} on {self.host}, since {since}"


class Staging:
    """The files of one result while a run makes them.

    Parameters
    ----------
    path : str
        The result.
    mark : str, optional
        Tells this run's files from those of others; all ranks of a job have the same one. By default it is drawn.
    job : str, optional
        Folder of the job that the run belongs to. Its attempts may follow each other while an older one is still alive.
    is_durable : bool
        The result must survive a loss of power, too, and not only the end of the process.
    """

    def __init__(self, path: str, mark: str = "", *, job: str = "", is_durable: bool = False) -> None:
        self.path = path
        self.mark = mark or os.urandom(8).hex()
        self.notices: list[str] = []
        self._job = job
        self._is_durable = is_durable
        # A link may lead into its own folder by another spelling.
        self._places = sorted({os.path.realpath(place): place for place in (place_of(target_of(path)), place_of(path))}.values())
        self._locks: list[_Lock] = []
        self._complete: dict[str, None] = {}

    def __enter__(self) -> Staging:
        """Keep other runs of this result away."""
        self.lock()
        return self

    def __exit__(self, *_: object) -> None:
        """Let others at it; what was not committed is gone."""
        self.close()

    def of(self, path: str) -> str:
        """Return the name of a file of the result until it is committed."""
        return staged(path, self.path, self.mark)

    def scratch(self, name: str) -> str:
        """Return the name of a file that will not be part of the result."""
        return os.path.join(place_of(self.path), self.mark, f".{name}")

    def lock(self) -> None:
        """Keep other runs of this result away, complete what a dead one had begun to commit, and remove what it left.

        Raises
        ------
        OutputError
            If another run is writing this result, or its folder cannot be written to.
        """
        try:
            for place in self._places:
                with writing(place, setting="export_path"):
                    self._locks.append(lock := _Lock(place, self._job))
                    self.notices += [lock.notice] if lock.notice else []
                    if lock.is_held:
                        _sweep(place)
        except BaseException:
            self.close()
            raise

    def prepare(self, temporary: str) -> str:
        """Make the folder of a temporary name, and return the name."""
        os.makedirs(os.path.dirname(temporary), exist_ok=True)
        return temporary

    def open(self, path: str) -> IO[bytes]:
        """Create the file of the result that will have this name; a link in its place is not followed."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        return open(os.open(self.prepare(self.of(path)), flags, 0o666), "wb", buffering=1 << 16)

    def complete(self, path: str) -> None:
        """Note that a file of the result, or a folder, is complete under its temporary name."""
        self._complete[path] = None

    @property
    def completed(self) -> list[str]:
        """Names of all that is complete."""
        return list(self._complete)

    def keep(self, path: str, name: str) -> None:
        """Give one file another name although there will be no result; without such a file nothing has that name."""
        with writing(name, setting="export_path"):
            remove(name)
            with contextlib.suppress(FileNotFoundError):
                os.replace(self.of(path), name)

    def commit(self, earlier: Sequence[str]) -> None:
        """Give all complete files their names, and remove what is left of an earlier result.

        Raises
        ------
        OutputError
            If it cannot be written down what is to be done: the earlier result is as it was then.
        """
        last = [named(self.path) for named in (manifest_path, record_path)]
        moves = sorted(self._complete, key=lambda path: last.index(path) if path in last else -1)
        # One file takes another one's place at once. Of shards the earlier ones go first: old and new never lie side by side.
        replaced = {self.path} & {*moves}
        goes = sorted({*earlier} - replaced, key=lambda path: (-last.index(path) if path in last else 1, path))
        plan = _Plan(
            result=os.path.basename(self.path),
            mark=self.mark,
            removals=[os.path.basename(path) for path in goes],
            moves=[os.path.basename(path) for path in moves],
            is_durable=self._is_durable,
        )
        place = place_of(self.path)
        for path in moves if self._is_durable else ():
            _sync(self.of(path))
        with _undisturbed(), writing(place, setting="export_path"):
            write_durably(os.path.join(place, _JOURNAL), json.dumps(plan._asdict()).encode(), is_durable=self._is_durable)
            _carry_out(place)

    def discard(self) -> None:
        """Remove what is not committed; any thread may do so."""
        for place in self._places:
            if not os.path.exists(os.path.join(place_of(self.path), _JOURNAL)):  # else the next run needs it
                remove(os.path.join(place, self.mark))

    def leave(self) -> None:
        """Leave what is not committed to the next run: other ranks still write there."""
        for lock in self._locks:
            lock.drop()
        self._locks.clear()

    def close(self) -> None:
        """Remove what is not committed, and let others at the result; ranks that hold no lock leave that to the one that does."""
        if self._locks:
            self.discard()
        for lock in self._locks:
            lock.release()
        self._locks.clear()


def finish_commit(path: str) -> bool:
    """Complete what a dead run had begun to commit for a result, and tell whether there was something."""
    place = place_of(path)
    if not os.path.exists(os.path.join(place, _JOURNAL)):
        return False
    try:
        with Staging(path):
            return True
    except OutputError:  # its run is alive, or this is another user
        return False


class _Lock:
    """A lock on a file in the folder of a result that is made, and the folder itself.

    `is_held` is False where the file system has no locks, or where an older attempt of the same job is still alive.
    """

    def __init__(self, place: str, job: str) -> None:
        self.place = place
        self.is_held = False
        self.notice = ""
        self._path = os.path.join(place, _LOCK)
        self._descriptor = -1
        self._new_folders = list(_missing(os.path.dirname(place)))
        while self._descriptor < 0:
            self._take(job)

    def _take(self, job: str) -> None:
        """Try once. Whoever lets go removes the file, so it may be another one by the time it is locked."""
        import fcntl

        os.makedirs(self.place, exist_ok=True)
        if not stat.S_ISDIR(os.lstat(self.place).st_mode):
            raise OutputError(f"the working folder of the result is a link; remove it, got {self.place!r}")
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        except FileNotFoundError:
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_same_file(descriptor, self._path):
                os.close(descriptor)
                return
            self.is_held = True
            self._sign(descriptor, job)
        except BlockingIOError:
            holder = _holder(self._path)
            if not (job and holder is not None and holder.job == job):
                os.close(descriptor)
                who = f": {holder}" if holder is not None else ""
                raise OutputError(
                    f"another run is writing this result{who}; wait until it ends, or choose another export_path, got "
                    f"{os.path.dirname(self.place) or '.'!r}"
                ) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(descriptor)
                raise
            self.notice = (
                f"the file system of {os.path.dirname(self.place) or '.'} has no locks: make sure that no other run has the same "
                "export_path"
            )
        self._descriptor = descriptor

    def _sign(self, descriptor: int, job: str) -> None:
        holder = Holder(os.uname().nodename, os.getpid(), time.time(), job)
        with contextlib.suppress(OSError):  # the disk may be full; the lock holds without a name on it
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(holder._asdict()).encode(), 0)

    def drop(self) -> None:
        """Let go, as the end of the process would."""
        os.close(self._descriptor)

    def release(self) -> None:
        """Let go, and remove the folder if nothing is in it, and those that were made for it."""
        if self.is_held:
            with contextlib.suppress(OSError):
                os.unlink(self._path)
        self.drop()
        with contextlib.suppress(OSError):
            for folder in (self.place, *self._new_folders):
                os.rmdir(folder)


def _missing(folder: str) -> Iterator[str]:
    """Yield the folders that must be made for one to exist, the innermost first."""
    while folder and not os.path.exists(folder):
        yield folder
        folder = os.path.dirname(folder)


def _is_same_file(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False


def _holder(path: str) -> Holder | None:
    record = read_record(path)
    try:
        return Holder(**record) if record is not None else None
    except TypeError:
        return None


def _sweep(place: str) -> None:
    """Complete a commit that was cut off, and remove what dead runs left. The folder must be locked."""
    _carry_out(place)
    for name in os.listdir(place):
        if name != _LOCK:
            remove(os.path.join(place, name))


class _Plan(NamedTuple):
    """What a commit does. All are names in the folder of the result: a file that strangers put there reaches no further."""

    result: str
    mark: str
    removals: list[str]
    moves: list[str]
    is_durable: bool

    @classmethod
    def read(cls, place: str) -> _Plan | None:
        """Return what is written down in a folder; None if nothing is, or not by us."""
        record = read_record(os.path.join(place, _JOURNAL))
        if record is None or record.keys() != set(cls._fields):
            return None
        plan = cls(**record)
        names = [plan.result, plan.mark, *plan.removals, *plan.moves]
        is_ours = all(isinstance(name, str) and name not in ("", ".", "..") and "/" not in name for name in names)
        return plan if is_ours and place_of(os.path.join(os.path.dirname(place), plan.result)) == place else None


def _carry_out(place: str) -> None:
    """Do what is written down in a folder, or the rest of it."""
    plan = _Plan.read(place)
    if plan is None:
        return
    folder = os.path.dirname(place)
    result = os.path.join(folder, plan.result)
    sources = {name: staged(os.path.join(folder, name), result, plan.mark) for name in plan.moves}
    waiting = {name for name, source in sources.items() if os.path.lexists(source)}
    for name in plan.removals:  # the record first: until it is back, nobody takes what is there for a whole result
        if name in waiting or name not in plan.moves:
            remove(os.path.join(folder, name))
    for name in plan.moves:
        if name in waiting:
            _move(sources[name], target_of(result) if name == plan.result else os.path.join(folder, name))
    if plan.is_durable:
        for each in {folder, os.path.dirname(target_of(result))}:
            sync_folder(each or ".")
    os.unlink(os.path.join(place, _JOURNAL))


def _move(source: str, target: str) -> None:
    """Give something its name. A folder takes the place of another one, which goes."""
    if os.path.isdir(source) and os.path.isdir(target) and not os.path.islink(target):
        earlier = f"{source}.earlier"
        remove(earlier)
        os.rename(target, earlier)
    os.replace(source, target)


def _sync(path: str) -> None:
    if not os.path.isdir(path):
        sync_file(path)
        return
    for folder, _, names in os.walk(path):
        for name in names:
            sync_file(os.path.join(folder, name))


def remove(path: str) -> None:
    """Remove a file or a folder, if it is there."""
    if os.path.isdir(path) and not os.path.islink(path):
        with contextlib.suppress(OSError):
            os.rmdir(path)  # most are empty
            return
        import shutil

        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Note signals that Python code answers, and answer them behind this."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    seen: list[tuple[int, Any]] = []
    handlers = {number: signal.getsignal(number) for number in _DEFERRED}
    deferred = {number: handler for number, handler in handlers.items() if callable(handler)}
    for number in deferred:
        signal.signal(number, lambda *signalled: seen.append(signalled))
    try:
        yield
    finally:
        for number, handler in deferred.items():
            signal.signal(number, handler)
    for signalled, frame in seen:
        deferred[signal.Signals(signalled)](signalled, frame)
