"""``djfast convert``: data sets of other projects to the common format, and back."""

from __future__ import annotations

import argparse
import sys
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("input", nargs="?", metavar="IN", help="file to read: .json, .jsonl or .csv, also compressed")
    parser.add_argument("output", nargs="?", metavar="OUT", help="file to write")
    for name, file in (("from", "IN"), ("to", "OUT")):
        about = f"format of {file}; dj is the common one (default)"
        parser.add_argument(f"--{name}", dest=f"{name}_form", default="dj", metavar="FORMAT", help=about)
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="set an option of the format, such as str_id=false"
    )
    parser.add_argument("--max-errors", metavar="N", help="most rows that may be rejected: a count, or a share such as 0.01")
    parser.add_argument("--list", action="store_true", help="list the formats and their options")
    parser.add_argument("-q", "--quiet", action="store_true", help="show errors only")


def main(options: argparse.Namespace, rest: list[str]) -> int:
    """Convert a file, or list the forms."""
    del rest
    from djfast.convert import convert
    from djfast.errors import RecipeError

    if options.list:
        _print_forms()
        return 0
    if options.output is None:
        raise RecipeError("no files given: djfast convert --from FORMAT IN OUT, or djfast convert --list")
    done = convert(
        options.input,
        options.output,
        from_form=options.from_form,
        to_form=options.to_form,
        max_errors=_limit(options.max_errors),
        options=dict(map(_option, options.set)),
    )
    if done.rejected_path is not None:
        print(f"djfast: note: {done.rows_rejected} rows were rejected, see {done.rejected_path}", file=sys.stderr)
    if not options.quiet:
        counts = f"{done.rows_read} rows in, {done.rows_written} out, {done.rows_rejected} rejected"
        print(f"{counts} in {done.seconds:.2f} s -> {done.path}")
    return 0


def _option(text: str) -> tuple[str, Any]:
    """Return name and value of an option, which is read as a recipe would."""
    import yaml

    from djfast.errors import RecipeError

    if "=" not in text:
        raise RecipeError(f"--set must be NAME=VALUE, got {text!r}")
    name, _, value = text.partition("=")
    try:
        return name.strip(), yaml.safe_load(value) if value.strip() else value
    except yaml.YAMLError as error:
        raise RecipeError(f"--set {name} cannot be read as YAML, got {value[:200]!r}") from error


def _limit(text: str | None) -> float | int | None:
    from djfast.errors import RecipeError

    if text is None:
        return None
    try:
        limit = int(text) if text.isdecimal() else float(text)
    except ValueError:
        limit = -1
    if not (0 <= limit <= 1 or (isinstance(limit, int) and limit >= 0)):
        raise RecipeError(f"--max-errors must be an integer, or a share from 0.0 to 1.0, got {text!r}")
    return limit


def _print_forms() -> None:
    from djfast.convert import FORMS

    for form in FORMS.values():
        print(f"{form.name}  ({', '.join(form.layouts)})\n    {form.doc}\n    Not kept there and back: {form.losses}.")
        for param in form.options:
            print(f"      {param.name}={param.default!r}  {param.doc}")
