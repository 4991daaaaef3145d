"""Carriers of rows through a plan: lines of JSON, record batches, Python rows."""
