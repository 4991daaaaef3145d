"""Models and word lists on disk: where they are looked for and how they are read."""
