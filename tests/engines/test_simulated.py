"""The simulated engine behind the interface of all engines."""

from dataclasses import replace

import numpy as np
import pytest

from sweetspot.catalog.quantization import FP8_WEIGHTS
from sweetspot.config import Noise
from sweetspot.engines import engine
from sweetspot.engines.simulated import SimulatorEngine, VirtualMeter, noise_factor
from sweetspot.errors import EngineError, InputError, MeterError
from sweetspot.files import write_bytes_atomic
from sweetspot.measure.measure import measure_block
from sweetspot.measure.record import read_block, record_bytes, record_path
from sweetspot.metering.trace import window_energy_j
from sweetspot.plan.block import parse_block
from sweetspot.plan.plan import plan
from sweetspot.simulator.run import simulate_benchmark


@pytest.fixture
def block(small_experiment):
    [block] = plan(small_experiment()).blocks
    return block


def test_simulator_is_found_by_name(block):
    found = engine(block.settings)
    assert isinstance(found, SimulatorEngine)
    assert (found.name, found.simulated) == ("simulator", True)


def test_unknown_engine_is_refused(block):
    with pytest.raises(
        InputError, match=r"unknown engine 'tgi'.* known: deepspeed, endpoint, simul"
    ):
        engine(replace(block.settings, engine="tgi"))


@pytest.mark.parametrize("name", ["tensorrt-llm", "vllm", "transformers"])
def test_nothing_falls_back_to_the_simulator(block, name):
    with pytest.raises(InputError, match=f"engine {name} measures: give --node"):
        engine(replace(block.settings, engine=name))


def test_record_has_the_models_clock_where_the_boards_is_known(block, tmp_path):
    highest_mhz = block.settings.gpu.max_clock_mhz
    job = parse_block(block.id, block.settings.json, block.cell_names)
    measure_block(job, SimulatorEngine(), tmp_path, tmp_path / "block.jsonl")
    for record, cell in zip(read_block(tmp_path / "block.jsonl"), block.cells, strict=True):
        sent = {name: getattr(cell, name) for name in ("requests", "input_tokens", "output_tokens")}
        run = simulate_benchmark(block.settings.deployment, **sent)
        assert record.mean_sm_mhz == run.clock_share * highest_mhz > 0
        assert record.key == block.key(cell)
    board = replace(job.settings.gpu, max_clock_mhz=0.0)
    unknown = replace(job, settings=replace(job.settings, gpu=board))
    assert unknown.key(block.cells[0]) == block.key(block.cells[0])
    assert SimulatorEngine().load(unknown.settings).run(block.cells[0]).mean_sm_mhz is None


def test_older_record_without_a_clock_is_simulated_again(block, tmp_path):
    def measured():
        measure_block(block, SimulatorEngine(), tmp_path, tmp_path / "block.jsonl")
        return read_block(tmp_path / "block.jsonl")

    before = measured()
    first, second = (record_path(tmp_path, cell, block.key(cell)) for cell in block.cells[:2])
    write_bytes_atomic(first, record_bytes(replace(before[0], mean_sm_mhz=None)))
    kept = second.stat().st_ino
    after = measured()
    assert [replace(each, provenance={}) for each in after] == [
        replace(each, provenance={}) for each in before
    ]
    assert second.stat().st_ino == kept


def test_session_runs_cells_and_its_meter_saw_them(block):
    session = SimulatorEngine().load(block.settings)
    for cell in block.cells:
        session.meter.start()
        run = session.run(cell)
        trace = session.meter.stop().trace
        assert run.start_s == trace.t_s[0] == 0
        assert run.end_s == trace.t_s[-1]
        assert window_energy_j(trace, run.start_s, run.end_s) > 0
        assert run.requests == cell.requests
        assert run.input_tokens == cell.requests * cell.input_tokens
        assert run.output_tokens == cell.total_output_tokens
        assert run.max_concurrency == 1024
    session.close()


@pytest.mark.parametrize(
    ("model", "traits", "words", "dearer"),
    [
        ("gemma-2-2b", {"sliding_windows": True}, "sliding windows", False),
        ("llama-3.2-1b", {"cuda_graphs": "vllm"}, "CUDA graphs of vLLM", True),
        ("llama-3.2-1b", {"cuda_graphs": "tensorrt-llm"}, "CUDA graphs of TensorRT-LLM", True),
    ],
)
def test_session_runs_as_the_experiment_says(small_experiment, model, traits, words, dearer):
    sweep = {"input_tokens": [5000], "output_tokens": [64], "requests": [21]}
    energies_j = []
    for simulator in ({}, traits):
        experiment = small_experiment(models=[model], sweeps={"one": sweep}, simulator=simulator)
        [block] = plan(experiment).blocks
        session = SimulatorEngine().load(block.settings)
        session.run(block.cells[0])
        trace = session.meter.stop().trace
        energies_j.append(window_energy_j(trace, 0.0, float(trace.t_s[-1])))
        assert block.settings.deployment.words == (words if simulator else "")
    assert (energies_j[1] > energies_j[0]) == dearer
    assert energies_j[1] != energies_j[0]


def test_same_cell_gives_the_same_numbers_whatever_ran_before(block):
    first, second = (SimulatorEngine().load(block.settings) for _ in range(2))
    for cell in block.cells:
        first.run(cell)
    assert first.run(block.cells[0]).end_s == second.run(block.cells[0]).end_s


def test_meter_without_a_run_is_an_error(block):
    with pytest.raises(MeterError, match="nothing was simulated"):
        VirtualMeter().stop()
    session = SimulatorEngine().load(block.settings)
    session.meter.start()
    session.run(block.cells[0])
    session.meter.start()  # what ran before the start does not count
    with pytest.raises(MeterError, match="nothing was simulated"):
        session.meter.stop()


def test_block_without_constants_is_refused(block):
    with pytest.raises(EngineError, match="the simulator needs a calibration"):
        SimulatorEngine().load(replace(block.settings, calibration=None))


def test_several_gpus_and_fp8_reach_the_engine(small_experiment):
    def run_of(**changes):
        [block] = plan(small_experiment(**changes)).blocks
        session = SimulatorEngine().load(block.settings)
        session.meter.start()
        run = session.run(block.cells[-1])
        energy_j = window_energy_j(session.meter.stop().trace, run.start_s, run.end_s)
        return energy_j, run.end_s

    alone_j, alone_s = run_of()
    for changes, dearer in (
        ({"limits": {"tensor_parallel": 4}}, True),
        ({"precision": {"weights": "fp8", "kv_cache": "fp8"}}, False),
    ):
        energy_j, duration_s = run_of(**changes)
        assert duration_s != alone_s
        assert (energy_j > alone_j) == dearer


def test_model_that_does_not_fit_is_refused(block):
    small = replace(block.settings.gpu, memory_bytes=10**9)
    with pytest.raises(InputError, match="does not fit"):
        SimulatorEngine().load(replace(block.settings, gpu=small))


def test_request_that_the_cache_cannot_hold_fails_its_cell_only(small_experiment):
    experiment = small_experiment(
        limits={"kv_cache_memory_fraction": 0.001},  # about 80 MB: 2400 tokens
        sweeps={"grid": {"input_tokens": [64], "output_tokens": [8, 4096], "requests": [2]}},
    )
    [block] = plan(experiment).blocks
    session = SimulatorEngine().load(block.settings)
    short, long = block.cells
    assert session.run(short).output_tokens == 16
    with pytest.raises(EngineError, match=r"64 \+ 4096 tokens does not fit in the KV cache of"):
        session.run(long)
    assert session.run(short).output_tokens == 16


def test_quantized_checkpoint_is_said_beside_its_numbers(block):
    model = replace(block.settings.model, quantization=FP8_WEIGHTS)
    session = SimulatorEngine().load(replace(block.settings, model=model))
    assert session.run(block.cells[0]).remarks == ("quantized: FP8 weights",)
    assert SimulatorEngine().load(block.settings).run(block.cells[0]).remarks == ()


def test_engine_and_settings_of_the_experiment_reach_the_session(small_experiment):
    def seconds(**changes):
        sweep = {"input_tokens": [512], "output_tokens": [256], "requests": [50]}
        [block] = plan(small_experiment(gpu="h200-sxm", sweeps={"one": sweep}, **changes)).blocks
        session = SimulatorEngine().load(block.settings)
        return session.run(block.cells[0]).end_s, block.settings

    free_s, _ = seconds()
    slow_s, settings = seconds(gpu_settings={"clock_mhz": 990})
    assert slow_s > free_s
    assert settings.deployment.words == "clock 990 MHz"
    vllm_s, settings = seconds(simulator={"engine": "vllm"})
    assert vllm_s != free_s
    assert (settings.engine, settings.calibration.engine) == ("simulator", "vllm")
    assert settings.deployment.words == "CUDA graphs of vLLM"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"simulator": {"engine": "vlm"}}, "unknown engine 'vlm'; did you mean 'vllm'?"),
        ({"gpu_settings": {"power_limit_w": 800}}, "power_limit_w must be at most the 700 W"),
        ({"gpu_settings": {"power_limit_w": 120}}, "power_limit_w must be above 128, not 120"),
        ({"gpu_settings": {"clock_mhz": 100}}, "clock_mhz must be from 198 to 1980 MHz"),
    ],
)
def test_engine_or_setting_that_there_is_not_is_refused_when_it_is_planned(
    small_experiment, changes, message
):
    with pytest.raises(InputError) as caught:
        plan(small_experiment(**changes))
    assert message in str(caught.value)


def test_noise_scatters_energy_as_stated_and_leaves_time_alone(block):
    [cell, *_] = block.cells
    noise = Noise(deviation=0.05, seed=7)

    def energy_j(settings, cell):
        session = SimulatorEngine().load(settings)
        session.meter.start()
        run = session.run(cell)
        return window_energy_j(session.meter.stop().trace, run.start_s, run.end_s), run.end_s

    clean_j, clean_s = energy_j(block.settings, cell)
    noisy_j, noisy_s = energy_j(replace(block.settings, noise=noise), cell)
    assert noisy_s == clean_s
    assert noisy_j / clean_j == pytest.approx(noise_factor(noise, cell), rel=1e-12)
    again = noise_factor(Noise(deviation=0.05, seed=8), cell)
    repeats = np.array([noise_factor(noise, replace(cell, repeat=n)) for n in range(2000)])
    assert noise_factor(noise, cell) == repeats[0] != again
    # the standard errors of a median and of a deviation from 2000 draws: 0.14 and 0.08 %
    assert np.median(repeats) == pytest.approx(1, abs=0.006)
    assert repeats.std() / repeats.mean() == pytest.approx(0.05, rel=0.07)


def test_noise_has_its_own_key_and_is_said_in_the_record(small_experiment, tmp_path):
    [clean] = plan(small_experiment()).blocks
    [noisy] = plan(small_experiment(simulator={"noise": 0.02})).blocks
    assert clean.key(clean.cells[0]) != noisy.key(noisy.cells[0])
    measure_block(noisy, engine(noisy.settings), tmp_path, tmp_path / "block.jsonl")
    assert {record.noise for record in read_block(tmp_path / "block.jsonl")} == {0.02}
