"""Names that people and tools give to columns, and what they are taken for."""

import pytest

from sweetspot.cells.columns import CANONICAL, recognise


@pytest.mark.parametrize(
    ("names", "quantity", "factor"),
    [
        ("prompt_tokens|Prompt tokens|promptTokens|ISL|n_prompt|Input Length", "input_tokens", 1),
        ("Input Sequence Length (tokens)|input len|random_input_len|I", "input_tokens", 1),
        ("completion_tokens|Output Length|OSL|n_gen|max_new_tokens|O", "output_tokens", 1),
        ("num_prompts|Request Count (count)|n_requests|completed|N", "requests", 1),
        ("batch_size|max_num_seqs|Max batch size|max_concurrency", "max_batch_size", 1),
        (
            "J/token|Energy [J/token]|joules_per_token|J/tok|energy_per_token",
            "energy_per_token_j",
            1,
        ),
        ("Energy per output token (J)|energy_per_generated_token_j", "energy_per_token_j", 1),
        ("mJ/token|Energy per token [mJ]|energy_per_token_mj", "energy_per_token_j", 1e-3),
        ("J per 1k tokens|J/1,000 tokens", "energy_per_token_j", 1e-3),
        ("energy per 1M tokens (kWh)", "energy_per_token_j", 3.6),
        ("energy per token, µJ|energy_per_token_uj", "energy_per_token_j", 1e-6),
        ("tokens/J|tok/s/W|Energy efficiency (tokens/J)", "tokens_per_j", 1),
        ("tokens per kWh", "tokens_per_j", 1 / 3.6e6),
        ("Wh/query|energy per request (Wh)", "energy_per_request_j", 3600),
        ("energy|Joules|GPU Energy (J)|total_energy_j", "energy_j", 1),
        ("energy (Wh)|energyWh|watt hours|Energy in Wh", "energy_j", 3600),
        ("energy_kwh|kWh|Kilowatt-hours", "energy_j", 3.6e6),
        ("energy_mj|ENERGY_MJ", "energy_j", 1e-3),
        ("Energy (MJ)", "energy_j", 1e6),
        ("avg power [W]|power.draw [W]|gpu_power|Mean power", "mean_power_w", 1),
        ("power_mw|Power (mW)", "mean_power_w", 1e-3),
        ("avg_power_kw", "mean_power_w", 1e3),
        ("duration|elapsed_time|runtime_s|Wall time (s)|latency", "duration_s", 1),
        ("latency_ms|mean_e2el_ms|latencyMs", "duration_s", 1e-3),
        ("Time (min)|duration_min", "duration_s", 60),
        ("output_throughput|Output tokens per second", "throughput_tokens_per_s", 1),
        ("model_id|Model Name|LLM", "model", 1),
        ("total_output_tokens", "total_output_tokens", 1),
    ],
)
def test_name_is_recognised_with_its_unit(names, quantity, factor):
    for name in names.split("|"):
        match = recognise(name)
        assert match is not None, name
        assert (name, match.quantity) == (name, quantity)
        assert match.factor == pytest.approx(factor, rel=1e-12), name


@pytest.mark.parametrize(
    "names",
    [
        "ttft_ms|Time to first token (ms)|p99_latency_ms|timestamp|mean_itl_ms",
        "total_tokens|request_throughput|total_token_throughput|Requests/s|energy per input token",
        "power_limit_w|max_power_w|idle_power_w|cpu_energy_j|energy (cal)|temperature_c|foo",
        "energy_counter_j|energy_gap|window_s|energy_per_token_low_j|largest_gap_s|passes",
    ],
)
def test_name_of_something_else_is_not(names):
    assert [name for name in names.split("|") if recognise(name)] == []


def test_our_own_names_go_before_all_others():
    assert {name: recognise(name).rank for name in CANONICAL} == dict.fromkeys(CANONICAL, 0)
