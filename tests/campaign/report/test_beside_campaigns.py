"""A campaign beside others: copies of a measured one whose energies are known to differ."""

import json
import shutil
from pathlib import Path

import pytest

from sweetspot.campaign.report.beside_campaigns import campaigns_in, write_beside_campaigns
from sweetspot.config import FigureStyle
from sweetspot.report.html import Exhibit

DATA = Path(__file__).parents[3] / "data"
MEASURED = DATA / "h200-transformers"


def copy_of(to, factor, simulated=False, requests=None):
    """Copy a campaign's data, with other energies."""
    shutil.copytree(MEASURED, to)
    lines = []
    for line in (to / "records.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        record["energy_per_token_j"] *= factor
        record["simulated"] = simulated
        record["requests"] = requests or record["requests"]
        lines.append(json.dumps(record))
    (to / "records.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (to / "manifest.json").write_text(f"{factor}", encoding="utf-8")  # nothing reads it here
    return to


def text_of(parts):
    return "\n".join(f"{p.title}\n{p.content}" if isinstance(p, Exhibit) else p for p in parts)


def test_other_campaigns_are_found_and_ones_own_copy_is_left_out(tmp_path):
    shutil.copytree(MEASURED, tmp_path / "a-copy")
    board = copy_of(tmp_path / "h100" / "compact", 2.0)
    part = copy_of(tmp_path / "h100" / "vllm" / "compact", 3.0)
    assert campaigns_in(tmp_path, but=MEASURED) == [board, part]
    assert campaigns_in(tmp_path / "none", but=MEASURED) == []


def test_ratio_of_common_cells_is_this_campaigns_over_the_others(tmp_path):
    other = copy_of(tmp_path / "h100-other", 0.8)
    parts = write_beside_campaigns(MEASURED, [other], FigureStyle(), tmp_path / "out")
    text = text_of(parts)
    assert "Beside h100-other: the 4 cells in both" in text
    assert "1.25" in text
    assert "simulated" not in text.lower()
    made = {path.name for path in (tmp_path / "out" / "beside" / "h100-other").iterdir()}
    assert {"ratios.csv", "ratios.png", "ratios.pdf", "by_model.md"} <= made


def test_simulated_campaign_is_marked(tmp_path):
    other = copy_of(tmp_path / "sim", 0.8, simulated=True)
    text = text_of(write_beside_campaigns(MEASURED, [other], FigureStyle(), tmp_path / "out"))
    assert "sim (it simulated)" in text


@pytest.mark.parametrize("others", [[], ["no-cell-in-common"]])
def test_without_common_cells_nothing_is_drawn_and_why_is_said(tmp_path, others):
    folders = [copy_of(tmp_path / name, 1.0, requests=7) for name in others]
    text = text_of(write_beside_campaigns(MEASURED, folders, FigureStyle(), tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    assert text.count("requests is 7 in A and 64 in B") == len(others)
