"""A campaign's cells beside the simulator's, with constants that have seen none of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sweetspot.campaign.report_tables import markdown
from sweetspot.errors import InputError
from sweetspot.simulator.calibration import load_calibration
from sweetspot.simulator.measured_check import read_measured
from sweetspot.simulator.own_fit import shipped_constants

_HEADER = (
    *("Model", "N", "I", "O", "tokens/J", "simulated", "difference"),
    *("tokens/s", "simulated", "difference", "W", "simulated"),
)


def simulated_text(data: Path) -> str:
    """Return the cells with the simulator's energy, throughput and power, as Markdown."""
    try:
        measured = read_measured(data)
    except InputError as error:
        return f"Not compared: {error}."
    board, own = measured.board, measured.own
    constants = shipped_constants(own, board)
    energy, throughput = (t.ratios(board, constants) for t in measured.targets)
    cells = own.cells.assign(energy_ratio=energy, throughput_ratio=throughput)
    calibration = load_calibration(board)
    errors = ((cells[name] - 1).abs() for name in ("energy_ratio", "throughput_ratio"))
    by_model = pd.concat(errors, axis=1).groupby(cells["model"], sort=False).mean() * 100
    means = "; ".join(
        f"{model} {row.energy_ratio:.1f} % and {row.throughput_ratio:.1f} %"
        for model, row in by_model.iterrows()
    )
    return "\n\n".join(
        [
            f"Constants: {calibration.name} ({calibration.level}); none of them was fitted to these"
            " cells. What they were fitted to is of TensorRT-LLM.",
            f"Mean error of energy per token and of throughput: {means}.",
            markdown(_HEADER, [_row(row) for row in cells.to_dict("records")]),
        ]
    )


def _row(cell: Mapping[Any, Any]) -> tuple[str, ...]:
    """Return a cell's line; ratios are simulated over measured."""
    energy, throughput = cell["energy_ratio"], cell["throughput_ratio"]
    per_j, per_s, power_w = (
        cell[name] for name in ("tokens_per_j", "throughput_tokens_per_s", "mean_power_w")
    )
    return (
        *(str(cell["model"]), f"{cell['requests']:.0f}"),
        *(f"{cell['input_tokens']:.0f}", f"{cell['output_tokens']:.0f}"),
        *(f"{per_j:.4g}", f"{per_j / energy:.4g}", f"{100 / energy - 100:+.1f} %"),
        *(f"{per_s:.0f}", f"{per_s * throughput:.0f}", f"{100 * throughput - 100:+.1f} %"),
        *(f"{power_w:.0f}", f"{power_w * energy * throughput:.0f}"),
    )
