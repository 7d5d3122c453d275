"""Questions that people ask of the simulator: a workload, a load, a power sensor."""
