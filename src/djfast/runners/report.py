"""What a run did: rows in and out of every OP, times, bytes, places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from djfast.llm.usage import OpUsage
from djfast.records import NamedTuple
from djfast.runners.reasons import RejectedReason, reason_lines

if TYPE_CHECKING:
    from djfast.plan.steps import Plan


class OpReport(NamedTuple):
    """Rows entering and leaving one OP.

    `seconds` is the time in its functions summed over threads, in which those in Python may wait for the interpreter or a
    server; shared work counts for its first user. `short_texts` counts those that a deduplicator took for duplicates of each
    other because they are shorter than one window.
    """

    name: str
    rows_in: int
    rows_out: int
    rejected: int
    seconds: float
    short_texts: int = 0


class Report(NamedTuple):
    """The outcome of a run, as `djfast.run` returns it and ``run.json`` holds it."""

    rows_read: int
    rows_written: int
    rows_rejected: int
    bytes_read: int
    seconds: float
    threads: int
    ops: tuple[OpReport, ...]
    export_paths: tuple[str, ...]
    stats_path: str | None
    rejected_path: str | None
    notices: tuple[str, ...]
    ranks: tuple[RankReport, ...] = ()
    language_models: Mapping[str, OpUsage] | None = None  # by OP; of this attempt, where a job was resumed
    rejected_reasons: tuple[RejectedReason, ...] = ()  # of most rows

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON data."""
        plain = self._asdict()
        plain["ops"] = [op._asdict() for op in self.ops]
        plain["rejected_reasons"] = [reason._asdict() for reason in self.rejected_reasons]
        plain["ranks"] = [rank._asdict() for rank in self.ranks]
        del plain["language_models"]
        if self.language_models:
            plain["language_models"] = {op: usage._asdict() for op, usage in self.language_models.items()}
        return plain

    @classmethod
    def of(cls, record: dict[str, Any]) -> Report:
        """Return what `to_dict` recorded."""
        nested = {
            "ops": tuple(OpReport(**op) for op in record["ops"]),
            "rejected_reasons": tuple(RejectedReason(**each) for each in record.get("rejected_reasons", ())),
            "ranks": tuple(RankReport(**rank) for rank in record["ranks"]),
            "export_paths": tuple(record["export_paths"]),
            "notices": tuple(record["notices"]),
            "language_models": {op: OpUsage(**usage) for op, usage in record.get("language_models", {}).items()} or None,
        }
        return cls(**{**record, **nested})

    def __str__(self) -> str:
        """Return the OPs as a table, and the summary."""
        return "\n".join([*(self.funnel() if self.ops else []), self.last_line(), *(f"note: {note}" for note in self.notices)])

    def __repr__(self) -> str:
        """Return the same: this is what notebooks show."""
        return str(self)

    def last_line(self) -> str:
        """Return the summary that ends a run."""
        rate = self.bytes_read / 1e6 / self.seconds if self.seconds else 0.0
        where = f" -> {self.export_paths[0]}" if self.export_paths else ""
        if len(self.export_paths) > 1:
            where += f" (+{len(self.export_paths) - 1} shards)"
        rejected = f", {self.rows_rejected} rejected" + (f" ({self.rejected_path})" if self.rejected_path else "")
        rows = "row" if self.rows_read == 1 else "rows"
        return f"{self.rows_read} {rows} in, {self.rows_written} out{rejected} in {self.seconds:.2f} s ({rate:.1f} MB/s){where}"

    def funnel(self) -> list[str]:
        """Return one line for reading and one per OP: rows in, rows out, share kept, rejected rows, compute time."""
        readable = self.ops[0].rows_in if self.ops else self.rows_read - self.rows_rejected
        read = OpReport("read", self.rows_read, readable, self.rows_read - readable, 0.0)
        lines = [("OP", "rows in", "rows out", "kept", "rejected", "seconds")]
        for op in (read, *self.ops):
            kept = f"{op.rows_out / op.rows_in:.1%}" if op.rows_in else "-"
            seconds = "-" if op is read else f"{op.seconds:.2f}"
            lines.append((op.name, f"{op.rows_in:,}", f"{op.rows_out:,}", kept, f"{op.rejected:,}", seconds))
        widths = [max(map(len, column)) for column in zip(*lines)]
        return [
            "  ".join([line[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:]))])
            for line in lines
        ]


class RankReport(NamedTuple):
    """What one rank of a job did, in all its stages. `waited` is time without anything to do, in seconds."""

    rank: int
    rows_read: int
    bytes_read: int
    seconds: float
    waited: float


def rank_lines(ranks: Sequence[RankReport]) -> list[str]:
    """Return one line per rank: what it read, how fast, and how long it had nothing to do."""
    return [
        f"rank {each.rank}: {each.rows_read:,} rows, {each.bytes_read / 1e6:,.1f} MB, "
        f"{each.bytes_read / 1e6 / each.seconds if each.seconds else 0.0:.1f} MB/s, waited {each.waited:.2f} s"
        for each in ranks
    ]


def usage_lines(usage: Mapping[str, OpUsage]) -> list[str]:
    """Return one line per OP that asked a language model."""
    lines = []
    for op, each in usage.items():
        cost = "unknown" if each.cost is None else f"{each.cost:,.4f}"
        lines.append(
            f"{op}: {each.requests:,} requests ({each.retries:,} retries, {each.failures:,} failed), {each.cache_hits:,} answers "
            f"from the cache, {each.prompt_tokens:,} + {each.completion_tokens:,} tokens, cost {cost}"
            + (f"; {each.unusable:,} answers could not be used, {each.incomplete:,} of them incomplete" if each.unusable else "")
        )
    return lines


def rejection_lines(report: Report) -> list[str]:
    """Return why most of the rejected rows were rejected, with an example each."""
    if not report.rows_rejected:
        return []
    return [f"rejected {report.rows_rejected:,}:", *reason_lines(report.rejected_reasons, report.rows_rejected)]


class Tally:
    """Adds up what the batches of a run report, or its splits, or its ranks.

    Parameters
    ----------
    names : mapping of int to str
        Names of the OPs by their index, in the order in which they run.
    """

    def __init__(self, names: Mapping[int, str]) -> None:
        self.names = names
        self.rows_in: dict[int, int] = {}
        self.rows_out: dict[int, int] = {}
        self.seconds: dict[int, float] = {}
        self.rows_read = 0
        self.bytes_read = 0
        self.rejected = 0
        self.short_texts: dict[int, int] = {}  # that a deduplicator took for duplicates of each other

    @classmethod
    def of(cls, names: Mapping[int, str], record: dict[str, Any]) -> Tally:
        """Return what `to_record` recorded."""
        tally = cls(names)
        tally.seconds = dict(map(tuple, record["seconds"]))
        for op, rows_in, rows_out in record["ops"]:
            tally.rows_in[op], tally.rows_out[op] = rows_in, rows_out
        tally.short_texts = dict(map(tuple, record["short_texts"]))
        tally.rows_read, tally.bytes_read, tally.rejected = record["rows_read"], record["bytes_read"], record["rejected"]
        return tally

    def to_record(self) -> dict[str, Any]:
        """Return the counts as JSON data; `ops` holds ``[op, rows in, rows out]``, `seconds` ``[op, seconds]``."""
        ops = [[op, self.rows_in[op], self.rows_out[op]] for op in self.rows_in]
        seconds = [[op, round(value, 6)] for op, value in self.seconds.items()]
        counts = {"rows_read": self.rows_read, "bytes_read": self.bytes_read, "rejected": self.rejected}
        return {"ops": ops, "seconds": seconds, "short_texts": [*map(list, self.short_texts.items())], **counts}

    def add(self, other: Tally) -> None:
        """Add what another tally counted."""
        for op in other.rows_in:
            self.add_op(op, other.rows_in[op], other.rows_out[op])
        for op, seconds in other.seconds.items():
            self.seconds[op] = self.seconds.get(op, 0.0) + seconds
        self.rows_read += other.rows_read
        self.bytes_read += other.bytes_read
        self.rejected += other.rejected
        for op, count in other.short_texts.items():
            self.add_short_texts(op, count)

    def copy(self) -> Tally:
        """Return a tally with the same counts."""
        total = Tally(self.names)
        total.add(self)
        return total

    def add_batch(
        self,
        ops: Sequence[int],
        readable: int,
        counts: list[tuple[int, int, int, int]],
        short_texts: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Add one batch: `ops` are the row-local OPs of its pass as they run, `readable` the rows that could be read.

        An OP whose work was all shared has no step of its own; its rows pass through.
        """
        first: dict[int, int] = {}
        last: dict[int, int] = {}
        for op, rows_in, rows_out, nanoseconds in counts:
            first.setdefault(op, rows_in)
            last[op] = rows_out
            self.seconds[op] = self.seconds.get(op, 0.0) + nanoseconds / 1e9
        rows = readable
        for op in ops:
            self.add_op(op, first.get(op, rows), last.get(op, rows))
            rows = last.get(op, rows)
        for op, count in short_texts:
            self.add_short_texts(op, count)

    def add_op(self, op: int, rows_in: int, rows_out: int) -> None:
        """Add rows to one OP."""
        self.rows_in[op] = self.rows_in.get(op, 0) + rows_in
        self.rows_out[op] = self.rows_out.get(op, 0) + rows_out

    def add_short_texts(self, op: int, count: int) -> None:
        """Add texts that a deduplicator takes for duplicates of each other because they are short."""
        self.short_texts[op] = self.short_texts.get(op, 0) + count

    def ops(self, rejected: Mapping[int, int]) -> tuple[OpReport, ...]:
        """Return the OPs in the order in which they ran."""
        return tuple(
            OpReport(
                name,
                self.rows_in.get(i, 0),
                self.rows_out.get(i, 0),
                rejected.get(i, 0),
                round(self.seconds.get(i, 0.0), 6),
                self.short_texts.get(i, 0),
            )
            for i, name in self.names.items()
        )


def notices_of(plan: Plan, tally: Tally) -> list[str]:
    """Say which OP left no row, and how many short texts each deduplicator took for duplicates of each other."""
    notices = []
    for op, name in tally.names.items():
        if tally.rows_in.get(op) and not tally.rows_out.get(op):
            notices.append(f"no row is left: {name} drops the last {tally.rows_in[op]:,} of {tally.rows_read:,}")
    for op, count in sorted(tally.short_texts.items()):
        if count > 1:
            name, window = tally.names[op], plan.ops[op].__dict__.get("window_size")
            notices.append(
                f"{name}: {count:,} texts have fewer than {window} tokens and were taken for duplicates of each other; "
                "`short_texts: exact` drops equal ones only, and `tokenization: character` suits languages without spaces"
            )
    return notices
