"""A server's load from Python: what the answer names, and refusals."""

import numpy as np
import pytest

from sweetspot.ask.load import simulate_load
from sweetspot.config import GpuSettings, Limits, Traits
from sweetspot.errors import EngineError, InputError
from sweetspot.simulator.schedule.requests import Lengths, Request, generated

LLAMA = ("llama-3.1-8b", "h100-sxm")


def load(n=300, rate_per_s=20.0, mean=300):
    lengths = Lengths(mean=mean, stdev=mean / 2, shape="lognormal")
    return generated(n, lengths, lengths, max_seq_len=8192, rate_per_s=rate_per_s)


def test_answer_names_calibration_and_what_ran():
    found = simulate_load(*LLAMA, load(), scheduling="max-utilization", chunked_prefill=False)
    assert (found.deployment.model.id, found.deployment.gpu.id) == LLAMA
    assert found.deployment.calibration.engine == "tensorrt-llm"
    assert found.deployment.calibration.level == "published numbers"
    assert (found.scheduling, found.chunked_prefill) == ("max-utilization", False)
    assert found.deployment.limits == Limits(max_seq_len=131072)  # all that the model holds
    assert found.simulated
    assert not found.beyond_native_context
    assert found.served.power is None


def test_answer_says_how_sure_it_is():
    found = simulate_load(*LLAMA, load())
    assert found.energy_per_token_low_j < found.served.energy_per_token_j
    assert found.served.energy_per_token_j < found.energy_per_token_high_j
    assert (found.interval_level, found.interval_models) == (0.9, 13)
    assert "Table 5" in found.interval_rests_on


def test_windows_that_an_engine_ignores_are_counted_in_its_cache():
    """A layer of Gemma 2 of every two looks back 4096 tokens; the mean request has 6144."""
    requests = [Request(0.0, 4000, 96), Request(0.0, 8000, 192)]
    short, both = requests[:1], requests
    for traits, asked, times in (
        (None, both, 6144 / ((6144 + 4096) / 2)),
        (Traits(sliding_windows=True), both, None),
        (None, short, None),
    ):
        found = simulate_load("gemma-2-2b", "h100-sxm", asked, traits=traits)
        assert found.cache_without_windows == (times and pytest.approx(times))
    assert simulate_load("llama-3.1-8b", "h100-sxm", both).cache_without_windows is None


def test_other_board_is_at_the_level_of_its_data_sheet():
    assert (
        simulate_load("llama-3.1-8b", "l40s", load(20)).deployment.calibration.level == "data sheet"
    )


def test_static_batching_waits_for_the_longest():
    limits = Limits(max_batch_size=16, max_num_tokens=65536)
    flexible = simulate_load(*LLAMA, load(), limits=limits).served
    static = simulate_load(*LLAMA, load(), limits=limits, scheduling="static")
    assert not static.chunked_prefill
    assert static.served.end_to_end.mean_s > flexible.end_to_end.mean_s
    assert static.served.energy_per_token_j > flexible.energy_per_token_j


def test_max_utilization_fills_a_short_cache():
    """With little memory it runs larger batches, and pays for that with pauses."""
    limits = Limits(kv_cache_memory_fraction=0.05)
    requests = list(load(rate_per_s=200.0))
    careful, greedy = (
        simulate_load(*LLAMA, requests, limits=limits, scheduling=scheduling).served
        for scheduling in ("guaranteed-no-evict", "max-utilization")
    )
    assert careful.pauses == 0
    assert greedy.pauses > 0
    assert greedy.max_batch > careful.max_batch
    assert greedy.output_tokens == careful.output_tokens


def test_windows_and_graphs_are_those_asked_for():
    requests = [Request(0.05 * i, 5000 + 10 * i, 300) for i in range(60)]
    limits = Limits(max_batch_size=48)
    plain, windows, graphs = (
        simulate_load("gemma-2-9b", "h100-sxm", requests, limits=limits, traits=traits)
        for traits in (None, Traits(sliding_windows=True), Traits(cuda_graphs="vllm"))
    )
    assert windows.served.energy_j < plain.served.energy_j < graphs.served.energy_j
    assert plain.deployment.traits == Traits()
    assert windows.deployment.traits.sliding_windows
    assert graphs.deployment.traits.cuda_graphs == "vllm"
    asked = simulate_load(*LLAMA, load(20), traits=Traits(sliding_windows=True))
    assert asked.deployment.traits == Traits()
    assert asked.served == simulate_load(*LLAMA, load(20)).served


@pytest.mark.parametrize("scheduling", ["guaranteed-no-evict", "max-utilization", "static"])
def test_window_beyond_all_requests_changes_nothing(scheduling):
    lengths = Lengths(mean=900, stdev=600, shape="lognormal")
    # a padded batch has the longest prompt and the longest answer: no more than 4096 tokens
    requests = list(generated(200, lengths, lengths, max_seq_len=2048, rate_per_s=20.0))
    limits = Limits(kv_cache_memory_fraction=0.1)
    plain, windows = (
        simulate_load(
            "gemma-2-2b", "h100-sxm", requests, limits=limits, scheduling=scheduling, traits=traits
        ).served
        for traits in (None, Traits(sliding_windows=True))
    )
    assert windows.energy_j == pytest.approx(plain.energy_j, rel=1e-12)
    assert (windows.iterations, windows.pauses) == (plain.iterations, plain.pauses)


def test_long_sequence_is_said():
    found = simulate_load("opt-1.3b", "h100-sxm", [Request(0, 2000, 100)])
    assert found.beyond_native_context


@pytest.mark.parametrize(
    ("limits", "requests", "error", "message"),
    [
        (Limits(max_seq_len=9000), [Request(0, 1, 1)], InputError, "max_seq_len 9000 is more"),
        (Limits(), [Request(0, 1, 1), Request(0, 8000, 193)], InputError, "request 2 of 8000"),
        (
            Limits(kv_cache_memory_fraction=0.001),
            [Request(0, 4000, 4000)],
            EngineError,
            "request 1 of 4000 .4000 tokens does not fit",
        ),
        (Limits(), [Request(0, 8, 8.5)], InputError, "request 1: output_tokens must be a pos"),
        (Limits(), [Request(float("inf"), 8, 8)], InputError, "request 1: arrival_s must be fin"),
    ],
)
def test_impossible_load_is_refused(limits, requests, error, message):
    with pytest.raises(error, match=message.replace(" .", r" \+ ")):
        simulate_load("opt-1.3b", "h100-sxm", requests, limits=limits)


@pytest.mark.parametrize("arrival_s", [None, "3", np.bool_(True), 10**400, float("nan")])
def test_arrival_that_is_no_number_is_refused(arrival_s):
    with pytest.raises(InputError, match=r"request 1: arrival_s must be (a number|finite), not"):
        simulate_load("llama-3.1-8b", "h100-sxm", [Request(arrival_s, 10, 10)])


def test_small_integers_of_numpy_do_not_overflow():
    own, numpys = (
        simulate_load("opt-1.3b", "h100-sxm", [Request(0, kind(200), kind(100))] * 3)
        for kind in (int, np.uint8)
    )
    assert numpys.served.energy_j == own.served.energy_j


def test_unknown_scheduling_is_answered_with_the_known():
    with pytest.raises(InputError, match="unknown scheduling 'statik'; did you mean 'static'"):
        simulate_load("opt-1.3b", "h100-sxm", [Request(0, 8, 8)], scheduling="statik")


def test_engine_says_who_runs_when_unless_somebody_does():
    static = simulate_load(*LLAMA, load(20), engine="transformers")
    assert (static.scheduling, static.chunked_prefill) == ("static", False)
    assert static.deployment.traits.static_batching
    assert static.served.host_bound_share > 0.5
    asked = simulate_load(*LLAMA, load(20), engine="transformers", scheduling="max-utilization")
    assert asked.scheduling == "max-utilization"
    assert not asked.deployment.traits.static_batching
    assert asked.deployment.calibration.engine == "transformers"


def test_settings_of_the_board_reach_the_answer():
    found, full = (
        simulate_load(*LLAMA, load(100, 50.0), gpu_settings=settings)
        for settings in (GpuSettings(power_limit_w=400, clock_mhz=1500), None)
    )
    assert found.mean_clock_mhz <= 1500 < full.mean_clock_mhz <= 1980
    assert found.served.mean_power_w <= 400 < full.served.mean_power_w
