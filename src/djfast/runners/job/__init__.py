"""Runs that survive: splits handed out to ranks, parts and a journal on the shared file system, one merge at the end."""
