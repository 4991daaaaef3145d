"""``djfast submit``: write a batch file for Slurm that is ready to send."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from djfast.cli.main import add_recipe_arguments, load
from djfast.errors import LaunchError, RecipeError
from djfast.ranks.slurm import BatchFile

if TYPE_CHECKING:
    from djfast.recipe.load import Recipe

TAKES_OVERRIDES = True

_LIBRARY = "import mpi4py; mpi4py.rc.initialize = False; from mpi4py import MPI; print(MPI.Get_library_version())"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_recipe_arguments(parser)
    parser.description = (
        "Write a batch file for Slurm. The recipe's np are the CPUs of a rank, its memory is that of a rank; both can be "
        "overridden here as in `djfast run`."
    )
    name = _matching(r"[A-Za-z0-9][A-Za-z0-9._+@-]{0,63}", "letters, digits and . _ + @ -, at most 64")
    names = _matching(r"[A-Za-z0-9][A-Za-z0-9._,+@-]{0,255}", "names separated by commas")
    time = _matching(
        r"\d{1,6}(:[0-5]?\d){0,2}|\d{1,4}-\d{1,2}(:[0-5]?\d){0,2}", "minutes, MM:SS, HH:MM:SS, D-HH, D-HH:MM or D-HH:MM:SS"
    )
    variable = _matching(r"[A-Za-z_][A-Za-z0-9_]*", "the name of a variable, without a value")
    output = _matching(r"[^\x00-\x1f\x7f\"\\]+", "a path without quotes, backslashes and control characters")
    parser.add_argument("--nodes", type=_count(1, 100_000), default=1, metavar="N", help="default 1")
    parser.add_argument("--ranks-per-node", type=_count(1, 4096), default=1, metavar="N", help="default 1")
    parser.add_argument(
        "--time", type=time, metavar="TIME", help="limit, as sbatch takes it; the job goes on after it, see --requeues"
    )
    parser.add_argument("--partition", type=names, metavar="NAME")
    parser.add_argument("--account", type=name, metavar="NAME")
    parser.add_argument("--job-name", type=name, metavar="NAME", help="default djfast-RESULT")
    parser.add_argument(
        "--output", type=output, metavar="LOG", help="log file, %%j is the job's number; default beside the result"
    )
    parser.add_argument(
        "--requeues",
        type=_count(0, 1000),
        default=10,
        metavar="N",
        help="times that the job may go back into the queue, default 10",
    )
    parser.add_argument(
        "--env", action="append", default=[], type=variable, metavar="NAME",
        help="environment variable that the run needs (HF_TOKEN); its value is not written, sbatch takes it along",
    )  # fmt: skip
    parser.add_argument(
        "--sbatch-arg", action="append", default=[], type=_matching(r"-[^\x00-\x1f\x7f]+", "one option of sbatch on one line"),
        metavar="OPTION", help="further option of sbatch, written as --sbatch-arg=--qos=high; may be given again",
    )  # fmt: skip
    parser.add_argument(
        "--setup", type=Path, metavar="FILE",
        help="file with shell lines that stand before the run: module load, source .../activate",
    )  # fmt: skip
    parser.add_argument("--mpi", choices=["openmpi", "mpich"], help="MPI library; default the one that mpi4py finds here")
    parser.add_argument(
        "--launcher", choices=["mpirun", "srun"], default="mpirun",
        help="default mpirun: with Open MPI a run then survives the loss of a rank, under srun Slurm ends it",
    )  # fmt: skip
    parser.add_argument("--file", type=Path, metavar="FILE", help="batch file to write, default beside the result")
    parser.add_argument("--send", action="store_true", help="send it with sbatch")


def main(options: argparse.Namespace, rest: list[str]) -> int:
    """Write the file, print its path, and send it if asked to."""
    _refuse_secrets(options, rest)
    recipe: Recipe = load(options, rest)  # type: ignore[assignment]
    from djfast.runners.job.folder import JobFolder

    place = JobFolder.of(recipe).path.with_suffix("")
    path: Path = options.file or place.with_name(f"{place.name}.sbatch")
    batch = BatchFile(
        recipe=(os.path.abspath(options.recipe or options.config), *(f"--set={text}" for text in options.set), *rest),
        folder=os.getcwd(),
        python=sys.executable,
        nodes=options.nodes,
        ranks_per_node=options.ranks_per_node,
        threads=_cores_of_rank(recipe),
        memory_bytes=int(recipe.settings["memory"]),
        job_name=options.job_name or _job_name(place.name),
        output=os.path.abspath(options.output) if options.output else _default_output(place),
        library=options.mpi or _library(),
        launcher=options.launcher,
        mpirun=_mpirun(),
        requeues=options.requeues,
        time=options.time,
        partition=options.partition,
        account=options.account,
        environment=tuple(options.env),
        sbatch_options=tuple(options.sbatch_arg),
        setup=_setup(options.setup),
    )
    batch.write(path)
    print(path)
    if options.send:
        _send(path)
    return 0


def _cores_of_rank(recipe: Recipe) -> int:
    """Return the CPUs that each rank is given. What `auto` means here says nothing about the nodes of the job."""
    np = recipe.settings["np"]
    if np == "auto":
        raise RecipeError("np must be an integer here, the CPUs that Slurm gives each rank: --np 16, got auto")
    return int(np)


def _count(least: int, most: int) -> Callable[[str], int]:
    def count(text: str) -> int:
        if not text.isdecimal() or len(text) > 9 or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"must be an integer from {least} to {most}, got {text[:100]!r}")
        return int(text)

    return count


def _matching(pattern: str, allowed: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if re.fullmatch(pattern, text, re.ASCII) is None:
            raise argparse.ArgumentTypeError(f"must be {allowed}, got {text[:100]!r}")
        return text

    return check


def _setup(path: Path | None) -> str:
    """Return the lines of a file of the user for the batch file."""
    if path is None:
        return ""
    try:
        text = path.expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"--setup must be a readable file of shell lines in UTF-8 ({error}), got {str(path)!r}") from error
    if "\0" in text:
        raise RecipeError(f"--setup must be a file of shell lines, but it has a NUL byte, got {str(path)!r}")
    return text.replace("\r\n", "\n")


def _refuse_secrets(options: argparse.Namespace, rest: list[str]) -> None:
    """Refuse a password or token on the command line: it would stand in the file."""
    from djfast.recipe.overrides import parse_flags, parse_set
    from djfast.redaction import is_secret, redacted

    for override in [*map(parse_set, options.set), *parse_flags(rest)]:
        value = _plain(override.text)
        holds_one = any(map(is_secret, override.path)) or redacted(value) != value
        if holds_one and re.fullmatch(r"\$\{\w+\}", override.text.strip()) is None:
            raise RecipeError(
                f"{override.label} is a secret and would be written into the batch file; write ${{NAME}} in the recipe and "
                "give the variable with --env NAME"
            )


def _plain(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def _job_name(result: str) -> str:
    return ("djfast-" + re.sub(r"[^A-Za-z0-9._-]", "-", result))[:64]


def _default_output(place: Path) -> str:
    output = os.path.abspath(place).replace("%", "%%") + "-%j.log"
    if re.search(r"[\x00-\x1f\x7f\"\\]", output):
        raise RecipeError(f"--output must be given: the result's path cannot stand in a batch file's head, got {str(place)!r}")
    return output


def _library() -> Literal["openmpi", "mpich"]:
    """Ask mpi4py which library it uses, in another process: a library may print or end the process when it is loaded."""
    asked = subprocess.run([sys.executable, "-c", _LIBRARY], capture_output=True, text=True, check=False, timeout=60)
    if "Open MPI" in asked.stdout:
        return "openmpi"
    if "MPICH" in asked.stdout:
        return "mpich"
    reason = (asked.stdout or asked.stderr).strip().splitlines()[-1:]
    raise LaunchError(
        f"--mpi must be given, openmpi or mpich: mpi4py does not tell which library it uses here: {''.join(reason)}"
    )


def _mpirun() -> str:
    """Return the mpirun that came with this Python's MPI library, or else the one that the job finds."""
    own = Path(sys.executable).with_name("mpirun")
    return str(own) if own.exists() else "mpirun"


def _send(path: Path) -> None:
    if shutil.which("sbatch") is None:
        raise LaunchError(f"--send needs sbatch, which is not in PATH; the file was written: {path}")
    sent = subprocess.run(["sbatch", "--", str(path)], check=False, capture_output=True, text=True)
    if sent.returncode != 0:
        raise LaunchError(f"sbatch did not accept {path}: {sent.stderr.strip()}")
    print(sent.stdout.strip())
