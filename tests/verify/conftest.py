"""A finished run of a small simulated experiment, made without Snakemake."""

import shutil
from pathlib import Path

import pytest

from sweetspot.analysis.run_files import analyse, write_comparison
from sweetspot.engines.simulated import SimulatorEngine
from sweetspot.measure.cells_table import write_cells
from sweetspot.measure.manifest import write_manifest
from sweetspot.measure.measure import measure_block
from sweetspot.plan.plan import plan
from sweetspot.tables import make_table, write_table


@pytest.fixture(scope="session")
def small_run(tmp_path_factory, small_experiment):
    """Return the folder of a run of nine cells; shared, so only to be read."""
    folder = tmp_path_factory.mktemp("results") / "small"
    lengths = [64, 128, 256]
    grid = {"input_tokens": lengths, "output_tokens": lengths, "requests": [1000]}
    experiment = small_experiment(sweeps={"grid": grid})
    (block,) = plan(experiment).blocks
    blocks = folder / f"blocks/{block.id}.jsonl"
    cells, fits, comparison = (folder / name for name in ("cells.csv", "fits", "comparison.csv"))
    measure_block(block, SimulatorEngine(), folder / "records", blocks)
    write_cells(experiment, [blocks], cells)
    analyse(cells, fits, max_num_tokens=experiment.limits.max_num_tokens)
    write_comparison(cells, fits, comparison)
    tables = {
        "table1_forms": {},
        "table2_models": {"models": experiment.models},
        "comparison": {"comparison": comparison},
        **{f"table{name}": {"fits": fits} for name in ("3_mape", "4_significance")},
        "table5_coefficients": {"fits": fits},
    }
    for name, of in tables.items():
        write_table(make_table(name, **of), folder / "tables" / name)
    (folder / "figures").mkdir()  # what is drawn there is no matter of these tests
    (folder / "figures/figure2_output_length.png").write_bytes(b"PNG 0.25")
    made = [cells, comparison]
    made += [path for name in ("fits", "tables", "figures") for path in (folder / name).iterdir()]
    write_manifest(experiment, made, folder / "manifest.json")
    return folder


@pytest.fixture
def run(small_run: Path, tmp_path: Path) -> Path:
    """Return a copy of it, to change."""
    return Path(shutil.copytree(small_run, tmp_path / "small"))
