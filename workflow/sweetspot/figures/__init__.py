"""Figures, each a pure function from a table of cells, or a fit of them, to a drawing.

`by_name` has them by the name of their files; `canvas.save` writes one to files; `evidence` says on
each what it is worth, and refuses to mix what was simulated with what was measured. What words and
names figures print is here, too, for pages: those modules load no Matplotlib.
"""
