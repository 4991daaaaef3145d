"""OPs on text."""
