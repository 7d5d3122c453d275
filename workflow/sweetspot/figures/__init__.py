"""The paper's figures, each a pure function from a cells table to a matplotlib figure.

Start at `by_name.FIGURES`, which names them; `canvas.save` writes one to files; `evidence` says on
each what it is worth, and refuses to mix what was simulated with what was measured.
"""
