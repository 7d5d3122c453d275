"""A campaign: as much of one grid as fits into some minutes on a GPU, most informative first."""
