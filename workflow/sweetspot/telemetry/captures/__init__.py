"""Power over time that somebody has in a file: an export, or what a subscriber wrote down."""
