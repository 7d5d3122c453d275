"""The paper's tables from this run's cells: one function each, and one way to write them."""

from sweetspot.tables.by_name import make_table
from sweetspot.tables.comparison_table import comparison_table
from sweetspot.tables.fit_tables import table3, table4, table5
from sweetspot.tables.model_table import TableModel, table2, table_models
from sweetspot.tables.table import Column, Table, write_table

__all__ = [
    "Column",
    "Table",
    "TableModel",
    "comparison_table",
    "make_table",
    "table2",
    "table3",
    "table4",
    "table5",
    "table_models",
    "write_table",
]
