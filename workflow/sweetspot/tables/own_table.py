"""Tables of somebody's own measurements."""

from collections.abc import Sequence
from dataclasses import replace

from sweetspot.analysis.fit import Fit
from sweetspot.outputs import TABLES_OF_BATCH
from sweetspot.tables import fit_table, table_of_batch
from sweetspot.tables.table import Table


def own_table(name: str, found: Fit, *, models: Sequence[str] = ()) -> Table:
    """Return a table of a fit.

    Tables 3 to 5 are of these models, or of all; those of the batch form of all.

    Raises:
        InputError: a model was not fitted, or the cells do not carry the table.
    """
    if name in TABLES_OF_BATCH:
        return table_of_batch(name, found.batch)
    return fit_table(name, found.fits, found.sweet_spots, found.extremes, models=models)


def with_reading(table: Table, found: Fit) -> Table:
    """Return a table that stands alone, with how the measurements were understood as notes."""
    notes = (f"{note[0].upper()}{note[1:]}." for note in found.notes)
    return replace(table, notes=(*table.notes, *notes))
