"""Batch files for Slurm: what `djfast submit` writes."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Literal

from djfast.errors import RecipeError
from djfast.records import NamedTuple

NOTICE_SECONDS = 120  # before its time is up a job is asked to stop

# With these a run goes on without a lost rank, and notices ranks that do not answer any more.
_OPEN_MPI_FLAGS = (
    *("--bind-to", "none", "--with-ft", "ulfm"),
    *("--mca", "pml", "ob1", "--mca", "btl", "self,sm,tcp", "--mca", "osc", "^ucx"),
    *("--mca", "mpi_ft_detector", "true", "--mca", "mpi_ft_detector_period", "2", "--mca", "mpi_ft_detector_timeout", "30"),
)


class BatchFile(NamedTuple):
    """A run of a recipe as a batch job. Whoever makes one has checked the values; quoting for the shell is done here.

    `recipe` is the recipe's path and what overrides it, as arguments of ``djfast run``. `environment` names variables, whose
    values never stand in the file. `output` may hold sbatch's patterns (%j). `sbatch_options` are further options of sbatch as
    they stand, `setup` is shell code that runs before everything else: it loads modules, or activates an environment.
    """

    recipe: tuple[str, ...]
    folder: str  # relative paths of the recipe begin here
    python: str
    nodes: int
    ranks_per_node: int
    threads: int
    memory_bytes: int  # of each rank
    job_name: str
    output: str
    library: Literal["openmpi", "mpich"]
    launcher: Literal["mpirun", "srun"]
    mpirun: str
    requeues: int
    time: str | None = None
    partition: str | None = None
    account: str | None = None
    environment: tuple[str, ...] = ()
    sbatch_options: tuple[str, ...] = ()
    setup: str = ""

    def text(self) -> str:
        """Return the file's text.

        Raises
        ------
        RecipeError
            If a value cannot stand in it: lines for Slurm know no quotes that a line feed or `"` could stand in.
        """
        for name, value in {"--output": self.output, "--job-name": self.job_name}.items():
            if '"' in value or not value.isprintable():
                raise RecipeError(f"{name} must have no line feeds, other control characters or \" in its path, got {value!r}")
        for option in self.sbatch_options:
            if not option.startswith("-") or not option.isprintable():
                raise RecipeError(f"--sbatch-arg must be one option of sbatch on one line, such as --qos=high, got {option!r}")
        return _TEXT.format(
            options="\n".join(f"#SBATCH {option}" for option in self._options()),
            setup=f"\n# From --setup.\n{self.setup.rstrip()}\n" if self.setup.strip() else "",
            folder=shlex.quote(self.folder),
            python=shlex.quote(self.python),
            recipe=shlex.join(self.recipe),
            names=" ".join(self.environment),
            launch=shlex.join(self._launch()),
            requeues=self.requeues,
        )

    def _options(self) -> list[str]:
        mebibytes = -(-self.memory_bytes * self.ranks_per_node // 2**20)
        options = [
            f"--job-name={self.job_name}",
            f"--nodes={self.nodes}",
            f"--ntasks-per-node={self.ranks_per_node}",
            f"--cpus-per-task={self.threads}",
            f"--mem={mebibytes}M",
            f'--output="{self.output}"',
            "--open-mode=append",
            f"--signal=B:USR1@{NOTICE_SECONDS}",
            "--requeue",
            "--export=ALL",
        ]
        given = {"time": self.time, "partition": self.partition, "account": self.account}
        options += [f"--{name}={value}" for name, value in given.items() if value is not None]
        return [*options, *self.sbatch_options]  # of an option that is given twice, sbatch takes the last

    def _launch(self) -> list[str]:
        ranks = str(self.nodes * self.ranks_per_node)
        if self.launcher == "srun":
            interface = {"openmpi": "pmix", "mpich": "pmi2"}[self.library]
            return ["srun", f"--mpi={interface}", "--ntasks", ranks, f"--cpus-per-task={self.threads}"]
        if self.library == "mpich":
            return [self.mpirun, "-n", ranks, "-ppn", str(self.ranks_per_node)]
        passed = [part for name in self.environment for part in ("-x", name)]
        return [self.mpirun, "-n", ranks, *_OPEN_MPI_FLAGS, *passed]

    def write(self, path: Path) -> None:
        """Write the file; its folder is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.text(), encoding="utf-8")


_TEXT = r"""#!/bin/bash
{options}

# Written by `djfast submit`. A stopped or interrupted job goes back into the queue and goes on where it was; whether it is
# complete is asked of its journal, because mpirun may return 0 for a run that lost a host.
{setup}
cd {folder} || exit 1
python={python}
recipe=({recipe})
requeues={requeues}

for name in {names}; do
  [ -n "${{!name+set}}" ] || {{ echo "djfast: the environment variable $name is not set" >&2; exit 2; }}
done

"$python" -m djfast status "${{recipe[@]}}"
case $? in
  0) exit 0 ;;
  2) exit 2 ;;
esac

# The shell hands signals on: mpirun would kill its ranks at SIGTERM, at SIGUSR1 they finish what they are at.
stopped=no
{launch} "$python" -m djfast run "${{recipe[@]}}" &
launcher=$!
trap 'stopped=yes; kill -USR1 "$launcher" 2>/dev/null' USR1 TERM
wait "$launcher"
status=$?
while kill -0 "$launcher" 2>/dev/null; do  # a signal ends the wait, not what is waited for
  wait "$launcher"
  status=$?
done

"$python" -m djfast status "${{recipe[@]}}"
standing=$?
[ $standing = 0 ] && exit 0
if [ $stopped = yes ] || [ $status = 0 ] || [ $status = 85 ]; then
  if [ "${{SLURM_RESTART_COUNT:-0}}" -lt $requeues ]; then
    scontrol requeue "$SLURM_JOB_ID"
    exit 85
  fi
  echo "djfast: put back into the queue $requeues times already; sbatch this file again to go on" >&2
fi
[ $status = 0 ] && status=$standing
exit $status
"""
