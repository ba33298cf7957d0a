"""Sums over many threads of a GPU."""
