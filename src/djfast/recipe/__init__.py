"""Recipes: reading, checking and overriding them, and what their keys mean."""

from __future__ import annotations

from djfast.recipe.load import Recipe, load_recipe

__all__ = ["Recipe", "load_recipe"]
