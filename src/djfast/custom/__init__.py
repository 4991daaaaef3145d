"""OPs of the user: decorated functions, files that a recipe names, and classes written for Data-Juicer."""
