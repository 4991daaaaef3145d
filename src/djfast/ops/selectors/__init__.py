"""OPs that pick rows by comparing them with each other."""
