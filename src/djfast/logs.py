"""Loggers of djfast: what they are given may hold addresses and words of strangers, and comes out safe and on one line."""

from __future__ import annotations

import logging

from djfast.redaction import on_one_line


def logger(topic: str) -> logging.Logger:
    """Return the logger ``djfast.TOPIC``."""
    made = logging.getLogger(f"djfast.{topic}")
    made.addFilter(_made_safe)
    return made


def _made_safe(record: logging.LogRecord) -> bool:
    record.msg, record.args = on_one_line(record.getMessage()), ()
    return True
