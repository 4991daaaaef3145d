"""Write the generated tables that native code includes: ``python generate.py FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

import ftfy_tables
import unicode_tables


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "unicode.inc").write_text(unicode_tables.render(), encoding="ascii")
    (folder / "ftfy.inc").write_text(ftfy_tables.render(), encoding="ascii")


if __name__ == "__main__":
    main()
