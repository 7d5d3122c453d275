"""What runs a cell: inference engines."""
