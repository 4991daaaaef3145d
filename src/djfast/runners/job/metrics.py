"""The state of a running job as an OpenMetrics text file, which node_exporter and the like pick up."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from djfast.runners.report import Tally

_PERIOD = 5.0


class Metrics:
    """Writes the file now and then; a reader never sees half of it.

    Parameters
    ----------
    path : Path or None
        None writes nothing.
    """

    def __init__(self, path: Path | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._next = 0.0

    def update(self, tally: Tally, ranks: Mapping[int, Mapping[str, Any]], *, is_last: bool = False) -> None:
        """Write the state if it is time to."""
        if self._path is None or (not is_last and self._clock() < self._next):
            return
        self._next = self._clock() + _PERIOD
        temporary = self._path.with_name(f"{self._path.name}.tmp-{os.getpid()}")
        with contextlib.suppress(OSError):  # what only a monitor reads is not worth a run
            temporary.write_text("\n".join(_lines(tally, ranks)) + "\n", encoding="utf-8")
            temporary.replace(self._path)


def _lines(tally: Tally, ranks: Mapping[int, Mapping[str, Any]]) -> list[str]:
    lines = [
        "# TYPE djfast_rows_read counter",
        "# HELP djfast_rows_read Rows read from the input.",
        f"djfast_rows_read_total {tally.rows_read}",
        "# TYPE djfast_read_bytes counter",
        "# UNIT djfast_read_bytes bytes",
        "# HELP djfast_read_bytes Bytes read from the input.",
        f"djfast_read_bytes_total {tally.bytes_read}",
        "# TYPE djfast_rows_rejected counter",
        "# HELP djfast_rows_rejected Rows rejected.",
        f"djfast_rows_rejected_total {tally.rejected}",
    ]
    for name, what, counts in (("in", "entering", tally.rows_in), ("out", "leaving", tally.rows_out)):
        lines += [f"# TYPE djfast_op_rows_{name} counter", f"# HELP djfast_op_rows_{name} Rows {what} an OP."]
        lines += [
            f'djfast_op_rows_{name}_total{{op="{tally.names[op]}",step="{op}"}} {count}' for op, count in sorted(counts.items())
        ]
    lines += [
        "# TYPE djfast_rank_waiting_seconds gauge",
        "# UNIT djfast_rank_waiting_seconds seconds",
        "# HELP djfast_rank_waiting_seconds Time in which a rank had nothing to do.",
    ]
    lines += [f'djfast_rank_waiting_seconds{{rank="{rank}"}} {news["waited"]:.3f}' for rank, news in sorted(ranks.items())]
    return [*lines, "# EOF"]
