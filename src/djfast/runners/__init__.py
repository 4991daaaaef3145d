"""Runners: the stage loop, and what carries it out on the threads of one process."""
