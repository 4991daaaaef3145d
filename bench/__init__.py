"""Measurements of whole processes; each case checks its answer before its time counts."""
