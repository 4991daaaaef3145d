"""``djfast fetch``: download the models and word lists that a recipe needs; no other command does."""

from __future__ import annotations

import argparse
import os
import shlex

from djfast.cli.main import EXIT_FAILED, add_recipe_arguments, load
from djfast.models.addresses import Address
from djfast.records import NamedTuple

TAKES_OVERRIDES = True


class Wanted(NamedTuple):
    """A file that is to be downloaded."""

    address: Address
    path: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_recipe_arguments(parser)
    parser.add_argument("--to", metavar="DIR", help="folder for the files; default the folders in which runs look for them")
    parser.add_argument("--dry-run", action="store_true", help="download nothing, print the commands of curl that would")


def main(options: argparse.Namespace, rest: list[str]) -> int:
    """Download what is missing; the status is 1 when something stays missing that no address is known for."""
    from djfast.models.download import download
    from djfast.runners.planning import plan_recipe

    plan = plan_recipe(load(options, rest, runs_code=False))  # type: ignore[arg-type]
    wanted, lines = needed(plan, options.to)
    print("\n".join(f"# {line}" if options.dry_run else line for line in lines), end="\n" if lines else "")
    for address, path in wanted:
        if options.dry_run:
            print("\n".join(_commands(address, path)))
            continue
        print(f"fetching {address.url} to {path}{_unchecked(address)}", flush=True)
        download(address, path)
    if options.to and wanted and not options.dry_run:
        folder = shlex.quote(os.path.abspath(options.to))
        print(f"for runs: export DATA_JUICER_EXTERNAL_MODELS_HOME={folder} DATA_JUICER_ASSETS_CACHE={folder}")
    return EXIT_FAILED if any(line.startswith("no address") for line in lines) else 0


def needed(plan: object, to: str | None) -> tuple[list[Wanted], list[str]]:
    """Return the files to download, and lines on what is here and on what no address is known for."""
    from djfast.errors import ModelError
    from djfast.models.addresses import address_of
    from djfast.plan.resources import fetchable, resolve
    from djfast.plan.steps import Compute, Rewrite

    wanted: dict[str, Wanted] = {}
    lines: dict[str, None] = {}
    for stage in plan.stages:  # type: ignore[attr-defined]
        for step in (*stage.steps, stage.rewrite):
            if not isinstance(step, Compute | Rewrite):
                continue
            op = plan.ops[step.op].spec.name  # type: ignore[attr-defined]
            for parameter in step.params:
                found = fetchable(step.fn, parameter)
                address = address_of(found.name) if found else None
                try:
                    if address is None or to is None:
                        resolve(step.fn, (parameter,), op)
                        here = found is not None and address is not None
                    else:
                        here = os.path.exists(os.path.join(to, found.name))  # type: ignore[union-attr]
                    if here:
                        lines[f"here already: {found.name}"] = None  # type: ignore[union-attr]
                        continue
                except ModelError as error:
                    if address is None:
                        lines[f"no address is known: {str(error).splitlines()[0]}"] = None
                if address is not None and found is not None:
                    path = os.path.join(os.path.expanduser(to) if to else found.folder, found.name)
                    if not os.path.exists(path):
                        wanted[path] = Wanted(address, path)
    return list(wanted.values()), list(lines)


def _commands(address: Address, path: str) -> list[str]:
    part, final = shlex.quote(f"{path}.part"), shlex.quote(path)
    check = f"echo {shlex.quote(f'{address.sha256}  {path}.part')} | sha256sum -c - && " if address.sha256 else ""
    note = [f"# {os.path.basename(path)}{_unchecked(address)}"] if not address.sha256 else []
    folder = shlex.quote(os.path.dirname(path) or ".")
    return [*note, f"mkdir -p {folder} && curl -fL -C - -o {part} {shlex.quote(address.url)} && {check}mv {part} {final}"]


def _unchecked(address: Address) -> str:
    return "" if address.sha256 else " (no checksum is known: not checked here)"
