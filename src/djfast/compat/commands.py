"""Data-Juicer's commands over djfast: ``dj-process`` and ``dj-analyze``, which the distribution djfast-compat installs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version


def process(arguments: Sequence[str] | None = None) -> int:
    """Run a recipe as ``djfast run`` does: ``dj-process --config recipe.yaml --np 4``."""
    if _is_real("dj-process"):
        return 2
    from djfast.cli.main import main

    return main(["run", *(sys.argv[1:] if arguments is None else arguments)])


def analyze(arguments: Sequence[str] | None = None) -> int:
    """Say that there is no analysis yet."""
    del arguments
    if not _is_real("dj-analyze"):
        print(
            "dj-analyze: error: djfast has no analysis yet; Dataset.compute_stats(ops) gives the stats of every row in Python",
            file=sys.stderr,
        )
    return 2


def _is_real(command: str) -> bool:
    """Tell whether Data-Juicer itself is installed, whose command this may have replaced, and say so."""
    try:
        found = version("py-data-juicer")
    except PackageNotFoundError:
        return False
    print(
        f"{command}: error: Data-Juicer {found} is installed, and djfast does not take its place; uninstall djfast-compat and "
        "use `djfast run`",
        file=sys.stderr,
    )
    return True
