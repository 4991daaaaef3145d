"""The end of a job: result, rejected rows and report, from what its passes left."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from djfast.io.read.files import file_size
from djfast.io.read.formats import InputFile
from djfast.io.write.commit import Staging
from djfast.io.write.results import Result, ResultFile
from djfast.llm.usage import METER, OpUsage, total_usage
from djfast.ranks import Ranks
from djfast.recipe.load import Recipe
from djfast.recipe.outputs import is_remote
from djfast.runners.delivery import addressed, committed, output_of, result_bytes
from djfast.runners.job.journal import DoneEntry, checksum_of
from djfast.runners.job.merge import merge_alone, merge_together
from djfast.runners.job.parts import PartFile
from djfast.runners.job.passes import Passes
from djfast.runners.job.stopping import Stopping
from djfast.runners.job.survivors import owned
from djfast.runners.memory import threads_of
from djfast.runners.planning import fatal_ops
from djfast.runners.record import with_side_files, write_record
from djfast.runners.rejected import Rejected, RejectedRows, RowMember, reject_unfit
from djfast.runners.report import RankReport, Report, notices_of

if TYPE_CHECKING:
    from djfast.rows.carrier import Piece


def export_settings(recipe: Recipe) -> list[Any]:
    """Return the settings that decide how the result is written."""
    settings = recipe.settings
    path = str(settings["export_path"])
    names = ("export_format", "export_shard_size", "export_shard_rows", "export_arguments")
    return [path if is_remote(path) else os.path.abspath(path), *(settings[name] for name in names)]


def writes_together(recipe: Recipe, passes: Passes, ranks: Ranks) -> bool:
    """Whether every rank writes its share of the result; else rank 0 writes all."""
    return output_of(recipe).is_lines and passes.rows.holds_lines and ranks.size > 1


def write_outcome(
    recipe: Recipe,
    passes: Passes,
    ranks: Ranks,
    stopping: Stopping,
    files: list[InputFile],
    mine: RankReport,
    staging: Staging,
) -> Report | None:
    """Commit result, rejected rows and the record of the run, and journal that the job is complete; all ranks call it.

    Rank 0 returns the report; its `seconds` are those of its own rank.
    """
    folder = passes.folder
    folder.check_owned()
    output = output_of(recipe)
    rejected = None
    if writes_together(recipe, passes, ranks):
        if ranks.rank == 0:
            rejected = write_rejected(recipe, passes, staging, final=True)
        share = owned(passes.result_rows(), ranks)[ranks.rank]
        scratch = folder.path / "parts" / f"merge-{folder.mark()}"
        pieces = _stoppable(passes.result(share), stopping)
        paths, written = merge_together(pieces, output, staging, ranks, scratch, folder.check_owned)
    elif ranks.rank == 0:
        result = ResultFile(output, staging)
        paths, written, rejected = merge_alone(
            _stoppable(passes.whole_result(result), stopping),
            result,
            partial(write_rejected, recipe, passes, staging, final=True),
            folder.check_owned,
        )
    gathered = [json.loads(body) for body in ranks.gather_all(json.dumps([mine, METER.take()]).encode())]
    reports = [RankReport(*report) for report, _ in gathered]
    usage = total_usage({op: OpUsage(*each) for op, each in asked.items()} for _, asked in gathered)
    if rejected is None:
        return None
    total = passes.finished()
    report = Report(
        rows_read=total.rows_read,
        rows_written=written,
        rows_rejected=rejected.count,
        bytes_read=total.bytes_read,
        seconds=mine.seconds,
        threads=threads_of(recipe.settings),
        ops=total.ops(rejected.by_op),
        export_paths=tuple(paths),
        stats_path=None,
        rejected_path=None,
        notices=(*recipe.notices, *passes.plan.notices, *notices_of(passes.plan, total)),
        ranks=tuple(reports),
        language_models=usage or None,
        rejected_reasons=rejected.reasons.most_frequent(),
    )
    report = with_side_files(report, staging)
    inputs = [{"path": file.path, "bytes": file_size(file.path)} for file in files]
    write_record(staging, recipe, inputs, addressed(recipe, report))
    folder.check_owned()
    report = committed(recipe, report, staging)
    _journal_done(recipe, passes, report)
    return report


def write_rejected(
    recipe: Recipe, passes: Passes, staging: Staging, result: Result | None = None, *, final: bool
) -> RejectedRows:
    """Write the rejected rows of all finished parts, in the order of a run without ranks, then those unfit for the result.

    They are held to the limit if this is final; else, or if there are too many, they get the name for runs without a result.
    """
    is_fatal = fatal_ops(passes.plan, skips_errors=bool(recipe.settings["skip_op_error"]))
    rows = RejectedRows(staging, max_errors=recipe.settings["max_errors"], is_fatal=is_fatal)
    lines = {number: passes.lines_before(number) for number in {number for number, _ in passes.journal.parts}}
    try:
        for (number, split), entry in sorted(passes.journal.parts.items()):
            passes.journal.check(entry)
            for head, member in PartFile(passes.folder.path, entry).rejected():
                line = head["line"] + lines[number][split]
                rows.add(Rejected(head["op"], head["op_index"], head["reason"], head["file"], line, RowMember(member)))
        if result is not None:
            reject_unfit(result, rows)
        if final:
            total = passes.finished()
            rows.check(total.rows_read, sum(passes.result_rows()) - rows.unfit, total)
    except BaseException:
        rows.keep()
        raise
    if final:
        rows.finish()
    else:
        rows.keep()
    return rows


def _stoppable(pieces: Iterator[Piece], stopping: Stopping) -> Iterator[Piece]:
    for piece in pieces:
        yield piece
        stopping.check()


def _journal_done(recipe: Recipe, passes: Passes, report: Report) -> None:
    """Journal that the job is complete, when its result is sure to survive a crash, and clean up."""
    paths = [path if is_remote(path) else os.path.abspath(path) for path in (*report.export_paths, report.stats_path) if path]
    sizes = [(path, result_bytes(recipe, path)) for path in paths]
    present = [[path, size] for path, size in sizes if size >= 0]
    checksums = {path: checksum_of(path) for path, size in sizes if size >= 0 and os.path.isfile(path)}
    passes.journal.append(DoneEntry(present, export_settings(recipe), report.to_dict(), checksums))
    # An attempt that began before that line was written does not know it, and still needs the parts.
    passes.folder.check_owned()
    passes.folder.remove_parts()
