"""Meters, and the energy of what they saw."""
