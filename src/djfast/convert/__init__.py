"""Data sets of other projects to the common format of text and media, and back."""

from __future__ import annotations

from djfast.convert.conversion import Conversion, convert
from djfast.convert.forms import FORMS

__all__ = ["FORMS", "Conversion", "convert"]
