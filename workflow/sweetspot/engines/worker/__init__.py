"""Engines with a Python API: a worker in the Python of their own, and our side of the pipe.

An engine is a `session.Program` (which file of workers/, and with what order it loads) in an
`engine.WorkerEngine`. Its `session.WorkerSession` keeps one model loaded on a leased board and has
a `client.Worker` run the cells: orders out, answers in as JSON lines, no wait without an end.
"""
