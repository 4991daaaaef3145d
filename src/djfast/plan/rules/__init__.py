"""Rewrites of plans, one a file: pure functions from a plan to another one that gives the same rows."""
