"""Files to rows and rows to files."""
