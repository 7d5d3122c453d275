"""Samples in InfluxDB's line protocol: to InfluxDB, and to others that take it; and back."""
