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
    manifest = json.loads((to / "manifest.json").read_text(encoding="utf-8"))
    manifest["calls"][0]["started_utc"] = f"{factor}"
    (to / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return to


def text_of(parts):
    return "\n".join(f"{p.title}\n{p.content}" if isinstance(p, Exhibit) else p for p in parts)


def test_other_campaigns_are_found_and_ones_own_copy_is_left_out(tmp_path):
    shutil.copytree(MEASURED, tmp_path / "a-copy")
    board = copy_of(tmp_path / "h100" / "compact", 2.0)
    part = copy_of(tmp_path / "h100" / "vllm" / "compact", 3.0)
    assert campaigns_in(tmp_path, but=MEASURED) == {"h100": board, "h100/vllm": part}
    assert campaigns_in(tmp_path / "none", but=MEASURED) == {}


def test_copy_from_before_a_campaign_went_on_is_its_own(tmp_path):
    older = Path(shutil.copytree(MEASURED, tmp_path / "older")) / "manifest.json"
    manifest = json.loads(older.read_text(encoding="utf-8"))
    older.write_text(json.dumps(manifest | {"calls": manifest["calls"][:1]}), encoding="utf-8")
    torn = tmp_path / "torn"
    torn.mkdir()
    (torn / "manifest.json").write_text("{", encoding="utf-8")  # which comparing it will say
    assert campaigns_in(tmp_path, but=MEASURED) == {"torn": torn}


def test_ratio_of_common_cells_is_this_campaigns_over_the_others(tmp_path):
    other = copy_of(tmp_path / "h100-other", 0.8)
    parts = write_beside_campaigns(MEASURED, {other.name: other}, FigureStyle(), tmp_path / "out")
    text = text_of(parts)
    assert "Beside h100-other: the 4 cells in both" in text
    assert "1.25" in text
    assert "simulated" not in text.lower()
    made = {path.name for path in (tmp_path / "out" / "beside" / "h100-other").iterdir()}
    assert {"ratios.csv", "ratios.png", "ratios.pdf", "by_model.md"} <= made


def test_simulated_campaign_is_marked(tmp_path):
    other = copy_of(tmp_path / "sim", 0.8, simulated=True)
    text = text_of(
        write_beside_campaigns(MEASURED, {other.name: other}, FigureStyle(), tmp_path / "out")
    )
    assert "sim (it simulated)" in text


@pytest.mark.parametrize("others", [[], ["no-cell-in-common"]])
def test_without_common_cells_nothing_is_drawn_and_why_is_said(tmp_path, others):
    folders = {name: copy_of(tmp_path / name, 1.0, requests=7) for name in others}
    text = text_of(write_beside_campaigns(MEASURED, folders, FigureStyle(), tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    assert text.count("requests is 7 in A and 64 in B") == len(others)
