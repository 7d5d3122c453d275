"""What is metered now, as Prometheus scrapes it: for watching, not for energies."""
