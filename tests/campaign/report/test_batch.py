"""The batch form's part of a campaign's report."""

from pathlib import Path

from sweetspot.campaign.report.batch import write_batch
from sweetspot.cells.read import read_cells

H200 = Path(__file__).parents[3] / "data" / "h200-vllm" / "records.jsonl"


def test_loads_of_a_campaign_give_the_tables_of_the_batch_form(tmp_path):
    cells = read_cells(H200)
    of_gemma = cells[cells["model"] == "gemma-2-2b"]
    tables = write_batch(of_gemma, 8192, tmp_path)
    assert list(tables) == ["batch_coefficients", "batch_loads"]
    assert set(tables["batch_loads"].texts["Model"]) == {"Gemma 2 (2B)"}
    assert (tmp_path / "tables" / "batch_loads.csv").exists()
    assert write_batch(of_gemma[of_gemma["requests"] == 128], 8192, tmp_path / "one") == {}
    assert not (tmp_path / "one").exists()
