"""A campaign's cells beside the simulator's, with the constants that ship."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from sweetspot.config import FigureStyle
from sweetspot.errors import InputError
from sweetspot.figures.beside import beside_figure
from sweetspot.figures.canvas import save
from sweetspot.figures.labels import catalog_labels
from sweetspot.report import html
from sweetspot.report.exhibits import Picture, figure_exhibit
from sweetspot.report.html import Exhibit
from sweetspot.simulator.accuracy.measured import Measured, read_measured
from sweetspot.simulator.calibration.to_cells import own_constants
from sweetspot.simulator.constants.calibration_file import load_calibration
from sweetspot.simulator.constants.constants import Constants
from sweetspot.tables.names import printed_name

_FIGURE = "beside_simulator"
_HEADER = (
    *("Model", "N", "I", "O", "tokens/J", "simulated", "difference"),
    *("tokens/s", "simulated", "difference", "W", "simulated"),
)


def write_beside(data: Path, style: FigureStyle, out: Path) -> list[str | Exhibit]:
    """Draw the cells beside the simulator's into `out`, and return what to say."""
    try:
        measured = read_measured(data)
    except InputError as error:
        return [html.paragraph(f"Not compared: {error}.")]
    own = measured.own
    calibration = load_calibration(own.board, engine=own.engine)
    cells = simulated_beside(measured, calibration.constants)
    provenance = (
        f"measured · {own.engine} · {own.board.id} · {len(cells)} cells · simulated with"
        f" constants: {calibration.name} ({calibration.level})"
    )
    models = catalog_labels(cells["model"].unique())
    figure = beside_figure(cells, style, models, provenance)
    png, *_ = save(figure, out / _FIGURE, style.dpi)
    rows = [_row(row) for row in cells.to_dict("records")]
    title = "Each cell beside the simulator"
    return [
        html.paragraph(
            f"Constants: {calibration.name} ({calibration.level}), fitted to"
            f" {', '.join(calibration.seen) or 'nothing'}."
        ),
        html.paragraph(f"Mean error of energy per token and of throughput: {_mean_errors(cells)}."),
        figure_exhibit(Picture(_FIGURE, figure.alt_text, png.read_bytes())),
        Exhibit(title, html.table(_HEADER, rows, label=title), is_folded=True),
    ]


def simulated_beside(measured: Measured, constants: Constants) -> pd.DataFrame:
    """Return the cells with the simulator's numbers beside them, `simulated_` in front."""
    constants = own_constants(measured.own, constants)
    energy, throughput = (t.ratios(measured.own.board, constants) for t in measured.targets[:2])
    cells = measured.own.cells
    return cells.assign(
        model=[each.model.id for each in measured.own.deployments],  # not its path
        simulated_energy_per_token_j=cells["energy_per_token_j"] * energy,
        simulated_throughput_tokens_per_s=cells["throughput_tokens_per_s"] * throughput,
        simulated_mean_power_w=cells["mean_power_w"] * energy * throughput,
    )


def _mean_errors(cells: pd.DataFrame) -> str:
    """Return the mean errors of each model's energy and throughput, in words."""
    errors = pd.DataFrame(
        {
            name: (cells[f"simulated_{name}"] / cells[name] - 1).abs()
            for name in ("energy_per_token_j", "throughput_tokens_per_s")
        }
    )
    by_model = 100 * errors.groupby(cells["model"], sort=False).mean()
    return "; ".join(
        f"{printed_name(model)} {energy:.1f} % and {throughput:.1f} %"
        for model, energy, throughput in by_model.itertuples()
    )


def _row(cell: Mapping[Any, Any]) -> tuple[str, ...]:
    """Return a cell's line."""
    per_j, of_simulated = (1 / cell[f"{of}energy_per_token_j"] for of in ("", "simulated_"))
    per_s, simulated_per_s = (cell[f"{of}throughput_tokens_per_s"] for of in ("", "simulated_"))
    return (
        *(printed_name(str(cell["model"])), f"{cell['requests']:.0f}"),
        *(f"{cell['input_tokens']:.0f}", f"{cell['output_tokens']:.0f}"),
        *(f"{per_j:.4g}", f"{of_simulated:.4g}", f"{100 * (of_simulated / per_j - 1):+.1f} %"),
        *(f"{per_s:.0f}", f"{simulated_per_s:.0f}"),
        f"{100 * (simulated_per_s / per_s - 1):+.1f} %",
        *(f"{cell['mean_power_w']:.0f}", f"{cell['simulated_mean_power_w']:.0f}"),
    )
