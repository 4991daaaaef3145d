"""The site of the documentation builds without a warning, with the API and a search that needs no server."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in ("mkdocs", "material", "mkdocstrings_handlers"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed; the extra docs brings it")
    folder = tmp_path_factory.mktemp("site") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    run = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def test_every_page_is_in_the_site(site: Path) -> None:
    assert "<title>djfast" in (site / "index.html").read_text(encoding="utf-8")
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}
    assert not [page for page in pages if not (site / page).exists() and page.name != "README.html"]
    assert (site / "ops" / "index.html").exists()


@pytest.mark.parametrize("name", ["run", "load_recipe", "load_ops", "Dataset", "Dataset.process", "mapper", "filter"])
def test_the_api_page_tells_every_public_name(site: Path, name: str) -> None:
    assert f'id="djfast.{name}"' in (site / "api.html").read_text(encoding="utf-8")


def test_the_api_page_tells_the_errors(site: Path) -> None:
    assert 'id="djfast.errors.RecipeError"' in (site / "api.html").read_text(encoding="utf-8")


def test_the_search_finds_ops_and_keys(site: Path) -> None:
    entries = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))["docs"]
    found = {entry["location"] for entry in entries}
    assert {"ops/text-lengths.html#text_length_filter", "recipe.html", "api.html#djfast.run"} <= found
    assert (site / "search" / "search_index.js").exists()


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    for page in ("index.html", "ops/text-lengths.html", "api.html"):
        text = (site / page).read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|link|img|iframe)\b[^>]*?(?:src|href)="([^"]+)"', text)
        assert loaded
        assert not [address for address in loaded if "//" in address]
        assert any(address.endswith("assets/iframe-worker.js") for address in loaded)
