"""Meters, and the energy of what they saw.

A `meter.Meter` watches one board while something runs: `sampler.NvmlMeter` a real one (`nvml`),
alone among the host's jobs (`lease`). What it saw are `meter.Readings`: a power `trace`, and all
channels as `samples`. A `window.Window` of them gives its energy (`energy`, `counter`), the board's
state (`conditions`) and why its numbers must not be used (`validity`), each worked out once.
"""
