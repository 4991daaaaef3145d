"""OPs that ask a language model."""
