"""What is left of a run is what the run then does."""

import pytest

from sweetspot.files import write_bytes_atomic
from sweetspot.measure.record import record_bytes, record_path
from sweetspot.measure.reuse import reusable_record
from sweetspot.measure.work import work_of
from sweetspot.plan.plan import plan


def done_and_left(block, folder, remeasure="nothing"):
    """Return both as bits in the order of a block's cells, and what was there is untouched."""
    before = sorted(folder.rglob("*"))
    work = work_of(block, folder, remeasure)
    assert sorted(folder.rglob("*")) == before
    assert set(work.cells) == set(block.cells)
    again = [reusable_record(folder, block, cell, remeasure) is None for cell in block.cells]
    assert [cell in work.left for cell in block.cells] == again
    return again


@pytest.mark.parametrize("remeasure", ["nothing", "failed", "all"])
def test_simulated_cells_whose_record_a_run_does_not_reuse_are_left(
    small_experiment, tmp_path, record_of, remeasure
):
    (block,) = plan(small_experiment()).blocks
    kinds = (
        {"mean_sm_mhz": 1980.0},
        {"mean_sm_mhz": None},  # as earlier versions left it
        {"mean_sm_mhz": 1980.0, "key": "0123456789abcdef"},
        {"status": "failed"},
    )
    for cell, kind in zip(block.cells, kinds, strict=True):
        record = record_of(block, cell, simulated=True, **kind)
        write_bytes_atomic(record_path(tmp_path, cell, block.key(cell)), record_bytes(record))
    wanted = {"nothing": [0, 1, 1, 0], "failed": [0, 1, 1, 1], "all": [1, 1, 1, 1]}
    assert done_and_left(block, tmp_path, remeasure) == wanted[remeasure]


def test_measured_cells_of_another_board_or_damaged_or_without_a_file_are_left(
    small_experiment, tmp_path, record_of
):
    (block,) = plan(small_experiment(engine="vllm")).blocks
    good, other, damaged, _ = block.cells
    for cell, name in ((good, "NVIDIA H100 80GB HBM3"), (other, "Tesla T4")):
        record = record_of(block, cell, provenance={"gpu_name": name, "gpu_uuid": "GPU-0"})
        write_bytes_atomic(record_path(tmp_path, cell, block.key(cell)), record_bytes(record))
    path = record_path(tmp_path, damaged, block.key(damaged))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{")
    assert done_and_left(block, tmp_path) == [0, 1, 1, 1]
