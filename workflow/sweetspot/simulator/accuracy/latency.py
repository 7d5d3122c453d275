"""Latencies of a served load against NVIDIA's published ones, with nothing fitted to them.

The published load is closed: so many clients, each of which sends its next request when the last is
answered. In its steady state a request takes clients / (requests per second), by Little's law, of
which all but the time between its tokens is the time to its first one.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from sweetspot import published
from sweetspot.catalog import Architecture, gpu
from sweetspot.config import Limits
from sweetspot.simulator.accuracy.evaluation import Evaluation, Figure, Row
from sweetspot.simulator.accuracy.throughput import FP8, serving_models
from sweetspot.simulator.constants.calibration_file import load_calibration
from sweetspot.simulator.cost.fastest import clock_of
from sweetspot.simulator.deployment.deployment import deploy
from sweetspot.simulator.schedule.in_flight import InFlightBatching
from sweetspot.simulator.schedule.requests import Request
from sweetspot.simulator.serve import serve

ROUNDS = 10  # requests of a client: begin and end weigh a tenth
QUANTITIES = {
    "itl_ms": "time between tokens",
    "end_to_end_ms": "request latency",
    "ttft_ms": "time to first token",
}


def latency_errors() -> pd.DataFrame:
    """Return the published rows, `end_to_end_ms`, and of each quantity simulated over published.

    The columns of the ratios are `ratio_` and the quantity. Published end-to-end times are those of
    the first token and of all others after it.
    """
    cells = published.latency_serving()
    later = cells["output_tokens"] - 1
    cells["end_to_end_ms"] = cells["ttft_ms"] + later * cells["itl_ms"]
    models = serving_models()
    found = pd.DataFrame([_simulated(models, row) for row in cells.itertuples()], cells.index)
    return cells.assign(**{f"ratio_{name}": found[name] / cells[name] for name in QUANTITIES})


def _simulated(models: Mapping[str, Architecture], row: Any) -> dict[str, float]:
    clients, output = int(row.concurrency), int(row.output_tokens)
    limits = Limits(
        max_batch_size=clients,
        max_seq_len=int(row.input_tokens) + output,
        tensor_parallel=int(row.tensor_parallel),
    )
    served_by = deploy(models[row.model], row.gpu, limits=limits, precision=FP8)
    requests = [Request(0.0, int(row.input_tokens), output)] * (ROUNDS * clients)
    served = serve(InFlightBatching(requests, served_by.bounds), clock_of(served_by))
    end_to_end_ms = 1e3 * clients * output / served.throughput_tokens_per_s
    later = served.per_output_token
    itl_ms = 1e3 * later.mean_s if later else 0.0
    return {
        "itl_ms": itl_ms,
        "end_to_end_ms": end_to_end_ms,
        "ttft_ms": end_to_end_ms - (output - 1) * itl_ms,
    }


def served_latency(e: Evaluation) -> Row:
    """Latencies of Llama 3.3 70B in FP8 on two H100, from one client to 250."""
    found, ships = latency_errors(), load_calibration(gpu("h100-sxm"))
    figures = []
    for name, words in QUANTITIES.items():
        errors = (100 * (found[f"ratio_{name}"] - 1).abs()).tolist()
        worst, clients = max(zip(errors, found["concurrency"], strict=True))
        figures.append(Figure(f"{words}, mean", round(sum(errors) / len(errors), 3)))
        figures.append(Figure(f"{words}, worst (clients: {clients})", round(worst, 3)))
    return Row(
        "latencies of Llama 3.3 70B in FP8 on 2 H100, 1 to 250 clients",
        ships.level,
        tuple(ships.seen),
        True,
        tuple(figures),
    )
