"""The time that a measurement will take."""

import pytest

from sweetspot.config import parse_experiment
from sweetspot.plan.busy import busy, busy_s, run_s
from sweetspot.plan.plan import plan


def block(**keys):
    grid = {"input_tokens": [64], "output_tokens": [64, 4096], "requests": [1000]}
    experiment = {"models": ["llama-3.2-1b"], "sweeps": {"grid": grid}} | keys
    (found,) = plan(parse_experiment(experiment)).blocks
    return found


def test_short_run_is_repeated_to_fill_its_window_and_long_one_is_not():
    found = block(measure={"idle_s": 1, "min_window_s": 10})
    short, long = found.cells
    one_run_s = run_s(found, found.cells)
    assert one_run_s[short] < 5
    assert one_run_s[long] > 20
    assert 10 + 2 <= busy_s(found, [short]) < 10 + 2 + one_run_s[short]
    assert busy_s(found, [long]) == pytest.approx(one_run_s[long] + 2)


def test_paper_protocol_repeats_nothing():
    found = block(measure={"protocol": "paper", "idle_s": 0})
    assert busy_s(found, found.cells) == pytest.approx(sum(run_s(found, found.cells).values()))


def test_engine_is_estimated_with_what_it_does_itself():
    """VLLM keeps the windows of Gemma 2 and pads 130 requests; Transformers waits for its host."""
    lengths = {"input_tokens": [6000], "output_tokens": [512], "requests": [130]}
    of = {"models": ["gemma-2-2b"], "sweeps": {"grid": lengths}}
    plain, vllm, hugging = (
        block(engine=engine, **of) for engine in ("tensorrt-llm", "vllm", "transformers")
    )
    plain_s, vllm_s, hugging_s = (sum(run_s(b, b.cells).values()) for b in (plain, vllm, hugging))
    assert vllm.settings.deployment.words == "sliding windows, CUDA graphs of vLLM"
    assert vllm_s < 0.95 * plain_s
    assert hugging.settings.deployment.words == "sliding windows, static batches"
    # two prompts of 6000 tokens are more than an iteration may have: one request after the other
    assert hugging_s > 130 * 512 * hugging.settings.deployment.constants.engine.step_overhead_s
    assert vllm.settings.traits == plain.settings.traits  # what it does is not part of its key


@pytest.mark.parametrize("gpus", [1, 2])
def test_all_boards_of_a_server_draw_power_while_they_are_idle(gpus):
    def of(idle_s):
        found = block(
            engine="endpoint",
            limits={"tensor_parallel": gpus},
            measure={"idle_s": idle_s, "min_window_s": 0},
        )
        return found.settings.deployment, busy(found, found.cells[:1]).energy_j.expected

    deployment, energy_j = of(idle_s=3)
    waiting_w = gpus * deployment.constants.board.active_power_w
    assert energy_j - of(idle_s=0)[1] == pytest.approx(2 * 3 * waiting_w)


def test_simulation_keeps_no_gpu_busy():
    found = block(engine="simulator")
    assert busy_s(found, found.cells) == 0


def test_cell_that_cannot_run_takes_its_idle_time_only():
    found = block(models=["opt-6.7b"], gpu="a100-40gb", measure={"idle_s": 0.5})
    assert busy_s(found, found.cells) > 0
    grid = {"input_tokens": [100000], "output_tokens": [64], "requests": [1]}
    too_long = block(
        models=["falcon-rw-7b"],
        gpu="a100-40gb",
        sweeps={"grid": grid},
        limits={"max_seq_len": 200000},
        measure={"idle_s": 0.5},
    )
    assert busy_s(too_long, too_long.cells) == pytest.approx(1.0)
