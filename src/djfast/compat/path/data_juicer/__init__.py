"""Data-Juicer's names over djfast; see `djfast.compat`."""

from djfast.compat.modules import provide

provide(__name__)
