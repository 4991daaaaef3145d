"""The ``djfast`` command: picks a subcommand, prints errors as one message, gives a true exit status."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from types import ModuleType

# Subcommand -> what it does. Its module djfast.cli.NAME is imported when it is used.
COMMANDS = {
    "run": "Run a recipe.",
    "submit": "Write a batch file for Slurm that runs a recipe on many nodes, and send it.",
    "status": "Say whether a run with ranks is complete.",
    "plan": "Show what a recipe would do: stages, steps, what is shared, what runs natively.",
    "doctor": "Say what a recipe needs and whether it is here; installs nothing.",
    "fetch": "Download the models and word lists that a recipe needs.",
    "ops": "List the OPs, or show one.",
    "convert": "Convert data sets of other projects to the common form, and back.",
    "recipes": "List the recipes that come with djfast, show one, or copy one with its sample data.",
    "completion": "Print a script with which bash, zsh or fish complete commands, options, keys and OPs.",
    "schema": "Print the JSON Schema of recipes, for editors.",
}

# For terminals of 80 columns. To ask how wide this one is, argparse would load shutil and what that needs, in every run.
_HelpFormatter = partial(argparse.HelpFormatter, width=78)

EXIT_FAILED = 1
EXIT_WRONG_RECIPE = 2
EXIT_INTERRUPTED = 130


class _CommandParser(argparse.ArgumentParser):
    """Parser of a subcommand, which takes options of recipes too, before and after its own arguments."""

    def parse_with_flags(self, given: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        """Return the subcommand's own arguments, and the options of recipes."""
        from djfast.errors import RecipeError
        from djfast.recipe.overrides import split_flags

        try:
            own, flags = split_flags(given, {name: action.nargs != 0 for name, action in self._option_string_actions.items()})
        except RecipeError as error:
            self.error(str(error))
        return self.parse_args(own), flags


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0 done, 1 failed, 2 wrong recipe or arguments."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in COMMANDS:
        return _run_program(given[0], given[1:]) if arguments is None else _run_command(given[0], given[1:])
    if given[:1] in (["version"], ["-V"]):
        given = ["--version"]
    elif given[:1] == ["help"]:
        given = [*given[1:2], "--help"]
        return main(given)
    parser = _parser()
    if given and not given[0].startswith("-"):
        from djfast.spelling import did_you_mean

        parser.error(f"no such command{did_you_mean(given[0], COMMANDS)}; there are {', '.join(COMMANDS)}, got {given[0]!r}")
    parser.parse_args(given)
    parser.print_help()
    return 0


def _run_program(name: str, given: list[str]) -> int:
    """Run a subcommand that has the process for itself. A run's result is a file, so it is no matter who reads the summary."""
    from djfast.cli.process import take_outputs

    output = take_outputs()
    status = _run_command(name, given)
    sys.stdout.flush()
    if output.problem is None or name == "run":
        return status
    if not isinstance(output.problem, BrokenPipeError):
        print(f"djfast: error: the output cannot be written: {output.problem.strerror}", file=sys.stderr)
    return status or EXIT_FAILED


def _run_command(name: str, given: list[str]) -> int:
    with uncollected():
        module, command = command_parser(name)
        takes_flags = getattr(module, "TAKES_OVERRIDES", False)
        options, rest = command.parse_with_flags(given) if takes_flags else (command.parse_args(given), [])
        options.command = name
    status = _guarded(module, options, rest)
    if "djfast.runners.watch" in sys.modules:
        sys.modules["djfast.runners.watch"].end_if_any_hang(status)
    return status


def command_parser(name: str) -> tuple[ModuleType, _CommandParser]:
    """Return a subcommand's module and its parser."""
    module = import_module(f"djfast.cli.{name}")
    command = _CommandParser(
        prog=f"djfast {name}", description=COMMANDS[name], formatter_class=_HelpFormatter, allow_abbrev=False
    )
    module.add_arguments(command)
    return module, command


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector away while a command starts.

    Modules and recipes stay to the end of the process, so it would look through them again and again in vain. What is there at
    the end of the block is never looked at again: not while the command works, and not when the process ends.
    """
    was_enabled = gc.isenabled()  # who calls from Python may have reasons of their own
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


def _parser() -> argparse.ArgumentParser:
    from djfast import __version__

    commands = "\n".join(f"  {name:<10} {summary}" for name, summary in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="djfast",
        usage="djfast [-h] [--version] COMMAND ...",
        description="Prepare data for foundation models: Data-Juicer recipes at native speed.",
        epilog=f"commands:\n{commands}\n\n`djfast COMMAND --help` tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("-V", "--version", action="version", version=f"djfast {__version__}")
    return parser


def _guarded(module: object, options: argparse.Namespace, rest: list[str]) -> int:
    """Run a subcommand; errors that the user can fix become messages instead of tracebacks."""
    try:
        return int(module.main(options, rest))  # type: ignore[attr-defined]
    except BrokenPipeError:
        return EXIT_FAILED
    except (Exception, KeyboardInterrupt) as error:
        message = message_of(error)
        if message is None:
            raise
        from djfast.redaction import lines_of

        line = f"djfast: {message}" if isinstance(error, KeyboardInterrupt) else f"djfast: error: {message}"
        print(lines_of(line), file=sys.stderr)
        return exit_status(error)


def message_of(error: BaseException) -> str | None:
    """Say what the user can do about an error; None if it is a bug, which a traceback tells most of."""
    from djfast.errors import DjfastError, InternalError

    if isinstance(error, KeyboardInterrupt):
        return f"{f'ended by {error}' if str(error) else 'interrupted'}; no result was written"
    if isinstance(error, MemoryError):
        detail = f" ({error})" if str(error) else ""
        return f"out of memory{detail}; give the process more of it, or lower np or batch_bytes"
    if isinstance(error, DjfastError) and not isinstance(error, InternalError):
        return str(error)
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {error}"
    return None


def exit_status(error: BaseException) -> int:
    """Exit status of a run that this error ended."""
    from djfast.errors import EXIT_RESUMABLE, Preempted, RecipeError

    if isinstance(error, KeyboardInterrupt):
        return int(getattr(error, "exit_status", EXIT_INTERRUPTED))
    if isinstance(error, Preempted):
        return EXIT_RESUMABLE
    return EXIT_WRONG_RECIPE if isinstance(error, RecipeError) else EXIT_FAILED


def add_recipe_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what commands on recipes share."""
    parser.add_argument("recipe", nargs="?", help="recipe file (YAML or JSON)")
    parser.add_argument("--config", dest="config", metavar="RECIPE", help="the same, as dj-process takes it")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key: --set np=4, --set process.3.min_len=20, --set process.text_length_filter.min_len=20",
    )
    parser.epilog = (
        "Every key of a recipe is an option, too, as in Data-Juicer: --np 4, --limit 1000, --text_length_filter.min_len 20, and "
        "--dataset_path - --export_path - for standard input and output."
    )


def load(options: argparse.Namespace, rest: list[str], *, runs_code: bool = True) -> object:
    """Load the recipe that the options name, with its overrides; without code of the user, those of its OPs are left out."""
    from djfast.errors import RecipeError
    from djfast.recipe.load import load_recipe
    from djfast.recipe.overrides import parse_flags, parse_set

    path = options.recipe or options.config
    if options.recipe and options.config and options.recipe != options.config:
        raise RecipeError(f"two recipes are given, {options.recipe!r} and --config {options.config!r}; a run takes one")
    if path is None:
        raise RecipeError(f"no recipe given: djfast {options.command} RECIPE")
    return load_recipe(path, overrides=[*map(parse_set, options.set), *parse_flags(rest)], runs_code=runs_code)


if __name__ == "__main__":
    sys.exit(main())
