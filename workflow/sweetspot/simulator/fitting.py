"""Fit the simulator's constants to energies and throughputs, within their physical bounds.

Energy alone does not tell power from time: a slow card at low power and a fast one at its limit
spend the same joules. So one fit sees both: energy per token of one set of cells, throughput of
another.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from scipy.optimize import least_squares

from sweetspot import published
from sweetspot.catalog import Gpu, gpu, load_model
from sweetspot.config import Limits
from sweetspot.simulator.calibration import CalibrationFile
from sweetspot.simulator.constants import Constants, at_bound
from sweetspot.simulator.roofline import cost
from sweetspot.simulator.scheduler import schedule
from sweetspot.simulator.simulate import scheduler_limits
from sweetspot.simulator.work import FloatArray, Work, concatenate, work

# The published tables' engines: KV-cache share 0.95, batch tuned from the data set.
THROUGHPUT_LIMITS = Limits(
    max_seq_len=1_000_000, max_batch_size=2048, kv_cache_memory_fraction=0.95
)
THROUGHPUT_VERSION = "0.15.0"  # the last release whose tables hold FP16 on H100
THROUGHPUT_MAX_TOKENS = 8192  # sequences longer than the paper's are left out
# Eight throughput cells stand against 637 energy cells; this makes them weigh about as much.
THROUGHPUT_WEIGHT = 8.0
# Residuals beyond 3 % count linearly: a surface is itself a fit, wrong by up to tens of percent
# in its corners.
SOFT_L1_SCALE = 0.03
# Constants that the data do not tell apart stay near the middle of their bounds: leaving it for a
# bound costs as much as one cell that is 5 % off.
PRIOR_WEIGHT = 0.1

_NAMES = tuple(f.name for f in fields(Constants))
_LOW = np.array([f.metadata["low"] for f in fields(Constants)])
_HIGH = np.array([f.metadata["high"] for f in fields(Constants)])


@dataclass(frozen=True, eq=False, slots=True)
class Runs:
    """Simulated runs, laid out so that all of them are costed in one go.

    Attributes:
        work: segments of all runs, one run behind the other.
        first_segment: (runs,) where each run begins.
        total_output_tokens: (runs,) N·O.
    """

    work: Work
    first_segment: np.ndarray
    total_output_tokens: FloatArray

    def energy_and_duration(
        self, board: Gpu, constants: Constants
    ) -> tuple[FloatArray, FloatArray]:
        """Return energy in J and duration in s of each run."""
        segments = cost(self.work, board, constants)
        energy_j = np.add.reduceat(segments.energy_j, self.first_segment)
        duration_s = np.add.reduceat(segments.duration_s, self.first_segment)
        overhead_j = constants.run_overhead_s * constants.run_overhead_w
        return energy_j + overhead_j, duration_s + constants.run_overhead_s


def lay_out(cells: pd.DataFrame, board: Gpu, limits: Limits) -> Runs:
    """Return the runs of cells with columns model, requests, input_tokens and output_tokens."""
    parts: list[Work] = []
    for row in cells.itertuples():
        architecture = load_model(str(row.model))
        bounds = scheduler_limits(architecture, board, limits, limits.max_batch_size)
        segments = schedule(
            requests=int(row.requests),  # type: ignore[arg-type]
            input_tokens=int(row.input_tokens),  # type: ignore[arg-type]
            output_tokens=int(row.output_tokens),  # type: ignore[arg-type]
            limits=bounds,
        )
        parts.append(work(architecture, segments))
    lengths = [part.iterations.size for part in parts]
    tokens = (cells["requests"] * cells["output_tokens"]).to_numpy(np.float64)
    return Runs(concatenate(parts), np.concatenate([[0], np.cumsum(lengths)[:-1]]), tokens)


def fit_constants(
    board: Gpu,
    energy_runs: Runs,
    energy_per_token_j: FloatArray,
    throughput_runs: Runs,
    throughput_tokens_per_s: FloatArray,
    start: Sequence[float] | None = None,
) -> Constants:
    """Return the constants with the smallest relative errors on both sets, within the bounds.

    Runs are those of `lay_out`; targets have one value per run, in J/token and output tokens/s.
    """

    def constants(share: FloatArray) -> Constants:
        return Constants(**dict(zip(_NAMES, _LOW + share * (_HIGH - _LOW), strict=True)))

    def residuals(share: FloatArray) -> FloatArray:
        candidate = constants(share)
        energy_j, _ = energy_runs.energy_and_duration(board, candidate)
        _, duration_s = throughput_runs.energy_and_duration(board, candidate)
        throughput = throughput_runs.total_output_tokens / duration_s
        per_token_j = energy_j / energy_runs.total_output_tokens
        return np.concatenate(
            [
                np.log(per_token_j / energy_per_token_j),
                THROUGHPUT_WEIGHT * np.log(throughput / throughput_tokens_per_s),
                PRIOR_WEIGHT * (share - 0.5),
            ]
        )

    result = least_squares(
        residuals,
        np.full(len(_NAMES), 0.5) if start is None else np.asarray(start),
        bounds=(0.0, 1.0),
        loss="soft_l1",
        f_scale=SOFT_L1_SCALE,
        max_nfev=100,
    )
    return constants(result.x)


def calibrate_to_published(gpu_id: str = "h100-sxm") -> CalibrationFile:
    """Return the calibration fitted at once to the paper's surfaces and NVIDIA's throughput.

    Source: Table 5 of arXiv 2602.05695 (13 x 49 cells); TensorRT-LLM 0.15 performance overview
    (Llama 3.1 8B, FP16, H100 SXM).
    """
    board = gpu(gpu_id)
    surfaces = published.surface_cells()
    tables = published.throughput()
    tables = tables[
        (tables["model"] == "llama-3.1-8b")
        & (tables["gpu"] == gpu_id)
        & (tables["engine_version"] == THROUGHPUT_VERSION)
        & (tables["precision"] == "fp16")
        & (tables["input_tokens"] + tables["output_tokens"] <= THROUGHPUT_MAX_TOKENS)
    ]
    energy_runs = lay_out(surfaces, board, Limits())
    throughput_runs = lay_out(tables, board, THROUGHPUT_LIMITS)
    per_token_j = surfaces["energy_per_token_j"].to_numpy(np.float64)
    rate = tables["throughput_tokens_per_s"].to_numpy(np.float64)
    fitted = fit_constants(board, energy_runs, per_token_j, throughput_runs, rate)
    energy_j, _ = energy_runs.energy_and_duration(board, fitted)
    _, duration_s = throughput_runs.energy_and_duration(board, fitted)
    energy_error = np.abs(energy_j / energy_runs.total_output_tokens / per_token_j - 1)
    rate_error = np.abs(throughput_runs.total_output_tokens / duration_s / rate - 1)
    return CalibrationFile(
        name=f"{gpu_id}-published",
        gpu=gpu_id,
        engine="tensorrt-llm",
        level="published numbers",
        seen=["published-table5", "published-throughput-llama-3.1-8b-fp16-0.15"],
        errors_percent={
            "energy_per_token_table5_surfaces": round(100 * float(energy_error.mean()), 3),
            "throughput_llama_3_1_8b_fp16": round(100 * float(rate_error.mean()), 3),
        },
        at_bound=at_bound(fitted),
        constants={name: float(f"{getattr(fitted, name):.5g}") for name in _NAMES},
    )
