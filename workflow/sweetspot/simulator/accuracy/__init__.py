"""How accurate the simulator is, test by test."""
