"""Engines with a Python API: a worker in the Python of their own, and our side of the pipe."""
