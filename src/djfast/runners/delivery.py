"""Brings a finished result to where the recipe wants it, and looks whether it is there."""

from __future__ import annotations

import contextlib
import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from djfast.errors import MissingExtraError, OutputError
from djfast.io.results import Output, check_place, manifest_path
from djfast.recipe.load import Recipe
from djfast.recipe.outputs import is_remote
from djfast.runners.report import Report

if TYPE_CHECKING:
    from djfast.io.upload import Address


def output_of(recipe: Recipe, *, mark: str = "") -> Output:
    """Return how a recipe's result is written."""
    settings = recipe.settings
    return Output(
        str(settings["result_path"]),
        str(settings["export_format"]),
        int(settings["export_shard_size"]),
        settings["export_shard_rows"],
        settings["export_arguments"],
        mark,
    )


def check_output(recipe: Recipe) -> None:
    """Make sure, before anything runs, that the packages are there which the result needs, and nothing is in its place.

    Raises
    ------
    MissingExtraError, RecipeError, OutputError
    """
    output = output_of(recipe)
    check_place(output)
    kind = output.format
    if kind.package is not None and find_spec(kind.package) is None:
        raise MissingExtraError(f"the format {kind.name} needs a package: pip install 'djfast[{kind.extra}]'")
    address = _address(recipe)
    if address is not None:
        address.file_system()


def delivered(recipe: Recipe, report: Report) -> Report:
    """Upload a result and what lies beside it, if export_path is an address; return the report with the addresses.

    Raises
    ------
    OutputError
        What is here is kept then.
    """
    address = _address(recipe)
    if address is None:
        return report
    side = [report.stats_path, report.rejected_path, manifest_path(str(recipe.settings["result_path"]))]
    beside = [path for path in side if path is not None and os.path.exists(path)]
    addresses = dict(zip(beside, _uploaded(recipe, [*report.export_paths, *beside], address)[len(report.export_paths) :]))
    return report._replace(
        export_paths=tuple(address.beside(os.path.basename(path)).url for path in report.export_paths),
        stats_path=addresses.get(report.stats_path or ""),
        rejected_path=addresses.get(report.rejected_path or ""),
    )


def deliver_record(recipe: Recipe, record: str) -> None:
    """Upload the record of a run, which says that all of the result is there, and remove what was uploaded."""
    address = _address(recipe)
    if address is None:
        return
    import shutil

    _uploaded(recipe, [record], address)
    shutil.rmtree(os.path.dirname(str(recipe.settings["result_path"])), ignore_errors=True)  # a folder of its own


def result_bytes(recipe: Recipe, path: str) -> int:
    """Return the size of a file of the result, or of all files in a folder of it; -1 if there is none."""
    if is_remote(path):
        from djfast.io.upload import stored_bytes

        return stored_bytes(path, recipe.settings["export_credentials"])
    if os.path.isdir(path):
        return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(path) for name in names)
    with contextlib.suppress(OSError):
        return os.stat(path).st_size
    return -1


def _uploaded(recipe: Recipe, paths: list[str], address: Address) -> list[str]:
    from djfast.io.upload import upload

    try:
        return upload(paths, address)
    except OutputError as error:
        raise OutputError(f"{error}; the result is kept in {os.path.dirname(recipe.settings['result_path'])}") from error


def _address(recipe: Recipe) -> Address | None:
    path = str(recipe.settings["export_path"])
    if not is_remote(path):
        return None
    from djfast.io.upload import Address  # most results stay here

    credentials: dict[str, Any] = recipe.settings["export_credentials"]
    return Address(path, credentials)
