"""``python -m djfast.compat script.py ...`` runs a script that imports ``data_juicer``."""

from __future__ import annotations

import os
import runpy
import sys

from djfast.compat import enable
from djfast.errors import DjfastError


def main() -> int:
    """Run the script with its own arguments."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        print("usage: python -m djfast.compat SCRIPT ...", file=sys.stderr)
        return 2
    try:
        enable()
    except DjfastError as error:
        print(f"djfast: error: {error}", file=sys.stderr)
        return 2
    sys.argv = sys.argv[1:]
    sys.path[0] = os.path.dirname(os.path.abspath(sys.argv[0]))
    runpy.run_path(sys.argv[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
