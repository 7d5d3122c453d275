"""Cells: what is measured or simulated at once, and the tables of them."""
