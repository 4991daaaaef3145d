"""OPs of one's own: decorated functions, files that a recipe names, and classes written for Data-Juicer."""
