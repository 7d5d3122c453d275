"""A job that decides as it goes: repeats, failures and records of before."""

from dataclasses import replace

import pytest

from sweetspot.config import parse_experiment
from sweetspot.engines.simulated import SimulatorEngine
from sweetspot.errors import EngineError, InputError
from sweetspot.files import write_bytes_atomic
from sweetspot.measure.adaptive import decisions
from sweetspot.measure.estimate import affordable, estimate, next_of
from sweetspot.measure.measure import measure_block
from sweetspot.measure.record import read_block, record_bytes, record_path
from sweetspot.measure.work import records_of, settled, work_of
from sweetspot.plan.plan import plan

LENGTHS = [64, 128, 256, 512, 1024]
CONFIG = {
    "run": "adaptive",
    "engine": "simulator",
    "models": ["llama-3.2-1b"],
    "sweeps": {
        "grid": {"input_tokens": LENGTHS, "output_tokens": LENGTHS, "requests": [20]},
        "stated": {"input_tokens": [64], "output_tokens": [64], "requests": [5]},
    },
    "measure": {"design": "adaptive", "repeats": 2},
    "simulator": {"noise": 0.01},
    "adaptive": {"error_percent": 3},
}


@pytest.fixture
def block():
    (block,) = plan(parse_experiment(CONFIG)).blocks
    return block


def measured(block, folder, engine=SimulatorEngine):
    out = folder / "block.jsonl"
    measure_block(block, engine(), folder / "records", out)
    return read_block(out)


def lengths(records):
    return {(r.input_tokens, r.output_tokens) for r in records if r.requests == 20}


class Failing(SimulatorEngine):
    """Has no room for 1024 input tokens."""

    def load(self, settings):
        session = super().load(settings)
        simulate = session.run

        def run(cell):
            if cell.input_tokens == 1024:
                raise EngineError("no room")
            return simulate(cell)

        session.run = run
        return session


def test_job_measures_all_repeats_of_a_length_and_ends_once_it_is_enough(block, tmp_path, caplog):
    caplog.set_level("INFO")
    records = measured(block, tmp_path)
    assert 7 <= len(lengths(records)) < 25
    assert len(records) == 2 * len(lengths(records)) + 2
    assert f"enough with {len(lengths(records))} of 25 lengths" in caplog.text
    assert work_of(block, tmp_path / "records").left == ()
    (of_run,) = settled(plan(parse_experiment(CONFIG)), tmp_path / "records").blocks
    assert [cell.id for cell in of_run.cells] == [record.cell for record in records]


def test_job_that_was_ended_goes_on_to_the_same_cells(block, tmp_path):
    whole = measured(block, tmp_path / "whole")
    path = tmp_path / "parts" / "records"
    half = replace(block, cells=block.cells[:9], candidates=(), adaptive=None)
    measured(half, tmp_path / "parts")
    work = work_of(block, path)
    assert set(work.done) == set(half.cells)
    assert work.left[: len(block.cells) - 9] == block.cells[9:]
    assert [r.cell for r in measured(block, tmp_path / "parts")] == [r.cell for r in whole]


def test_records_of_a_whole_grid_are_adopted(block, tmp_path):
    grid = CONFIG | {"measure": {"repeats": 2}}
    (every,) = plan(parse_experiment(grid)).blocks
    before = measured(every, tmp_path)
    assert {r.cell for r in measured(block, tmp_path)} == {r.cell for r in before}


@pytest.mark.parametrize("remeasure", ["failed", "all"])
def test_candidates_that_are_no_longer_needed_stay_as_they_were(block, tmp_path, remeasure):
    before = measured(block, tmp_path, Failing)
    target = replace(block.adaptive, error_percent=20.0)
    out = tmp_path / "again.jsonl"
    again = replace(block, adaptive=target)
    measure_block(again, SimulatorEngine(), tmp_path / "records", out, remeasure=remeasure)
    assert {r.cell for r in read_block(out)} == {r.cell for r in before}


def test_lengths_that_fail_are_tried_once_and_passed_over(block, tmp_path):
    records = measured(block, tmp_path, Failing)
    known = records_of(block, (*block.cells, *block.candidates), tmp_path / "records")
    (found,) = decisions(block, known)
    assert found.measured == len({each for each in lengths(records) if each[0] < 1024})
    assert found.needed == 0
    assert len({r.cell for r in records}) == len(records)


def test_plan_counts_cells_that_are_expected(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    experiment = {
        "run": "r",
        "engine": "vllm",
        "models": ["llama-3.2-1b"],
        "sweeps": {"grid": {}},
        "measure": {"design": "adaptive"},
    }
    found = estimate(parse_experiment(experiment))
    assert (found.total.cells, found.total.cells_left) == (16, 16)
    paid = {each.design: each for each in affordable(parse_experiment(experiment), 0.2)}
    assert (paid["grid"].cells, paid["few"].cells, paid["adaptive"].cells) == (0, 18, 16)
    assert paid["adaptive"].gpu_hours < paid["few"].gpu_hours
    why, first, *others = next_of(parse_experiment(experiment))
    assert "0 of 49 lengths, 16 more expected" in why
    assert first.startswith("  llama-3.2-1b/b1024/n1000/i512_o512/r0  ")
    assert len(others) == 15
    with pytest.raises(InputError, match="only decided where it is adaptive"):
        next_of(parse_experiment(experiment | {"measure": {"design": "few"}}))


def test_candidates_of_another_board_or_key_are_not_the_runs(tmp_path, record_of):
    planned = plan(parse_experiment(CONFIG | {"engine": "vllm", "simulator": {}}))
    (block,) = planned.blocks
    kinds = (
        {},
        {"provenance": {"gpu_name": "Tesla T4", "gpu_uuid": "GPU-0"}},
        {"key": "0123456789abcdef"},
    )
    of_run, *others = block.candidates[:3]
    for cell, kind in zip((of_run, *others), kinds, strict=True):
        path = record_path(tmp_path, cell, block.key(cell))
        write_bytes_atomic(path, record_bytes(record_of(block, cell, **kind)))
    (found,) = settled(planned, tmp_path).blocks
    assert set(found.cells) == {*block.cells, of_run}
    assert set(records_of(block, block.candidates, tmp_path)) == {of_run}
    assert len(list(tmp_path.rglob("*.json"))) == 3  # a job's to set aside
