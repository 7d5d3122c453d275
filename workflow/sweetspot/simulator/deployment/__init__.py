"""What is served, on what, within which limits; free of numpy."""
