"""OPs for dialogues, and for what agents leave behind."""
