"""Names of Data-Juicer over djfast, for scripts that import ``data_juicer``.

Nothing here is imported by itself. ``djfast.compat.enable()`` in a program, ``python -m djfast.compat script.py``, or the small
distribution ``djfast-compat`` puts the folder ``path``, where a module ``data_juicer`` lies, at the end of Python's search path.
Everything that is installed comes before it, so it can never take the place of the real Data-Juicer.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from djfast.errors import CompatError

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "path")


def enable() -> None:
    """Make ``import data_juicer`` find djfast's names in this process.

    Raises
    ------
    CompatError
        If the real Data-Juicer is here: nothing takes its place.
    """
    if (real := real_place()) is not None:
        raise CompatError(f"Data-Juicer is installed, and djfast does not replace it; found {real}")
    if FOLDER not in sys.path:
        sys.path.append(FOLDER)


def real_place() -> str | None:
    """Return where the real Data-Juicer is found; None if it is not."""
    known = sys.modules.get("data_juicer")
    spec = known.__spec__ if known is not None else find_spec("data_juicer")
    places = [] if spec is None else [spec.origin or "", *(spec.submodule_search_locations or [])]
    real = [place for place in places if place and not place.startswith(FOLDER)]
    return real[0] if real else None
