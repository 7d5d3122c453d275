"""Tables 3 to 5 of somebody's own measurements."""

from collections.abc import Sequence
from dataclasses import replace

from sweetspot.analysis.fit import Fit
from sweetspot.tables import fit_table
from sweetspot.tables.table import Table


def own_table(name: str, found: Fit, *, models: Sequence[str] = ()) -> Table:
    """Return one of Tables 3 to 5 of a fit, with how its measurements were understood as notes.

    It is of these models, or of all.

    Raises:
        InputError: a model was not fitted, or the cells do not carry the table.
    """
    table = fit_table(name, found.fits, found.sweet_spots, found.extremes, models=models)
    notes = (f"{note[0].upper()}{note[1:]}." for note in found.notes)
    return replace(table, notes=(*table.notes, *notes))
