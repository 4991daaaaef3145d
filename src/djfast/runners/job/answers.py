"""The global answer at the end of a pass: which rows its deduplicators keep, or which its selector takes, in which order."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from djfast.io.durable import written_whole
from djfast.plan.steps import Group, Select, Survey
from djfast.ranks import Ranks
from djfast.runners.grouping import Groups
from djfast.runners.job.journal import AnswerEntry
from djfast.runners.job.parts import PartFile
from djfast.runners.job.passes import Passes
from djfast.runners.job.selecting import choose, write_order
from djfast.runners.job.surveying import surveyed
from djfast.runners.job.survivors import answer_alone, answer_together, write_masks
from djfast.runners.memory import LARGEST_WINDOW, Budget, key_bytes_of
from djfast.runners.reorder import cuts_of
from djfast.runners.row_files import write_rows
from djfast.runners.selection import is_ascending, mask_of

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
    elif (group := passes.end(number).group) is not None:
        _group(passes, number, group, parts, begin, ranks)
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
    in_memory = sum(part.entry.rows for part in parts) * key_bytes_of([dedup.rule for dedup in dedups])
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
        path = _write_numbers(passes, found, f"{begin}.frequent")
        passes.journal.append(AnswerEntry(number, [], [[survey.op, rows, rows]], numbers=path, numbers_size=8 * len(found)))


def _group(passes: Passes, number: int, group: Group, parts: Sequence[PartFile], begin: str, ranks: Ranks) -> None:
    if ranks.rank != 0:
        return
    groups = Groups()
    row_bytes = array("Q")
    for part in parts:
        for each in part.compared():
            groups.add(each.values)  # type: ignore[arg-type]
            row_bytes.extend(each.row_bytes)
    sizes = array("Q", groups.sizes())
    order = groups.order()
    path = _write_numbers(passes, sizes, f"{begin}.groups")
    write_order(order, passes.folder.path / f"{begin}.order")
    cuts = _cuts_of_groups(order, sizes, row_bytes, _bucket_bytes(passes))
    ops = [[group.op, len(order), len(sizes)]]
    order_path = f"{begin}.order"
    passes.journal.append(AnswerEntry(number, [], ops, order_path, 8 * len(order), cuts, path, 8 * len(sizes)))


def _cuts_of_groups(
    order: Sequence[int], sizes: Sequence[int], row_bytes: Sequence[int], bucket_bytes: int
) -> list[int]:
    """Return the first places of buckets of whole groups, and the end of the last."""
    cuts = [0]
    place = filled = 0
    for size in sizes:
        taken = sum(row_bytes[row] for row in order[place : place + size])
        if filled and filled + taken > bucket_bytes:
            cuts.append(place)
            filled = 0
        filled += taken
        place += size
    return [*cuts, place]


def _write_numbers(passes: Passes, numbers: array[int], path: str) -> str:
    with written_whole(passes.folder.path / path, setting="work_dir") as file:
        file.write(numbers.tobytes())
    return path


def _bucket_bytes(passes: Passes) -> int:
    """Bytes of a bucket. Buckets are splits of the next pass: nothing but the job may decide about them."""
    assert passes.folder.attempt is not None, "the folder is open"
    return min(passes.folder.attempt.split_bytes, LARGEST_WINDOW)


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
    if select.selection.path is not None:
        with written_whole(Path(select.selection.path), setting="its parameter") as file:
            for part in parts:
                for piece in part.pieces(passes.rows.piece.unpack):
                    write_rows(file, piece, select.selection)
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
    cuts = [*cuts_of(order, sizes, _bucket_bytes(passes)), len(order)]
    write_order(order, folder / f"{begin}.order")
    passes.journal.append(AnswerEntry(number, [], ops, f"{begin}.order", 8 * len(order), cuts))
