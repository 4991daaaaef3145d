"""What a worker process does: it gets ready from the text of a recipe, and runs stages on the blocks that it is sent."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import resource
from typing import Any

from djfast.access import holding
from djfast.children import serve
from djfast.plan.bind import BoundStage
from djfast.recipe.load import load_recipe
from djfast.rows.json_rows import JsonBlock, JsonRows
from djfast.runners.inputs import access_of
from djfast.runners.planning import plan_of
from djfast.runners.spool import read_parts, write_parts
from djfast.runners.stage_work import StageWork
from djfast.runners.travelling import packed_done, packed_error
from djfast.runners.watch import Watch

_works: dict[bytes, StageWork] = {}
_held = contextlib.ExitStack()


def answer(name: str, body: bytes) -> bytes:
    """Return what becomes of a block."""
    del name
    head, text, *parts = read_parts(io.BytesIO(body))
    work = _work(head, text)
    try:
        done = work.run(JsonBlock.unpack(*parts))
        packed = packed_done(done._replace(piece=done.piece.pack()))
    except Exception as error:  # it is raised where the block came from
        packed = packed_error(error, "in a worker process")
    answered = io.BytesIO()
    write_parts(answered, packed)
    return answered.getvalue()


def _work(head: bytes, text: bytes) -> StageWork:
    known = hashlib.sha256(head + b"\0" + text).digest()
    if known not in _works:
        _works[known] = _made(json.loads(head), json.loads(text))
    return _works[known]


def _made(head: dict[str, Any], text: dict[str, Any]) -> StageWork:
    recipe = load_recipe(text)
    _held.enter_context(holding(access_of(recipe)))
    number = int(head["stage"])
    plan = plan_of(recipe)._replace(brings_stats=head["brings_stats"])
    bound = BoundStage(plan.stages[number], plan.ops)
    rows = JsonRows((), batch_bytes=0, keeps_stats=head["keeps_stats"], keeps_hashes=head["keeps_hashes"])
    limit = head["row_timeout"]
    return StageWork(bound, rows.layouts(plan)[number], rows, None if limit is None else Watch(limit))


if __name__ == "__main__":
    serve(answer, seconds=1e9, memory=resource.RLIM_INFINITY)
