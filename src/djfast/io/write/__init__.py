"""Rows to files: formats of results, and how a result gets its name all at once."""
