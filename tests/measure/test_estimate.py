"""What an experiment will take: sums, what is done, and jobs on several GPUs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot import estimate
from sweetspot.errors import InputError
from sweetspot.files import write_bytes_atomic
from sweetspot.measure.estimate import finish_time
from sweetspot.measure.record import record_bytes, record_path
from sweetspot.plan.busy import busy_s
from sweetspot.plan.plan import plan


@pytest.fixture
def measured(small_experiment, tmp_path, monkeypatch):
    """An experiment of a measuring engine, two models, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return small_experiment(engine="vllm", models=["llama-3.2-1b", "opt-1.3b"])


def test_total_is_the_sum_of_models_and_of_blocks(measured):
    found = estimate(measured)
    hours = [busy_s(block, block.cells) / 3600 for block in plan(measured).blocks]
    assert [share.gpu_hours.expected for share in found.models] == pytest.approx(hours)
    assert found.total.gpu_hours.expected == pytest.approx(sum(hours))
    assert found.finish_hours == pytest.approx(found.total.gpu_hours)  # one after the other
    assert estimate(measured, gpus=2).finish_hours.expected == pytest.approx(max(hours))
    assert (found.total.blocks, found.total.cells, found.total.cells_left) == (2, 8, 8)
    for each in (found.total.gpu_hours, found.total.kwh):
        assert 0 < each.low < each.expected < each.high


def test_mean_power_is_between_the_waiting_boards_and_its_limit(measured):
    of_board = plan(measured).blocks[0].settings.deployment
    total = estimate(measured).total
    mean_w = 1000 * total.kwh.expected / total.gpu_hours.expected
    assert of_board.constants.board.active_power_w < mean_w < of_board.gpu.power_limit_w


def test_cells_with_a_record_are_done(measured, tmp_path, record_of):
    block = plan(measured).blocks[0]
    for cell in block.cells:
        path = record_path(tmp_path / "results" / "small" / "records", cell, block.key(cell))
        write_bytes_atomic(path, record_bytes(record_of(block, cell)))
    done, left = estimate(measured).models
    assert (done.cells, done.cells_left, done.kwh.expected) == (4, 0, 0)
    assert left.cells_left == 4


def test_cell_without_room_takes_its_idle_time_only(small_experiment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    long = {"input_tokens": [100000], "output_tokens": [64], "requests": [1]}
    found = estimate(
        small_experiment(
            engine="vllm",
            gpu="a100-40gb",
            models=["falcon-rw-7b"],
            sweeps={"long": long},
            limits={"max_seq_len": 200000},
            measure={"idle_s": 1800},
        )
    )
    assert found.total.gpu_hours == pytest.approx((1, 1, 1))


def test_simulated_experiment_takes_no_gpu_and_no_disk(small_experiment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = estimate(small_experiment())
    assert found.simulated
    assert (found.total.gpu_hours.expected, found.finish_hours.high, found.datasets) == (0, 0, 0)


def test_no_gpu_at_all_is_refused(measured):
    with pytest.raises(InputError, match="gpus must be 1 or more, not 0"):
        estimate(measured, gpus=0)


@given(st.lists(st.floats(0.1, 9), min_size=1, max_size=12), st.integers(1, 5))
def test_list_scheduling_is_within_its_bounds(jobs, gpus):
    done = finish_time(jobs, gpus)
    least = max(*jobs, sum(jobs) / gpus)
    assert least - 1e-9 <= done <= sum(jobs) / gpus + max(jobs) * (1 - 1 / gpus) + 1e-9


def test_longest_job_is_begun_first():
    assert finish_time([1, 1, 2], 2) == 2  # in the order of the list it were 3
