"""The global answer at the end of a pass: which rows its deduplicators keep, or which its selector takes, in which order."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Sequence
from typing import Any

from djfast.io.durable import written_whole
from djfast.plan.steps import Select, Survey
from djfast.ranks import Ranks
from djfast.runners.job.journal import AnswerEntry
from djfast.runners.job.parts import PartFile
from djfast.runners.job.passes import Passes
from djfast.runners.job.selecting import choose, write_order
from djfast.runners.job.surveying import surveyed
from djfast.runners.job.survivors import answer_alone, answer_together, write_masks
from djfast.runners.memory import LARGEST_WINDOW, Budget, key_bytes_of
from djfast.runners.reorder import cuts_of
from djfast.runners.stage_loop import is_ascending, mask_of

Waiting = Callable[[Callable[[], Any]], Any]


def answer(passes: Passes, number: int, ranks: Ranks, budget: Budget, waiting: Waiting) -> None:
    """Find the answer and journal it; all ranks call it."""
    passes.folder.check_owned()
    parts = passes.parts(number)
    begin = f"parts/stage-{number}/{passes.folder.writer}"
    select = passes.end(number).select
    survey = passes.end(number).survey
    if select is not None:
        _select(passes, number, select, parts, begin, ranks)
    elif survey is not None:
        _survey(passes, number, survey, parts, begin, ranks)
    else:
        _deduplicate(passes, number, parts, begin, ranks, budget, waiting)
    passes.journal.take_lines(waiting(lambda: ranks.gather_all(passes.journal.fresh_lines())))


def _deduplicate(
    passes: Passes,
    number: int,
    parts: Sequence[PartFile],
    begin: str,
    ranks: Ranks,
    budget: Budget,
    waiting: Waiting,
) -> None:
    dedups = passes.end(number).dedups
    in_memory = sum(part.entry.rows for part in parts) * key_bytes_of([dedup.grouping for dedup in dedups])
    if ranks.size == 1 and in_memory <= budget.key_bytes:
        found = answer_alone(dedups, parts)
    else:
        found = answer_together(dedups, parts, ranks, budget=budget.key_bytes)
    written = json.dumps(write_masks(found.masks, passes.folder.path, f"{begin}.masks")).encode()
    masks = [entry for body in waiting(lambda: ranks.gather_all(written)) for entry in json.loads(body)]
    if ranks.rank == 0:
        ops = [[dedup.op, *counts] for dedup, counts in zip(dedups, found.counts)]
        passes.journal.append(AnswerEntry(number, masks, ops))


def _survey(passes: Passes, number: int, survey: Survey, parts: Sequence[PartFile], begin: str, ranks: Ranks) -> None:
    rows = sum(part.entry.rows for part in parts)
    found = surveyed(survey, parts, ranks, rows)
    if ranks.rank == 0:
        path = f"{begin}.frequent"
        with written_whole(passes.folder.path / path, setting="work_dir") as file:
            file.write(found.tobytes())
        ops = [[survey.op, rows, rows]]
        passes.journal.append(AnswerEntry(number, [], ops, size=8 * len(found), frequent=path))


def _select(
    passes: Passes,
    number: int,
    select: Select,
    parts: Sequence[PartFile],
    begin: str,
    ranks: Ranks,
) -> None:
    folder = passes.folder.path
    rows_in, order = choose(select, parts, ranks, passes.plan.ops[select.op].spec.name)
    if ranks.rank != 0:
        return
    ops = [[select.op, rows_in, len(order)]]
    if is_ascending(order):
        mask = mask_of(order, sum(part.entry.rows for part in parts))
        masks = {}
        first = 0
        for split, part in enumerate(parts):
            masks[split] = mask[first : first + part.entry.rows]
            first += part.entry.rows
        passes.journal.append(AnswerEntry(number, write_masks(masks, folder, f"{begin}.masks"), ops))
        return
    sizes = array("Q", (size for part in parts for each in part.compared() for size in each.row_bytes))
    assert passes.folder.attempt is not None, "the folder is open"
    # Buckets are splits of the next pass: nothing but the job may decide about them, least of all this attempt's memory.
    bucket_bytes = min(passes.folder.attempt.split_bytes, LARGEST_WINDOW)
    cuts = [*cuts_of(order, sizes, bucket_bytes), len(order)]
    write_order(order, folder / f"{begin}.order")
    passes.journal.append(AnswerEntry(number, [], ops, f"{begin}.order", 8 * len(order), cuts))
