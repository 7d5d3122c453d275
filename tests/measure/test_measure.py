"""A block of cells: reuse, failures as rows, wrong work."""

import json
import logging
from dataclasses import replace

import numpy as np
import pytest

from sweetspot.catalog import gpu
from sweetspot.engines.base import Run
from sweetspot.engines.simulated import SimulatorEngine
from sweetspot.errors import EngineError, InputError, MeterError
from sweetspot.files import write_bytes_atomic, write_text_atomic
from sweetspot.measure.measure import measure_block
from sweetspot.measure.record import read_block, record_bytes, record_path, trace_path
from sweetspot.metering.meter import Readings
from sweetspot.metering.samples import CHANNELS, Samples
from sweetspot.metering.trace import PowerTrace, window_energy_j
from sweetspot.plan.plan import plan
from sweetspot.simulator.constants.calibration_file import load_calibration

WATTS = 300.0
SECONDS = 2.0


class FakeMeter:
    """Reads a constant power from -1 s to 1 s after the run; must be stopped to start again."""

    def __init__(self, power_w=WATTS):
        self.power_w = power_w
        self.running = False

    def start(self, spool=None, observe=None):
        assert not self.running, "this meter is already running"
        self.running = True
        self.spool = spool
        write_text_atomic(spool, "t_s,power_w")

    def stop(self):
        assert self.running, "this meter is not running"
        self.running = False
        trace = PowerTrace(np.array([-1.0, SECONDS + 1]), np.full(2, self.power_w))
        return Readings(trace=trace)


class FakeEngine:
    """An engine, session and log in one; `faults` maps a cell's id to what goes wrong with it."""

    name = "simulator"
    version = "fake 1"
    simulated = False

    def __init__(self, faults=None, meter=None):
        self.faults = faults or {}
        self.facts = {"gpu_name": "NVIDIA H100 80GB HBM3", "gpu_uuid": "GPU-0"}
        self.meter = meter or FakeMeter()
        self.loads = 0
        self.closed = 0
        self.ran = []

    def load(self, settings):
        self.loads += 1
        return self

    def run(self, cell):
        self.ran.append(cell.id)
        fault = self.faults.get(cell.id, {})
        if isinstance(fault, BaseException):
            raise fault
        done = {
            "start_s": 0.0,
            "end_s": SECONDS,
            "requests": cell.requests,
            "input_tokens": cell.requests * cell.input_tokens,
            "output_tokens": cell.total_output_tokens,
            "facts": self.facts,
        }
        return Run(**done | fault)

    def close(self):
        self.closed += 1


@pytest.fixture
def block(small_experiment):
    [block] = plan(small_experiment()).blocks
    return block


@pytest.fixture
def measured(block, tmp_path):
    """Return a function that measures the block and gives back its records."""

    def run(engine, **options):
        out = tmp_path / "blocks" / "block.jsonl"
        measure_block(block, engine, tmp_path / "records", out, **options)
        return read_block(out)

    return run


def test_what_a_cell_needs_is_made_just_before_it_runs_and_not_for_one_that_is_reused(
    block, measured, tmp_path
):
    engine = FakeEngine()
    first, *others = block.cells
    measured(engine)
    record_path(tmp_path / "records", first, block.key(first)).unlink()
    engine.ran.clear()
    measured(engine, prepare=lambda cell: engine.ran.append(f"before {cell.id}"))
    assert others
    assert engine.ran == [f"before {first.id}", first.id]


def test_simulated_block_is_one_record_a_cell_with_its_trace(block, measured, tmp_path):
    records = measured(SimulatorEngine())
    assert [r.cell for r in records] == [cell.id for cell in block.cells]
    for cell, record in zip(block.cells, records, strict=True):
        assert (record.status, record.reason, record.simulated) == ("ok", "", True)
        assert record.key == block.key(cell)
        assert record.energy_per_token_j * record.tokens_per_j == pytest.approx(1)
        assert record.energy_j == pytest.approx(record.mean_power_w * record.duration_s)
        assert record.calibration.startswith("h100-sxm, published numbers + tensorrt-llm")
        assert "published-table5" in record.calibration_seen.split(";")
        path = trace_path(tmp_path / "records", cell, record.key)
        trace = PowerTrace(*np.loadtxt(path, delimiter=",", skiprows=1, unpack=True))
        assert window_energy_j(trace, 0, record.duration_s) == pytest.approx(record.energy_j)


def test_simulated_records_say_how_sure_they_are_and_measured_ones_nothing(block, measured):
    for record in measured(SimulatorEngine()):
        low_j, high_j = record.energy_per_token_low_j, record.energy_per_token_high_j
        assert low_j < record.energy_per_token_j < high_j
        low, high = record.throughput_low_tokens_per_s, record.throughput_high_tokens_per_s
        assert low < record.throughput_tokens_per_s < high
        assert (record.interval_level, record.interval_models) == (0.9, 13)
    for record in measured(FakeEngine(), remeasure="all"):
        assert record.energy_per_token_low_j is None
        assert record.interval_rests_on == ""


def test_reused_simulated_record_has_the_interval_that_is_known_today(block, measured, tmp_path):
    first = measured(SimulatorEngine())
    known = block.settings.calibration.intervals
    surer = replace(known, energy=replace(known.energy, factor=1.01))
    today = replace(
        block,
        settings=replace(
            block.settings, calibration=replace(block.settings.calibration, intervals=surer)
        ),
    )
    out, engine = tmp_path / "again.jsonl", FakeEngine()
    measure_block(today, engine, tmp_path / "records", out)
    assert engine.loads == 0
    for before, record in zip(first, read_block(out), strict=True):
        assert record.key == before.key
        assert record.energy_per_token_j == before.energy_per_token_j
        assert record.energy_per_token_high_j == pytest.approx(1.01 * record.energy_per_token_j)


def test_engine_is_loaded_once_and_closed(block, measured):
    engine = FakeEngine()
    records = measured(engine)
    assert (engine.loads, engine.closed) == (1, 1)
    assert engine.ran == [cell.id for cell in block.cells]
    assert not any(record.simulated for record in records)


def test_second_run_reuses_everything_and_loads_nothing(measured, caplog):
    first = measured(FakeEngine())
    again = FakeEngine()
    with caplog.at_level(logging.INFO):
        assert measured(again) == first
    assert (again.loads, again.closed, again.ran) == (0, 0, [])
    assert caplog.messages[-1] == "llama-3.2-1b/b1024: 4 cells, 4 of them reused"


def test_remeasure_reuses_nothing(measured):
    measured(FakeEngine())
    again = FakeEngine(meter=FakeMeter(2 * WATTS))
    records = measured(again, remeasure="all")
    assert len(again.ran) == 4
    assert {record.mean_power_w for record in records} == {2 * WATTS}
    assert {record.mean_power_w for record in measured(FakeEngine())} == {2 * WATTS}


def test_remeasure_failed_reuses_what_is_ok(block, measured):
    bad, wrong = block.cells[1].id, block.cells[3].id
    measured(FakeEngine({bad: EngineError("out of memory"), wrong: {"requests": 9}}))
    reused = FakeEngine()
    assert [r.status for r in measured(reused)] == ["ok", "failed", "ok", "invalid"]
    assert reused.ran == []
    again = FakeEngine()
    assert [r.status for r in measured(again, remeasure="failed")] == ["ok"] * 4
    assert again.ran == [bad, wrong]


@pytest.mark.parametrize("damage", [b"", b"{", b"{}", b"not a record"])
def test_damaged_record_costs_its_own_cell(block, measured, tmp_path, damage, caplog):
    first = measured(FakeEngine())
    hit = block.cells[2]
    path = record_path(tmp_path / "records", hit, block.key(hit))
    path.write_bytes(damage)
    again = FakeEngine()
    with caplog.at_level(logging.WARNING):
        records = measured(again)
    assert again.ran == [hit.id]
    assert f"{path}.corrupt" in caplog.text
    assert [r.energy_j for r in records] == [r.energy_j for r in first]
    assert json.loads(path.read_bytes())["cell"] == hit.id


def test_record_under_a_wrong_name_is_not_taken_for_another_cells(block, measured, tmp_path):
    measured(FakeEngine())
    paths = [record_path(tmp_path / "records", cell, block.key(cell)) for cell in block.cells]
    paths[1].write_bytes(paths[0].read_bytes())
    again = FakeEngine()
    records = measured(again)
    assert again.ran == [block.cells[1].id]
    assert [r.cell for r in records] == [cell.id for cell in block.cells]


def test_failed_cell_is_a_row_and_the_session_goes_on(block, measured, caplog):
    engine = FakeEngine({block.cells[1].id: EngineError("out of memory")})
    with caplog.at_level(logging.INFO):
        records = measured(engine)
    assert [r.status for r in records] == ["ok", "failed", "ok", "ok"]
    failed = records[1]
    assert failed.reason == "out of memory"
    assert failed.energy_j is failed.duration_s is failed.tokens_per_j is None
    assert (engine.loads, engine.closed, len(engine.ran)) == (1, 1, 4)
    assert not engine.meter.running
    assert "1 NOT ok" in caplog.text


def test_meter_that_breaks_off_fails_its_cell(block, measured):
    class Breaking(FakeMeter):
        def stop(self):
            super().stop()
            raise MeterError("power sampling broke off")

    # the engine's own failure says more than the meter's that follows from it
    records = measured(FakeEngine({block.cells[0].id: EngineError("crashed")}, Breaking()))
    assert {r.status for r in records} == {"failed"}
    assert [r.reason for r in records] == ["crashed"] + ["power sampling broke off"] * 3


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"requests": 9}, "the engine did 9 requests instead of 10"),
        ({"input_tokens": 639}, "the engine did 639 input tokens instead of 640"),
        ({"output_tokens": 81}, "the engine did 81 output tokens instead of 80"),
        ({"output_tokens": 0}, "the engine did 0 output tokens instead of 80"),
    ],
)
def test_wrong_work_makes_the_cell_invalid(block, measured, fault, reason):
    cell = block.cells[0]
    assert (cell.requests, cell.input_tokens, cell.output_tokens) == (10, 64, 8)
    records = measured(FakeEngine({cell.id: fault}))
    assert [r.status for r in records] == ["invalid", "ok", "ok", "ok"]
    assert records[0].reason == reason
    assert records[0].energy_j == pytest.approx(WATTS * SECONDS)  # what was seen stays seen


def test_engine_that_distrusts_its_run_makes_the_cell_invalid(block, measured):
    fault = {"untrusted": "it ran on the CPU", "remarks": ("weights are random", "no graphs")}
    [record, *others] = measured(FakeEngine({block.cells[0].id: fault}))
    assert (record.status, record.reason) == ("invalid", "it ran on the CPU")
    assert record.remarks == "weights are random; no graphs"
    assert {(r.status, r.remarks) for r in others} == {("ok", "")}


def test_repeated_run_counts_for_one(block, measured):
    cell = block.cells[0]
    passes = {
        "passes": 4,
        "requests": 4 * cell.requests,
        "input_tokens": 4 * cell.requests * cell.input_tokens,
        "output_tokens": 4 * cell.total_output_tokens,
    }
    [record, *_] = measured(FakeEngine({cell.id: passes}))
    assert record.status == "ok"
    assert (record.passes, record.window_s, record.duration_s) == (4, SECONDS, SECONDS / 4)
    assert record.energy_j == pytest.approx(WATTS * SECONDS / 4)
    assert record.energy_per_token_j == pytest.approx(record.energy_j / cell.total_output_tokens)
    assert record.mean_power_w == pytest.approx(WATTS)
    assert record.throughput_tokens_per_s == pytest.approx(4 * cell.total_output_tokens / SECONDS)


def test_samples_of_a_cut_run_stay_and_those_of_a_whole_one_go(block, measured, tmp_path):
    engine = FakeEngine({block.cells[2].id: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        measured(engine)
    left = list((tmp_path / "records").rglob("*.samples.csv"))
    assert left == [engine.meter.spool]
    measured(FakeEngine())
    assert not list((tmp_path / "records").rglob("*.samples.csv"))


def test_window_outside_the_trace_fails_the_cell(block, measured):
    records = measured(FakeEngine({block.cells[0].id: {"end_s": SECONDS + 2}}))
    assert records[0].status == "failed"
    assert records[0].reason.startswith("the power trace does not cover the run: window")


def test_board_that_shows_no_power_fails_the_cell(measured):
    records = measured(FakeEngine(meter=FakeMeter(0.0)))
    assert {r.reason for r in records} == {"the power trace shows 0 W over the whole run"}


def test_interrupted_block_keeps_its_finished_cells(block, measured):
    engine = FakeEngine({block.cells[2].id: KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        measured(engine)
    assert engine.closed == 1
    assert not engine.meter.running
    again = FakeEngine()
    assert len(measured(again)) == 4
    assert again.ran == [cell.id for cell in block.cells[2:]]


def test_cell_beyond_the_models_context_is_marked(small_experiment, tmp_path):
    sweeps = {"grid": {"input_tokens": [1024, 2048], "output_tokens": [1024], "requests": [2]}}
    [block] = plan(small_experiment(models=["opt-1.3b"], sweeps=sweeps)).blocks
    measure_block(block, SimulatorEngine(), tmp_path, tmp_path / "block.jsonl")
    marks = [r.beyond_native_context for r in read_block(tmp_path / "block.jsonl")]
    assert marks == [False, True]  # OPT's context is 2048


def test_folder_that_cannot_be_written_is_an_input_error(block, tmp_path):
    (tmp_path / "file").write_text("in the way")
    engine = FakeEngine()
    records, out = tmp_path / "file" / "records", tmp_path / "out.jsonl"
    with pytest.raises(InputError, match="Not a directory"):
        measure_block(block, engine, records, out)
    with pytest.raises(InputError, match="cannot write"):
        measure_block(block, engine, records, out, remeasure="all")
    assert engine.loads == engine.closed == 1


class FakeBoardMeter(FakeMeter):
    """Also reads what a board says of itself, ten times a second, `changes` over that."""

    def __init__(self, **changes):
        super().__init__()
        self.changes = changes

    def stop(self):
        trace = super().stop().trace
        t_s = np.linspace(trace.t_s[0], trace.t_s[-1], 41)
        watts = np.full(t_s.size, WATTS)
        channels = dict.fromkeys(CHANNELS, np.full(t_s.size, np.nan)) | {
            "t_s": t_s,
            "power_instant_w": watts,
            "power_average_w": watts,
            "power_usage_w": watts,
            "sm_mhz": np.full(t_s.size, 1980.0),
            "temperature_c": 40 + t_s,
            "event_reasons": np.zeros(t_s.size),
        }
        samples = Samples(**channels | self.changes)
        return Readings(
            trace=PowerTrace(t_s, watts), samples=samples, interval_s=0.1, sampler_cpu_share=0.01
        )


@pytest.fixture
def measured_block(small_experiment):
    """A block of an engine that measures, with nothing to wait for."""
    measure = {"idle_s": 0, "min_window_s": 0}
    [block] = plan(small_experiment(engine="vllm", measure=measure)).blocks
    return block


def test_state_of_the_board_is_recorded(measured_block, tmp_path):
    out = tmp_path / "block.jsonl"
    measure_block(measured_block, FakeEngine(meter=FakeBoardMeter()), tmp_path, out)
    record = read_block(out)[0]
    assert (record.status, record.reason) == ("ok", "")
    assert (record.mean_sm_mhz, record.mean_memory_mhz) == (1980, None)
    assert record.temperature_end_c - record.temperature_start_c == pytest.approx(SECONDS)
    assert record.power_samples == 21
    assert record.sampler_cpu_share == 0.01
    assert record.energy_source == "integration"
    assert record.energy_counter_j is record.energy_gap is None
    assert record.energy_sum_500ms_j == pytest.approx(WATTS * SECONDS, rel=0.3)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"gpu_name": "Tesla T4"}, "metered was 'Tesla T4' (GPU-0), not h100-sxm ('NVIDIA H100"),
        ({"gpu_name": "NVIDIA H100 80GB HBM3 MIG 3g.40gb"}, "metered was 'NVIDIA H100 80GB HBM3 M"),
        ({"device_uuid": "1"}, "metered was GPU-0, and the engine ran on GPU-1"),
    ],
)
def test_cell_whose_metered_board_is_another_is_invalid_and_never_reused_as_ok(
    measured_block, tmp_path, facts, reason
):
    engine, out = FakeEngine(meter=FakeBoardMeter()), tmp_path / "block.jsonl"
    engine.facts |= facts
    measure_block(measured_block, engine, tmp_path, out)
    [wrong, *_] = read_block(out)
    assert wrong.status == "invalid"
    assert wrong.reason.startswith(reason)
    cell = measured_block.cells[0]  # as earlier code left it
    write_bytes_atomic(
        record_path(tmp_path, cell, wrong.key), record_bytes(replace(wrong, status="ok", reason=""))
    )
    measure_block(measured_block, FakeEngine(meter=FakeBoardMeter()), tmp_path, out)
    assert read_block(out)[0].status == "ok"
    assert read_block(out)[0].provenance["gpu_name"] == "NVIDIA H100 80GB HBM3"
    assert len(list(tmp_path.rglob("*.misplaced"))) == 1


class FakeClock(FakeMeter):
    """A clock, and a meter that reads 60 W before the run, 90 W after it; sleeping takes no time.

    The run begins at 0; the clock is set when the meter starts.
    """

    def start(self, spool=None, observe=None):
        super().start(spool)
        self.now_s = -0.8

    def sleep(self, seconds):
        self.now_s += seconds

    def monotonic(self):
        return self.now_s

    def stop(self):
        super().stop()
        t_s = np.arange(-10, 31) / 10
        watts = np.select([t_s < 0, t_s <= SECONDS], [60, WATTS], 90)
        return Readings(trace=PowerTrace(t_s, watts))


def test_idle_power_is_that_before_and_after_the_run(small_experiment, tmp_path, monkeypatch):
    clock = FakeClock()
    monkeypatch.setattr("sweetspot.measure.measure.time", clock)
    engine = FakeEngine(meter=clock)
    run = engine.run

    def take_time(cell):
        clock.sleep(SECONDS)
        return run(cell)

    engine.run = take_time
    measure = {"idle_s": 0.8, "min_window_s": 0}
    [block] = plan(small_experiment(engine="vllm", measure=measure)).blocks
    measure_block(block, engine, tmp_path, tmp_path / "block.jsonl")
    for record in read_block(tmp_path / "block.jsonl"):
        assert (record.idle_before_w, record.idle_after_w) == (60, 90)


def test_broken_gate_makes_the_cell_invalid_and_keeps_its_numbers(measured_block, tmp_path):
    out = tmp_path / "block.jsonl"
    meter = FakeBoardMeter(event_reasons=np.full(41, 0x40))
    measure_block(measured_block, FakeEngine(meter=meter), tmp_path, out)
    for record in read_block(out):
        assert record.status == "invalid"
        assert "thermal slowdown" in record.reason
        assert record.energy_j == pytest.approx(WATTS * SECONDS)


def test_temperature_may_drift_as_far_as_the_configuration_says(small_experiment, tmp_path):
    measure = {"idle_s": 0, "min_window_s": 0, "max_temperature_drift_c": 1}
    [block] = plan(small_experiment(engine="vllm", measure=measure)).blocks
    measure_block(block, FakeEngine(meter=FakeBoardMeter()), tmp_path, tmp_path / "block.jsonl")
    records = read_block(tmp_path / "block.jsonl")
    assert {record.status for record in records} == {"invalid"}


def test_row_says_several_gpus_and_fp8(small_experiment, tmp_path):
    changes = {"limits": {"tensor_parallel": 2}, "precision": {"weights": "fp8"}}
    [block] = plan(small_experiment(**changes)).blocks
    out = tmp_path / "block.jsonl"
    measure_block(block, SimulatorEngine(), tmp_path / "records", out)
    said = {record.calibration for record in read_block(out)}
    name = load_calibration(gpu("h100-sxm")).name
    assert said == {f"{name}; 2 GPUs, FP8 weights"}
