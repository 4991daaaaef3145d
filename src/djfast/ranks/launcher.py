"""How this process was started: by mpirun, by srun, or by hand. Read from the environment, before MPI is touched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Launch(NamedTuple):
    """What a launcher says: its name, and how many processes it started."""

    name: str
    size: int
    rank: int


# Launcher -> the variables with its number of processes and this one's number. The first that is complete counts:
# mpirun inside a Slurm job sets its own variables beside those of the job.
_LAUNCHERS = (
    ("Open MPI", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    ("Hydra (PMI)", "PMI_SIZE", "PMI_RANK"),
    ("Slurm (srun)", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
)


def detect_launch(environment: Mapping[str, str]) -> Launch | None:
    """Tell who started this process, None for nobody: a single process under a launcher is a job all the same."""
    for name, size, rank in _LAUNCHERS:
        if _number(environment.get(size)) and _number(environment.get(rank)) is not None:
            if name.startswith("Slurm") and not _is_step(environment):
                continue
            return Launch(name, int(environment[size]), int(environment[rank]))
    return None


def _is_step(environment: Mapping[str, str]) -> bool:
    """Tell a step of srun from the batch script itself and from an interactive shell of salloc."""
    step = environment.get("SLURM_STEP_ID", environment.get("SLURM_STEPID", ""))
    return step.isdigit() and int(step) < 0xFFFFFFF0


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None
