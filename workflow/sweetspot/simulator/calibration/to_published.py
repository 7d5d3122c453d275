"""The published numbers as targets of a fit, and the calibration to them that ships."""

import numpy as np

from sweetspot import published
from sweetspot.catalog import Gpu, gpu
from sweetspot.config import Limits
from sweetspot.simulator.calibration.fit import Target, fit_from_several
from sweetspot.simulator.calibration.layout import deployments_of, lay_out
from sweetspot.simulator.constants.calibration_file import PAPER_ENGINE, CalibrationFile
from sweetspot.simulator.constants.constants import REFERENCE_GPU

# The published tables' engines: KV-cache share 0.95, batch tuned from the data set.
THROUGHPUT_LIMITS = Limits(
    max_seq_len=1_000_000, max_batch_size=2048, kv_cache_memory_fraction=0.95
)
THROUGHPUT_MODEL = "llama-3.1-8b"
THROUGHPUT_VERSION = "0.15.0"  # the last release whose tables hold FP16 on H100
THROUGHPUT_MAX_TOKENS = 8192  # sequences longer than the paper's are left out
# Eight throughput cells stand against 637 energy cells; this makes them weigh about as much.
THROUGHPUT_WEIGHT = 8.0
SURFACES = "published-table5"
THROUGHPUT = "published-throughput-llama-3.1-8b-fp16-0.15"


def surface_target(board: Gpu) -> Target:
    """Return energy per token of 13 x 49 cells (Table 5 of arXiv 2602.05695)."""
    cells = published.surface_cells()
    values = cells["energy_per_token_j"].to_numpy(np.float64)
    runs = lay_out(cells, deployments_of(cells, board, Limits()))
    return Target(SURFACES, runs, values, "energy_per_token_j")


def throughput_target(board: Gpu) -> Target:
    """Return NVIDIA's output tokens/s of Llama 3.1 8B, FP16 (TensorRT-LLM 0.15, one H100 SXM)."""
    cells = published.throughput()
    cells = cells[
        (cells["model"] == THROUGHPUT_MODEL)
        & (cells["gpu"] == board.id)
        & (cells["engine_version"] == THROUGHPUT_VERSION)
        & (cells["precision"] == "fp16")
        & (cells["input_tokens"] + cells["output_tokens"] <= THROUGHPUT_MAX_TOKENS)
    ]
    return Target(
        THROUGHPUT,
        lay_out(cells, deployments_of(cells, board, THROUGHPUT_LIMITS)),
        cells["throughput_tokens_per_s"].to_numpy(np.float64),
        "throughput_tokens_per_s",
        THROUGHPUT_WEIGHT,
    )


def calibrate_to_published() -> CalibrationFile:
    """Return the calibration fitted at once to the paper's surfaces and NVIDIA's throughput."""
    board = gpu(REFERENCE_GPU)
    surfaces, throughput = surface_target(board), throughput_target(board)
    fit = fit_from_several(board, [surfaces.condensed(), throughput.condensed()])
    found = fit.constants
    return CalibrationFile.of(
        found,
        gpu=REFERENCE_GPU,
        engine=PAPER_ENGINE,
        name=f"{REFERENCE_GPU}-published",
        level="published numbers",
        seen=[SURFACES, THROUGHPUT],
        fitted=list(fit.fitted),
        at_bound=list(fit.at_bound),
        search=fit.search,
        starts=fit.starts,
        errors_percent={
            "energy_per_token_table5_surfaces": surfaces.mean_error_percent(board, found),
            "throughput_llama_3_1_8b_fp16": throughput.mean_error_percent(board, found),
        },
    )
