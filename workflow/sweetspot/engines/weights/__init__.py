"""Where weights come from: a checkpoint, or random ones for an architecture."""
