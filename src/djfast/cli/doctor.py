"""``djfast doctor``: what a recipe needs and whether it is here; without one, what this installation can do. Installs nothing."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from djfast.cli.main import EXIT_FAILED, add_recipe_arguments, load
from djfast.redaction import on_one_line

if TYPE_CHECKING:
    from djfast.plan.steps import Plan
    from djfast.recipe.load import Recipe

TAKES_OVERRIDES = True


class Finding(NamedTuple):
    """One line of the report. `is_fine` is None for what is only good to know."""

    is_fine: bool | None
    what: str
    when_not: str = "MISSING"  # what stands before it then

    def __str__(self) -> str:
        """Return the line."""
        mark = {True: "ok     ", False: self.when_not, None: "note   "}[self.is_fine]
        return f"{mark}  {self.what}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_recipe_arguments(parser)


def main(options: argparse.Namespace, rest: list[str]) -> int:
    """Print what was found; the status is 1 when something is missing that the recipe needs."""
    findings = list(installation())
    if options.recipe or options.config:
        from djfast.runners.local import plan_recipe

        recipe = load(options, rest)
        plan = plan_recipe(recipe)  # type: ignore[arg-type]
        findings += needs(plan)
        if all(finding.is_fine is not False for finding in findings):
            findings += rejections(recipe, plan)  # type: ignore[arg-type]
        findings += [Finding(None, notice) for notice in (*recipe.notices, *plan.notices)]  # type: ignore[attr-defined]
    print("\n".join(on_one_line(str(finding)) for finding in findings))
    return EXIT_FAILED if any(finding.is_fine is False for finding in findings) else 0


def installation() -> Iterator[Finding]:
    """Yield what this installation is and which extras are complete."""
    from djfast import __version__, _native

    yield Finding(
        None,
        f"djfast {__version__}, Python {platform.python_version()}, {_native.active_isa()} instructions, {os.cpu_count()} CPUs",
    )
    for extra, packages in sorted(_extras().items()):
        absent = [name for name in packages if not _is_installed(name)]
        state = f"not installed: {', '.join(absent)}; pip install 'djfast[{extra}]'" if absent else "complete"
        yield Finding(None, f"extra {extra}: {state}")


def needs(plan: Plan) -> Iterator[Finding]:
    """Yield what a plan needs, and whether it is here."""
    from djfast import functions
    from djfast.errors import ModelError
    from djfast.plan.resources import resolve, resource_files
    from djfast.plan.steps import Compute, Rewrite

    steps = [step for stage in plan.stages for step in (*stage.steps, stage.rewrite) if isinstance(step, Compute | Rewrite)]
    python = dict.fromkeys(step.fn for step in steps if step.fn in functions.PYTHON_FUNCTIONS)
    absent = functions.missing(python)
    if absent:
        yield Finding(False, functions.install_message(absent))
    for requirement in dict.fromkeys(each for name in python for each in functions.PYTHON_FUNCTIONS[name].requires):
        if requirement not in absent:
            yield Finding(True, f"package {requirement.package}")
    said = set()
    for step in steps:
        op = plan.ops[step.op].spec.name
        if (op, step.params) in said:
            continue
        said.add((op, step.params))
        try:
            resolve(step.fn, step.params, op)
            for path in resource_files(step.fn, step.params, op):
                yield Finding(True, f"{op}: {path}")
        except ModelError as error:
            yield Finding(False, f"{op}: {error}")
        if _runs_user_code(step.fn):
            yield Finding(None, f"{op}: runs code of the user; DJFAST_USER_CODE=0 forbids it")
        asking = dict(step.params).get("asking")
        if asking is not None and not dict(asking)["is_hf_model"]:
            yield from _server(op)


def rejections(recipe: Recipe, plan: Plan) -> Iterator[Finding]:
    """Yield what a probe of the input rejects; nothing is fine if that is every row."""
    from djfast.runners.probe import prediction_of

    if not any(recipe.settings["sources"].listed):
        return
    found = prediction_of(recipe, plan, ranks=1)
    if isinstance(found, str):
        yield Finding(None, found)
    elif found.rejected:
        head, *reasons = (line.strip() for line in found.rejection_lines())
        all_of_them = found.rejected == found.probed_rows
        yield Finding(False if all_of_them else None, f"a probe of the input {head}", "FAILS  ")
        yield from (Finding(None, f"  {reason}") for reason in reasons)


def _server(op: str) -> Iterator[Finding]:
    base = os.environ.get("OPENAI_BASE_URL")
    where = base or "the default address of the interface, as OPENAI_BASE_URL is not set"
    yield Finding(None, f"{op}: asks a language model at {where}")
    if not os.environ.get("OPENAI_API_KEY"):
        yield Finding(None, f"{op}: OPENAI_API_KEY is not set; servers that want a key refuse")


def _runs_user_code(function: str) -> bool:
    return function.startswith(("user_", "custom_", "adapted_"))


def _extras() -> dict[str, list[str]]:
    """Return the packages of each extra, by the names they are installed under."""
    extras: dict[str, list[str]] = {}
    try:
        lines = importlib.metadata.requires("djfast") or []
    except importlib.metadata.PackageNotFoundError:  # run from its source folder
        lines = []
    for line in lines:
        requirement, _, marker = line.partition(";")
        extra = re.search(r"""extra\s*==\s*['"]([\w-]+)['"]""", marker)
        name = re.match(r"[\w.-]+", requirement.strip())
        if extra and name and extra[1] != "test" and name[0] != "djfast":
            extras.setdefault(extra[1], []).append(name[0])
    return extras


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
