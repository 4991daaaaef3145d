"""From OPs to steps, and from steps to programs."""
