"""What an iteration takes: work, time and energy."""
