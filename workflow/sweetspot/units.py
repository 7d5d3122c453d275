"""What hours and kilowatt-hours are in SI units."""

HOUR_S = 3600.0
J_PER_KWH = 3.6e6
