"""Tests of the language-model layer, against a server of our own and a tiny model made on the spot."""
