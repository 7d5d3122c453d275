"""Samples to Apache IoTDB and back, by its client's remote calls."""
