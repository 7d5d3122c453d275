"""Samples to a broker or a store of time series and back: live, by replay, and compared."""
