"""A board looked at kernel by kernel: which steps, running them, and constants from what they took.

`steps` says what is measured and what work that is, `run` measures as much of it as fits into some
minutes, `probed` is what lies on disk, and `board` makes the simulator's constants of it.
"""
