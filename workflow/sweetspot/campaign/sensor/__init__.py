"""What the power sensor of a board is like, by a square wave of load."""
