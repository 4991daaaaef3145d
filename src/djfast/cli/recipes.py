"""``djfast recipes``: the recipes that come with djfast: list them, show one, copy one with its sample data."""

from __future__ import annotations

import argparse
import shutil
from itertools import takewhile
from pathlib import Path

from djfast.errors import OutputError, RecipeError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", help="names, each with what the recipe does")
    show = actions.add_parser("show", help="print a recipe")
    show.add_argument("name", help="its name, as `djfast recipes list` prints it")
    copy = actions.add_parser("copy", help="copy a recipe and the sample data that it reads")
    copy.add_argument("name", help="its name, as `djfast recipes list` prints it")
    copy.add_argument("folder", nargs="?", default=".", help="folder that it is copied to, by default this one")


def main(options: argparse.Namespace, rest: list[str]) -> int:
    """List, show or copy."""
    del rest
    if options.action == "list":
        recipes = shipped()
        width = max(map(len, recipes))
        for name, path in recipes.items():
            print(f"{name:<{width}}  {summary_of(path)}")
        return 0
    path = _find(options.name)
    if options.action == "show":
        print(path.read_text(encoding="utf-8"), end="")
        return 0
    for copied in copy_recipe(path, Path(options.folder)):
        print(copied)
    return 0


def recipes_folder() -> Path:
    """Return where the recipes lie: in the installed package, or beside the sources."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "recipes"
    return installed if installed.is_dir() else package.parents[1] / "recipes"


def shipped() -> dict[str, Path]:
    """Return the recipes by name."""
    return {path.stem: path for path in sorted(recipes_folder().glob("*.yaml"))}


def summary_of(path: Path) -> str:
    """Return the first line of a recipe's comment, a sentence."""
    return head_of(path)[0]


def head_of(path: Path) -> list[str]:
    """Return the lines of the comment at the top of a recipe: what it does, how it is run, what it needs."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("#").removeprefix(" ") for line in takewhile(lambda line: line.startswith("#"), lines)]


def copy_recipe(path: Path, folder: Path) -> list[Path]:
    """Copy a recipe and the data of the recipes folder that it names, which keep their places beside it.

    Raises
    ------
    OutputError
        If one of the files is there already: what somebody may have changed is not replaced.
    """
    text = path.read_text(encoding="utf-8")
    data = [each for each in sorted((path.parent / "data").glob("*.jsonl")) if f"recipes/data/{each.name}" in text]
    targets = [(path, folder / path.name), *((each, folder / "recipes" / "data" / each.name) for each in data)]
    for _, target in targets:
        if target.exists():
            raise OutputError(f"the file is there already; remove it or choose another folder, got {str(target)!r}")
    for source, target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return [target for _, target in targets]


def _find(name: str) -> Path:
    recipes = shipped()
    stem = name.removesuffix(".yaml")
    if stem not in recipes:
        raise RecipeError(f"no recipe of this name comes with djfast; there are {', '.join(recipes)}, got {name!r}")
    return recipes[stem]
