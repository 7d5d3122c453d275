"""Logs of requests as they lie: their lines, which column says what, and what its times mean."""
