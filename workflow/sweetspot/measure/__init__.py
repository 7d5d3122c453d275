"""A block of cells measured: records, their table, the manifest and the provenance of both.

`measure.measure_block` runs the cells that have no `record` yet; `result` is what a run and its
readings say of a cell. `cells_table` joins records to cells.csv, `manifest` lists a run's files.
"""
