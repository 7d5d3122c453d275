"""The paper's figures, each a pure function from a cells table to a matplotlib figure.

Start at `paper.FIGURES`, which names them; `style.FigureStyle` says how they look and imports
nothing heavy; `evidence` refuses to mix what was simulated with what was measured.
"""
