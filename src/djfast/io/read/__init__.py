"""Files to rows: which files an input names, how they are split, and a module for each format."""
