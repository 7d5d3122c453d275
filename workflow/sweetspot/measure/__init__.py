"""A block of cells measured: records, their table, the manifest and the provenance of both."""
