"""How this process was started: by mpirun, by srun, or by hand. Read from the environment, before MPI is touched."""

from __future__ import annotations

from collections.abc import Mapping

from djfast.records import NamedTuple


class Launch(NamedTuple):
    """What a launcher says: its name, how many processes it started, this one's number, and how many are on this host."""

    name: str
    size: int
    rank: int
    here: int = 1


# Launcher -> the variables with its number of processes, this one's number, and the processes on this host. The first whose
# numbers are complete counts: mpirun inside a Slurm job sets its own variables beside those of the job.
_LAUNCHERS = (
    ("Open MPI", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"),
    ("Hydra (PMI)", "PMI_SIZE", "PMI_RANK", "MPI_LOCALNRANKS"),
    ("Slurm (srun)", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", "SLURM_STEP_TASKS_PER_NODE"),
)


def detect_launch(environment: Mapping[str, str]) -> Launch | None:
    """Tell who started this process, None for nobody: a single process under a launcher is a job all the same."""
    for name, size, rank, here in _LAUNCHERS:
        if _number(environment.get(size)) and _number(environment.get(rank)) is not None:
            if name.startswith("Slurm") and not _is_step(environment):
                continue
            host = _number(environment.get("SLURM_NODEID")) or 0
            return Launch(name, int(environment[size]), int(environment[rank]), _tasks_of(environment.get(here, ""), host))
    return None


def _is_step(environment: Mapping[str, str]) -> bool:
    """Tell a step of srun from the batch script itself and from an interactive shell of salloc."""
    step = environment.get("SLURM_STEP_ID", environment.get("SLURM_STEPID", ""))
    return step.isdigit() and int(step) < 0xFFFFFFF0


def _tasks_of(text: str, host: int) -> int:
    """Return the processes on a host, as Slurm lists them for all hosts, ``4(x2),3``, or as one number; 1 if that is not told."""
    counts = []
    for part in text.split(","):
        count, _, times = part.partition("(x")
        if not count.isdecimal() or (times and not times[:-1].isdecimal()):
            return 1
        counts += [int(count)] * min(int(times[:-1] or 1) if times else 1, host + 1)
    return max(1, counts[min(host, len(counts) - 1)])


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None
