"""``djfast doctor``: what a recipe needs and whether it is here; without one, what this installation can do. Installs nothing."""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import re
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from djfast.cli.main import EXIT_FAILED, add_recipe_arguments, load
from djfast.records import NamedTuple
from djfast.redaction import on_one_line

if TYPE_CHECKING:
    from djfast.plan.steps import Compute, Plan, Rewrite
    from djfast.recipe.load import Recipe

TAKES_OVERRIDES = True


class Finding(NamedTuple):
    """One line of the report. `is_fine` is None for what is only good to know; `remedy` is the command that mends it."""

    is_fine: bool | None
    what: str
    when_not: str = "MISSING"  # what stands before it then
    remedy: str = ""

    def __str__(self) -> str:
        """Return the line."""
        mark = {True: "ok     ", False: self.when_not, None: "note   "}[self.is_fine]
        return f"{mark}  {self.what}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_recipe_arguments(parser)
    parser.add_argument("-v", "--verbose", action="store_true", help="list the extras, too, and all places that were looked at")


def main(options: argparse.Namespace, rest: list[str]) -> int:
    """Print what was found, what is missing first; the status is 1 when something is missing that the recipe needs."""
    has_recipe = options.recipe or options.config or options.set or rest  # without one, a key has nothing to change
    findings = _of_recipe(options, rest) if has_recipe else []
    has_extras = options.verbose or not findings
    print("\n".join(_line(each, is_long=options.verbose) for each in [*findings, *installation(has_extras=has_extras)]))
    is_well = all(finding.is_fine is not False for finding in findings)
    if remedies := dict.fromkeys(each.remedy for each in findings if each.remedy):
        print("\n".join(["", "What is missing comes with", *(f"  {remedy}" for remedy in remedies)]))
    elif findings and is_well:
        print("\nNothing is missing.")
    return 0 if is_well else EXIT_FAILED


def _of_recipe(options: argparse.Namespace, rest: list[str]) -> list[Finding]:
    """Return what a recipe needs: first what is missing, then what is good to know, then what is here."""
    from djfast.runners.planning import plan_recipe

    recipe = load(options, rest)
    plan = plan_recipe(recipe)  # type: ignore[arg-type]
    findings = list(needs(plan, options.recipe or options.config))
    if all(finding.is_fine is not False for finding in findings):
        findings += rejections(recipe, plan)  # type: ignore[arg-type]
    findings += [Finding(None, notice) for notice in (*recipe.notices, *plan.notices)]  # type: ignore[attr-defined]
    return sorted(findings, key=lambda finding: (False, None, True).index(finding.is_fine))


def _line(finding: Finding, *, is_long: bool) -> str:
    shown = str(finding)
    return on_one_line(shown if is_long else shown.partition("\n")[0])


def installation(*, has_extras: bool = True) -> Iterator[Finding]:
    """Yield what this installation is and which extras are complete."""
    from djfast import __version__, _native

    yield Finding(
        None,
        f"djfast {__version__}, Python {platform.python_version()}, {_native.active_isa()} instructions, {os.cpu_count()} CPUs",
    )
    for extra, packages in sorted(_extras().items()) if has_extras else ():
        absent = [name for name in packages if not _is_installed(name)]
        state = f"not installed: {', '.join(absent)}; pip install 'djfast[{extra}]'" if absent else "complete"
        yield Finding(None, f"extra {extra}: {state}")


def needs(plan: Plan, recipe: str) -> Iterator[Finding]:
    """Yield what a plan needs, and whether it is here; `recipe` is the file that it is the plan of."""
    from djfast import functions
    from djfast.errors import ModelError
    from djfast.plan.resources import resolve, resource_files
    from djfast.plan.steps import Compute, Rewrite

    steps = [step for stage in plan.stages for step in (*stage.steps, stage.rewrite) if isinstance(step, Compute | Rewrite)]
    python = dict.fromkeys(step.fn for step in steps if step.fn in functions.PYTHON_FUNCTIONS)
    absent = functions.missing(python)
    if absent:
        what, _, command = functions.install_message(absent).partition("; ")
        yield Finding(False, what, remedy=command)
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
            command = f"djfast fetch {shlex.quote(recipe)}"
            what = str(error).removeprefix(f"{op}: ").replace("djfast fetch RECIPE", command)
            yield Finding(False, f"{op}: {what}", remedy=command if _can_be_fetched(step) else "")
        if _runs_user_code(step.fn):
            yield Finding(None, f"{op}: runs code of the user; DJFAST_USER_CODE=0 forbids it")
        asking = dict(step.params).get("asking")
        if asking is not None and not dict(asking)["is_hf_model"]:
            yield from _server(op)


def _can_be_fetched(step: Compute | Rewrite) -> bool:
    from djfast.models.addresses import address_of
    from djfast.plan.resources import fetchable

    found = [fetchable(step.fn, parameter) for parameter in step.params]
    return any(each is not None and address_of(each.name) is not None for each in found)


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
