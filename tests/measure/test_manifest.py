"""The manifest lists what a run made, with hashes that can be checked."""

import hashlib
import json

import pytest

from sweetspot.config import Experiment, parse_experiment
from sweetspot.errors import InputError
from sweetspot.measure.manifest import write_manifest


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "results" / "paper"
    (folder / "tables").mkdir(parents=True)
    (folder / "cells.csv").write_bytes(b"cell\n")
    (folder / "tables" / "table.csv").write_bytes(b"a,b\n1,2\n")
    return folder


@pytest.mark.parametrize(("engine", "simulated"), [("simulator", True), ("tensorrt-llm", False)])
def test_manifest_names_files_experiment_and_code(run, engine, simulated):
    experiment = Experiment(engine=engine)
    write_manifest(experiment, [run / "tables/table.csv", run / "cells.csv"], run / "manifest.json")
    found = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert found["simulated"] is simulated
    assert parse_experiment(found["experiment"]) == experiment
    assert list(found["files"]) == ["cells.csv", "tables/table.csv"]
    for name, entry in found["files"].items():
        data = (run / name).read_bytes()
        assert entry == {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert found["schema_version"] == 1
    assert set(found["packages"]) >= {"snakemake", "numpy", "scipy"}
    assert found["provenance"]["sweetspot"]


def test_file_that_is_missing_or_of_another_run_is_refused(run, tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*gone\.csv: No such file"):
        write_manifest(Experiment(), [run / "gone.csv"], run / "manifest.json")
    (tmp_path / "other.csv").write_text("x")
    with pytest.raises(InputError, match=r"other\.csv is not in .*paper, the folder of this"):
        write_manifest(Experiment(), [tmp_path / "other.csv"], run / "manifest.json")
    assert not (run / "manifest.json").exists()
