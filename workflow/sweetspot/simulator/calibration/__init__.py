"""The constants: their files, and how they are fitted."""
