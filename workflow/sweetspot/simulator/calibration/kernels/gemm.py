"""GEMMs: how compute and memory time overlap, and what of its peaks a GPU reaches."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sweetspot.catalog import gpu
from sweetspot.simulator.calibration.kernels.law import LawFit, Values, column, fit_law, rows_of
from sweetspot.simulator.cost.work import FloatArray

START = {
    "flop_efficiency": 0.8,
    "bandwidth_efficiency": 0.8,
    "overlap_norm": 3.0,
    "gemm_passes": 1.5,
    "gemm_overhead_s": 4e-6,
}
FP8_START = {
    "fp8_share": 0.9,
    "fp8_gemm_passes": 1.5,
    "fp8_overhead_s": 1.2e-5,
    "fp8_quantize_bytes": 8.0,
}
NORMS = (1.2, 1.5, 1.7, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 6.0)
"""Where the profile of the exponent is taken."""

ROWS = (1, 8, 32, 64, 128, 256, 512, 1024, 2048, 8192)
"""Upper ends of the classes of m that errors are given for."""


@dataclass(frozen=True, eq=False, slots=True)
class Gemms:
    """Products of (m, k) and (k, n) on one GPU; arrays of shape (rows,)."""

    rows: pd.DataFrame
    measured_s: FloatArray
    flops: FloatArray
    weight_bytes: FloatArray
    moved_bytes: FloatArray
    input_elements: FloatArray
    peak_flops: float
    peak_bytes_per_s: float

    def time_s(self, v: Values) -> FloatArray:
        """Return the law's times."""
        compute_s = self.flops / (v["flop_efficiency"] * self.peak_flops)
        moved_bytes = self.weight_bytes + v["gemm_passes"] * self.moved_bytes
        memory_s = moved_bytes / (v["bandwidth_efficiency"] * self.peak_bytes_per_s)
        n = v["overlap_norm"]
        time_s: FloatArray = v["gemm_overhead_s"] + (compute_s**n + memory_s**n) ** (1 / n)
        return time_s

    def log_errors(self, v: Values) -> FloatArray:
        """Return the logarithms of the law's times over the measured ones."""
        errors: FloatArray = np.log(self.time_s(v) / self.measured_s)
        return errors

    def quantized_time_s(self, v: Values) -> FloatArray:
        """Return the same with a kernel before it that quantises the input."""
        quantize_s = v["fp8_quantize_bytes"] * self.input_elements / self.peak_bytes_per_s
        of_16_bits = {
            **v,
            "flop_efficiency": v["flop_efficiency"] * v["fp8_share"],
            "gemm_passes": v["fp8_gemm_passes"],
            "gemm_overhead_s": v["fp8_overhead_s"],
        }
        return self.time_s(of_16_bits) + quantize_s


def gemms_of(table: pd.DataFrame, gpu_id: str, dtype: str) -> Gemms:
    """Return the rows of a GPU and a type, of the releases that fits use."""
    rows = rows_of(table[table["dtype"] == dtype], gpu_id)
    return gemms(rows, gpu_id)


def gemms(rows: pd.DataFrame, gpu_id: str) -> Gemms:
    """Return the work of these rows, all of one GPU and one type."""
    board = gpu(gpu_id)
    m, n, k = (column(rows, name) for name in "mnk")
    fp8 = board.fp8_flops is not None and bool((rows["dtype"] == "fp8").any())
    size = 1 if fp8 else 2
    return Gemms(
        rows=rows,
        measured_s=column(rows, "latency_us") * 1e-6,
        flops=2 * m * n * k,
        weight_bytes=n * k * size,
        moved_bytes=m * k * size + m * n * 2,
        input_elements=m * k,
        peak_flops=board.fp8_flops if fp8 and board.fp8_flops else board.fp16_flops,
        peak_bytes_per_s=board.bandwidth_bytes_per_s,
    )


def fit_gemms(found: Gemms) -> LawFit:
    """Return the law of 16-bit GEMMs, both engines together."""
    return fit_law(found.time_s, found.measured_s, START)


def fit_fp8(found: Gemms, held: Values) -> LawFit:
    """Return what FP8 changes, with shares of bandwidth and overlap `held` at those of 16 bits."""
    return fit_law(lambda v: found.quantized_time_s({**held, **v}), found.measured_s, FP8_START)


def profile(found: Gemms) -> list[tuple[float, LawFit]]:
    """Return fits with the exponent held at each of `NORMS`: what of the others makes up for it."""
    others = {name: value for name, value in START.items() if name != "overlap_norm"}

    def at(norm: float) -> LawFit:
        return fit_law(
            lambda v: found.time_s({**v, "overlap_norm": norm}), found.measured_s, others
        )

    return [(norm, at(norm)) for norm in NORMS]


def by_rows(found: Gemms, fit: LawFit) -> list[tuple[int, float, float]]:
    """Return mean error and mean absolute error in %, by the largest m of a class of rows."""
    m, percent = column(found.rows, "m"), 100 * np.expm1(fit.log_errors)
    classes = np.searchsorted(ROWS, m)
    return [
        (size, float(own.mean()), float(np.abs(own).mean()))
        for place, size in enumerate(ROWS)
        if (own := percent[classes == place]).size
    ]
