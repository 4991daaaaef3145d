"""Where tests find what is not in the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# A loaded machine is no failure. In CI the same examples are drawn every time; elsewhere new ones are looked for.
settings.register_profile("patient", deadline=None)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable" if os.environ.get("CI") else "patient")


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """Recorded answers of Data-Juicer; a folder of their own."""
    return _folder("DJFAST_GOLDEN", "recorded answers")


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The data behind the recorded answers."""
    return _folder("DJFAST_DATA", "the data of recorded answers")


def _folder(variable: str, what: str) -> Path:
    value = os.environ.get(variable)
    if not value or not Path(value).is_dir():
        pytest.skip(f"{variable} does not name a folder with {what}")
    return Path(value)
