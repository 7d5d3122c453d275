"""Cells of a run from the power data that a cluster has anyway."""
