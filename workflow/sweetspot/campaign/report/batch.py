"""The form that knows the batch, of all loads of a campaign at once."""

from pathlib import Path

import pandas as pd

from sweetspot.analysis.batch_files import write_batch_tables
from sweetspot.analysis.batch_tables import batch_fit
from sweetspot.outputs import TABLES_OF_BATCH
from sweetspot.tables import Table, table_of_batch
from sweetspot.tables.table import write_table


def write_batch(cells: pd.DataFrame, max_num_tokens: int, out: Path) -> dict[str, Table]:
    """Write the fits and their tables, and return these by name; none where none is carried.

    Raises:
        InputError: the folder cannot be written.
    """
    found = batch_fit(cells, max_num_tokens=max_num_tokens)
    if not found.fits:
        return {}
    write_batch_tables(found, out / "fits")
    tables = {name: table_of_batch(name, found) for name in TABLES_OF_BATCH}
    for name, table in tables.items():
        write_table(table, out / "tables" / name)
    return tables
