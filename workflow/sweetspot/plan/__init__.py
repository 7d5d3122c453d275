"""From an experiment to jobs: blocks of cells, their keys, data sets and busy time."""
