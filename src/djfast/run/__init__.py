"""Runners: threads now, ranks later."""
