"""Brings a complete result to where the recipe wants it, in place of an earlier one, and looks whether it is there."""

from __future__ import annotations

import contextlib
import errno
import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from djfast.errors import MissingExtraError, OutputError
from djfast.io.durable import writing
from djfast.io.result_names import earlier_files, files_of_record, record_path
from djfast.io.write.commit import Staging, remove
from djfast.io.write.results import Output, check_place
from djfast.recipe.load import Recipe
from djfast.recipe.outputs import is_remote
from djfast.runners.memory import group_bytes
from djfast.runners.report import Report

if TYPE_CHECKING:
    from djfast.io.write.upload import Address


def output_of(recipe: Recipe) -> Output:
    """Return how a recipe's result is written."""
    settings = recipe.settings
    return Output(
        str(settings["result_path"]),
        str(settings["export_format"]),
        int(settings["export_shard_size"]),
        settings["export_shard_rows"],
        settings["export_arguments"],
        group_bytes=group_bytes(settings),
    )


def staging_of(recipe: Recipe, mark: str = "", *, job: str = "") -> Staging:
    """Return where the files of a recipe's result are made."""
    return Staging(str(recipe.settings["result_path"]), mark, job=job, is_durable=bool(job))


def make_ready(recipe: Recipe) -> None:
    """Upload what an earlier run of this result could not, and make sure that this one will find its places free.

    Raises
    ------
    OutputError
    """
    with writing(work_dir := str(recipe.settings["work_dir"]), setting="work_dir"):
        os.makedirs(work_dir, exist_ok=True)
        if not os.access(work_dir, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), work_dir)
    address = _address(recipe)
    if address is None:
        return
    from djfast.io.write.upload import check_folder, earlier_in

    deliver(recipe)
    output = output_of(recipe)
    earlier_in(address, output.suffix)  # which must be allowed
    if output.format.is_folder:
        check_folder(address, str(output.format.marker))


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
        raise MissingExtraError(f"not installed: {kind.package}; pip install 'djfast[{kind.extra}]' to write {kind.name}")
    address = _address(recipe)
    if address is not None:
        address.file_system()


def addressed(recipe: Recipe, report: Report) -> Report:
    """Return a report with the places that its files get: addresses, if export_path is one."""
    address = _address(recipe)
    if address is None:
        return report

    def place(path: str) -> str:
        return address.beside(os.path.basename(path)).url

    return report._replace(
        export_paths=tuple(map(place, report.export_paths)),
        stats_path=report.stats_path and place(report.stats_path),
        rejected_path=report.rejected_path and place(report.rejected_path),
    )


def committed(recipe: Recipe, report: Report, staging: Staging) -> Report:
    """Give the files of a result their names, upload them if export_path is an address, and return the report with their places.

    Raises
    ------
    OutputError
        If they cannot be uploaded. They are kept then, and the next run uploads them first.
    """
    output = output_of(recipe)
    earlier = earlier_files(output.path, output.suffix)
    stay = sorted({*files_of_record(output.path)} - {*earlier, *report.export_paths})
    staging.commit(earlier)
    deliver(recipe)
    if stay:
        more = f" and {len(stay) - 1} more" if len(stay) > 1 else ""
        notice = (
            f"{stay[0]}{more} of an earlier run stay, but their record and stats are replaced by those of this one: "
            "remove them, or give every result a name of its own"
        )
        report = report._replace(notices=(*report.notices, notice))
    return addressed(recipe, report)


def deliver(recipe: Recipe) -> None:
    """Upload a committed result that waits for it. The record comes last, and says that all of the result is there."""
    address = _address(recipe)
    output = output_of(recipe)
    record = record_path(output.path)
    if address is None or not os.path.exists(record):
        return
    from djfast.io.write.upload import replace_files

    paths = earlier_files(output.path, output.suffix)
    try:
        replace_files(sorted(paths, key=lambda path: path == record), address, output.suffix)
    except OutputError as error:
        raise OutputError(f"{error}; the result is kept in {os.path.dirname(output.path)}") from error
    for path in sorted(paths, key=lambda path: path != record):
        remove(path)


def result_bytes(recipe: Recipe, path: str) -> int:
    """Return the size of a file of the result, or of all files in a folder of it; -1 if there is none."""
    if is_remote(path):
        from djfast.io.write.upload import stored_bytes

        return stored_bytes(path, recipe.settings["export_credentials"])
    if os.path.isdir(path):
        return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(path) for name in names)
    with contextlib.suppress(OSError):
        return os.stat(path).st_size
    return -1


def _address(recipe: Recipe) -> Address | None:
    path = str(recipe.settings["export_path"])
    if not is_remote(path):
        return None
    from djfast.io.write.upload import Address  # most results stay here

    credentials: dict[str, Any] = recipe.settings["export_credentials"]
    return Address(path, credentials)
