"""The explorer: one page to look around in, of simulated grids and of cells."""
