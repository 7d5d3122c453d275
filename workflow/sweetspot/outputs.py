"""Which tables and figures an experiment's cells can give, known before anything is measured."""

from collections.abc import Callable, Hashable, Iterable

from sweetspot.cells.cell import Cell

TABLES_OF_FITS = (
    "table3_mape",
    "table4_significance",
    "table5_coefficients",
    "comparison",
)
TABLES_OF_OWN_FITS = TABLES_OF_FITS[:3]
"""Those that measurements give which are not the paper's."""
TABLES_OF_BATCH = ("batch_coefficients", "batch_loads")
TABLE_OF_FORMS = "table1_forms"
TABLE_OF_MODELS = "table2_models"

FIGURES_OF_FITS = ("fit_curves", "fit_errors", "fit_coefficients")

# What the forms with the fewest and with the most terms, Baseline 1 and Eq. 5, need of one model at
# one load. They say so themselves, in `energy_models.py`, which planning a workflow does not load.
LEAST_OUTPUT_LENGTHS = 2
FIT_CELLS, FIT_LENGTHS = 7, 3

SURFACE_LENGTHS = 3
"""Of each kind that Figure 3's surface takes: of two it is one flat patch."""


def can_fit(cells: Iterable[Cell]) -> bool:
    """Return whether a model has enough lengths at one load for any energy model."""
    return any(
        len({c.output_tokens for c in of_load}) >= LEAST_OUTPUT_LENGTHS for of_load in _loads(cells)
    )


def can_fit_all(cells: Iterable[Cell]) -> bool:
    """Return whether a model has enough lengths at one load for all energy models."""
    return any(map(_carries_fits, _loads(cells)))


def can_fit_batch(cells: Iterable[Cell]) -> bool:
    """Return whether a model has several loads, and over them lengths for the batch form."""
    return any(map(_carries_batch, _groups(cells, lambda c: c.model)))


def tables_of(cells: Iterable[Cell]) -> list[str]:
    """Return the names of the tables, as their files are called."""
    cells = list(cells)
    names = [TABLE_OF_FORMS, TABLE_OF_MODELS]
    if can_fit_all(cells):
        return [*names, *TABLES_OF_FITS, *(TABLES_OF_BATCH if can_fit_batch(cells) else ())]
    return [*names, *(TABLES_OF_FITS[:1] if can_fit(cells) else ())]


def figures_of(cells: Iterable[Cell]) -> list[str]:
    """Return the names of the figures, as their files are called."""
    cells = list(cells)
    names = []
    for of_model in _groups(cells, lambda c: (c.model, c.max_batch_size)):
        if sum(map(_is_grid, _groups(of_model, lambda c: c.requests))) > 1:
            names.append("figure1_requests")
            break
    if any(len({c.output_tokens for c in curve}) > 1 for curve in _curves(cells)):
        names.append("figure2_output_length")
    if any(map(_is_whole, _loads(cells))):
        names.append("figure3_surface")
    if any(map(_is_grid, _loads(cells))):
        names.append("figure3_heatmap")
    for of_load in _groups(cells, lambda c: (c.model, c.requests)):
        shortest = min(c.input_tokens for c in of_load)
        if len({c.max_batch_size for c in of_load if c.input_tokens == shortest}) > 1:
            names.append("figure4_batch")
            break
    return [*names, *(FIGURES_OF_FITS if can_fit_all(cells) else ())]


def _loads(cells: Iterable[Cell]) -> list[list[Cell]]:
    return _groups(cells, lambda c: (c.model, c.max_batch_size, c.requests))


def _curves(cells: Iterable[Cell]) -> list[list[Cell]]:
    return _groups(cells, lambda c: (c.model, c.max_batch_size, c.requests, c.input_tokens))


def _is_grid(cells: list[Cell]) -> bool:
    inputs, outputs = {c.input_tokens for c in cells}, {c.output_tokens for c in cells}
    return len(inputs) > 1 and len(outputs) > 1


def _is_whole(cells: list[Cell]) -> bool:
    """Return whether cells make a surface: with gaps it would be shreds."""
    inputs, outputs = {c.input_tokens for c in cells}, {c.output_tokens for c in cells}
    lengths = {(c.input_tokens, c.output_tokens) for c in cells}
    enough = min(len(inputs), len(outputs)) >= SURFACE_LENGTHS
    return enough and len(lengths) == len(inputs) * len(outputs)


def _carries_fits(cells: list[Cell]) -> bool:
    lengths = {(c.input_tokens, c.output_tokens) for c in cells}
    inputs, outputs = (len(set(axis)) for axis in zip(*lengths, strict=True))
    return len(lengths) >= FIT_CELLS and min(inputs, outputs) >= FIT_LENGTHS


def _carries_batch(cells: list[Cell]) -> bool:
    """Return whether cells of a model differ in their load: in N, or in requests in flight."""
    points = {
        ((c.requests, min(c.requests, c.max_batch_size)), c.input_tokens, c.output_tokens)
        for c in cells
    }
    loads, inputs, outputs = (len(set(axis)) for axis in zip(*points, strict=True))
    return len(points) >= FIT_CELLS and loads > 1 and min(inputs, outputs) > 1


def _groups(cells: Iterable[Cell], key: Callable[[Cell], Hashable]) -> list[list[Cell]]:
    groups: dict[Hashable, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(key(cell), []).append(cell)
    return list(groups.values())
