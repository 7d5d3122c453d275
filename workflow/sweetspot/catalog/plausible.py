"""What a data sheet's numbers can be: a slip of the unit gives a believable answer otherwise."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Row = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Range:
    """What a number of a board is from and to, and what others count it in.

    From modules of a few watts to several times what the largest boards of today have.
    """

    least: float
    most: float
    units: Mapping[str, float]  # how many of ours one of theirs is


_RATE = {"TB/s": 1e3, "MB/s": 1e-3, "B/s": 1e-9}
_FLOPS = _Range(0.1, 1e5, {"PFLOP/s": 1e3, "GFLOP/s": 1e-3, "FLOP/s": 1e-12})
_RANGES = {
    "memory_mib": _Range(1e3, 4e6, {"GiB": 1024, "KiB": 1 / 1024, "bytes": 2.0**-20}),
    "bandwidth_gb_per_s": _Range(10, 1e5, _RATE),
    "fp16_tflops": _FLOPS,
    "fp8_tflops": _FLOPS,
    "power_limit_w": _Range(3, 1e4, {"kW": 1e3, "mW": 1e-3}),
    "nvlink_gb_per_s": _Range(5, 2e4, _RATE),
    "pcie_gb_per_s": _Range(0.5, 5e3, _RATE),
    "max_clock_mhz": _Range(200, 1e4, {"GHz": 1e3, "kHz": 1e-3, "Hz": 1e-6}),
}
# The catalog's boards take 0.2 to 3 W for a TFLOP/s, do 130 to 420 FLOP for a byte, and FP8 twice
# as fast as 16 bits. A factor of a thousand leaves these ranges for any board within some ten times
# of that, small and large ones alike.
_RATIOS = (
    ("power_limit_w", "fp16_tflops", 5e-3, 100.0, "W per TFLOP/s"),
    ("fp16_tflops", "bandwidth_gb_per_s", 5e-3, 2.5, "TFLOP/s per GB/s"),
    ("fp8_tflops", "fp16_tflops", 0.5, 20.0, "times 16 bits"),
)

# Of Pascal, the P100 alone computes faster in FP16 than in FP32, which engines use there.
_SLOW_FP16 = "; of a board whose FP16 is slow, the rate of FP32"


def implausible(row: Row) -> str:
    """Return what no board has, and in which unit it would be one; empty where all is plausible.

    Args:
        row: the numbers of an entry of gpus.yaml, by key; those that are null left out.
    """
    for keys, what in _doubts(row):
        for key in keys:
            for unit, ours in _RANGES[key].units.items():
                if not any(_doubts({**row, key: row[key] * ours})):
                    slow = _SLOW_FP16 if key == "fp16_tflops" and ours > 1 else ""
                    return f"{what}; is {key} in {unit}? then write {row[key] * ours:.6g}{slow}"
        return f"{what}; look at the unit"
    return ""


def _doubts(row: Row) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the keys that may be wrong, and what is, one number at a time before ratios."""
    for key, value in row.items():
        known = _RANGES[key]
        if not (math.isfinite(value) and known.least <= value <= known.most):
            yield (key,), f"{key!r} must be from {known.least:g} to {known.most:g}, not {value:g}"
    for one, other, least, most, unit in _RATIOS:
        if one in row and other in row and row[other] > 0:
            ratio = row[one] / row[other]
            if not least <= ratio <= most:
                said = f"{one!r} {row[one]:g} and {other!r} {row[other]:g}"
                yield (
                    (other, one),
                    f"{said} are {ratio:.4g} {unit}, where boards have {least:g} to {most:g}",
                )
