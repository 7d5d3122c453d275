"""An adaptive run: one command measures each model until it is enough, and says so."""

import pytest

from sweetspot.config import PAPER_LENGTHS
from sweetspot.verify.verify import verify

ADAPTIVE = {
    "models": ["llama-3.2-1b"],
    "sweeps": {
        "grid": {
            "input_tokens": list(PAPER_LENGTHS[:5]),
            "output_tokens": list(PAPER_LENGTHS[:5]),
            "requests": [50],
        }
    },
    "measure": {"design": "adaptive"},
    "simulator": {"noise": 0.01},
    "adaptive": {"error_percent": 3},
}


@pytest.mark.slow(reason="two runs of Snakemake, one of them whole")
def test_run_ends_once_it_is_enough_and_a_stricter_one_goes_on_from_there(
    project, sweetspot, monkeypatch
):
    project.write(**ADAPTIVE)
    outcome = project.snakemake()
    assert outcome.code == 0
    assert "llama-3.2-1b/b1024, N = 50: enough with" in outcome.text
    rows, records = project.cells(), project.records()
    assert 7 <= len(rows) == len(records) < 25
    monkeypatch.chdir(project.folder)
    assert verify(project.results).differences == ()

    assert "Nothing to be done" in project.plan().text
    project.write(**ADAPTIVE | {"adaptive": {"error_percent": 0.9}})
    said = sweetspot("plan", "experiment.yaml", "--next")
    assert f"{len(rows)} of 25 lengths" in said.out
    outcome = project.snakemake("results/small/cells.csv")
    assert outcome.code == 0
    later = project.records()
    assert len(project.cells()) == len(later) > len(records)
    assert {path: later[path] for path in records} == records
