"""The measured H200 grid: nine cells carry six coefficients, and say how badly."""

from pathlib import Path

import pytest

from sweetspot.analysis.fits import fit_forms
from sweetspot.analysis.sweet_spots import sweet_spot
from sweetspot.cells.read import read_cells

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("weights", ["equal", "relative"])
def test_page_states_what_the_fits_of_the_campaign_give(weights):
    cells = read_cells(ROOT / "data" / "h200-vllm" / "records.jsonl")
    fits = fit_forms(cells[cells["requests"] == 128], weights=weights)
    quality = fits.quality[fits.quality["form"] == "memory_flops"].set_index("model")
    spots = sweet_spot(fits, 64).set_index("model")
    page = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    for model in ("llama-3.2-1b", "llama-3.1-8b", "gemma-2-2b"):
        row, spot = quality.loc[model], spots.loc[model]
        half = spot["estimated_high"] - spot["estimated_output_tokens"]
        stated = (
            f"| {model}, {weights} | {row['mape_percent']:.2f} % "
            f"| {row['leave_one_cell_out_percent']:.2f} % "
            f"| {row['worst_cell_percent']:.1f} % ({row['worst_cell']}) "
            f"| {spot['estimated_output_tokens']:.0f} ± {half:.0f} "
            f"| {spot['fieller_low']:.0f} to {spot['fieller_high']:.0f} |"
        )
        assert stated in page
        assert row["df"] == 3
