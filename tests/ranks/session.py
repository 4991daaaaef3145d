"""One rank of an MPI session that runs many jobs: ``mpirun -n 3 python -m tests.ranks.session FOLDER``.

Reads ``recipes.json`` of the folder and writes ``counts.json``, a list of what `outcomes.run_with_ranks` returned.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

from djfast.ranks import connect, detect_launch
from djfast.ranks.mpi import MpiRanks
from tests.ranks import picky_op
from tests.ranks.outcomes import run_with_ranks


def main(folder: Path) -> None:
    world = connect(detect_launch(os.environ))
    from mpi4py import MPI

    os.fsync = lambda descriptor: None
    counts = []
    for recipe in json.loads((folder / "recipes.json").read_text()):
        communicator = MPI.COMM_WORLD.Dup()  # as in real life, a job has messages of its own
        try:
            with picky_op.declared():
                counts.append(run_with_ranks(recipe, MpiRanks(communicator)))
        except BaseException:
            print(f"rank {world.rank}: {json.dumps(recipe)}", file=sys.stderr)
            traceback.print_exc()
            world.abort(1)
        communicator.Free()
    if world.rank == 0:
        (folder / "counts.json").write_text(json.dumps(counts))
    world.close(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
