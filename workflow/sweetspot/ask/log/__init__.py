"""Logs of requests as they lie: which columns say what, what their times mean, line by line."""
