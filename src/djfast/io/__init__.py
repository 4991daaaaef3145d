"""Files: what reading and writing share. Nothing here knows of plans."""
