import os
from collections.abc import Callable
from pathlib import Path

import pytest

from djfast.errors import RecipeError
from djfast.recipe import Recipe, load_recipe


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Recipe]:
    """Load a recipe given as text from a file named recipe.yaml."""
    monkeypatch.chdir(tmp_path)

    def load_text(text: str | bytes, *overrides: str, environment: dict[str, str] | None = None) -> Recipe:
        Path("recipe.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
        return load_recipe("recipe.yaml", overrides, environment=os.environ if environment is None else environment)

    return load_text


@pytest.fixture
def problems(load: Callable[..., Recipe]) -> Callable[..., list[str]]:
    """Lines of the error that loading a recipe raises."""

    def lines(text: str | bytes, *overrides: str, environment: dict[str, str] | None = None) -> list[str]:
        with pytest.raises(RecipeError) as raised:
            load(text, *overrides, environment=environment)
        return str(raised.value).splitlines()

    return lines
