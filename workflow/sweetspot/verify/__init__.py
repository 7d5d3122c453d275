"""Whether what a run left derives from its cells, and these from records and power traces."""
