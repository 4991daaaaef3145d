"""OPs that remove duplicates."""
