"""What a log costs: hours add up to the load, idle time included; rates are the user's own."""

import json
from dataclasses import replace

import pandas as pd
import pytest

import sweetspot
from sweetspot.catalog.parts import StateLayers
from sweetspot.errors import InputError

ANSWERED_BY = ("llama-3.1-8b", "h100-sxm")
RATES = {"price_per_kwh": 0.25, "gco2_per_kwh": 380.0, "pue": 1.2}


@pytest.fixture
def log(tmp_path):
    """A log of three hours, with nothing to do in the middle one."""
    path = tmp_path / "log.csv"
    path.write_text(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:59:59.5000000,500,400\n"  # lasts into the next hour
        "2023-11-16 18:59:59.9000000,100,300\n"
        "2023-11-16 20:30:00.0000000,381,84\n"
    )
    return path


def test_hours_add_up_to_the_load(log):
    found = sweetspot.cost(log, *ANSWERED_BY)
    served, hours, total = found.load.served, found.by_hour, found.in_all.iloc[0]
    assert list(hours["hour"]) == list(pd.date_range("2023-11-16T18:00Z", periods=3, freq="h"))
    assert list(hours["requests"]) == [2, 0, 1]
    assert list(hours["input_tokens"]) == [600, 0, 381]
    assert 0 < hours["output_tokens"][0] < 200  # the rest is generated after 19:00
    for name in ("requests", "input_tokens", "output_tokens", "idle_s"):
        assert hours[name].sum() == pytest.approx(getattr(served, name)), name
    for name in ("energy_j", "idle_energy_j", "energy_low_j", "energy_high_j", "energy_kwh"):
        assert hours[name].sum() == pytest.approx(total[name]), name
    assert total["energy_j"] == served.energy_j > served.idle_energy_j > 0.9 * served.energy_j
    assert hours["energy_j"][1] == pytest.approx(3600 * hours["mean_power_w"][1])
    low_j = found.load.energy_per_token_low_j * served.output_tokens
    assert total["energy_low_j"] == pytest.approx(low_j)


def test_power_and_batch_over_time_are_those_of_the_load(log):
    found = sweetspot.cost(log, *ANSWERED_BY)
    table, served = found.over_time, found.load.served
    lasts_s = table["end_s"] - table["begin_s"]
    assert (table["mean_power_w"] * lasts_s).sum() == pytest.approx(served.energy_j)
    busy_s = served.duration_s - served.idle_s
    assert (table["mean_batch"] * lasts_s).sum() == pytest.approx(served.mean_batch * busy_s)


def test_money_and_co2_are_of_the_users_rates(log):
    plain, priced = (sweetspot.cost(log, *ANSWERED_BY, **rates).total for rates in ({}, RATES))
    assert "cost" not in plain
    assert "gco2e" not in plain
    assert plain["energy_kwh"] == plain["energy_j"] / 3.6e6
    assert priced["energy_j"] == plain["energy_j"]
    assert priced["energy_kwh"] == pytest.approx(1.2 * plain["energy_kwh"])
    assert priced["cost"] == pytest.approx(0.25 * priced["energy_kwh"])
    assert priced["gco2e"] == pytest.approx(380 * priced["energy_kwh"])


def test_hours_of_a_log_without_dates_count_from_its_begin(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("arrival_s,input_tokens,output_tokens\n3500,10,10\n7200,10,10\n")
    assert [row["hour"] for row in sweetspot.cost(path, *ANSWERED_BY).hours] == [0, 1]


def test_request_beyond_the_kv_cache_is_left_out(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("arrival_s,input_tokens,output_tokens\n0,100,10\n1,100000,10\n2,100,10\n")
    limits = sweetspot.Limits(kv_cache_memory_fraction=0.05, max_seq_len=131072)
    found = sweetspot.cost(path, *ANSWERED_BY, limits=limits)
    assert found.load.served.requests == 2
    (note,) = (each for each in found.notes if "left out" in each)
    assert "(all that the KV cache holds; more boards or FP8 hold more)" in note
    assert "the longest has 100010" in note


def test_prompt_that_is_not_cut_and_too_long_is_left_out(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("arrival_s,input_tokens,output_tokens\n0,100,10\n1,9000,10\n")
    found = sweetspot.cost(path, *ANSWERED_BY, engine="transformers")
    assert found.load.served.requests == 1
    assert "left out: 1 with a prompt of more than 8192 tokens" in "\n".join(found.notes)
    found = sweetspot.cost(path, *ANSWERED_BY, scheduling="max-utilization", chunked_prefill=False)
    assert found.load.served.requests == 1


def test_prefix_cache_spares_prompts_and_says_how_much(tmp_path):
    path = tmp_path / "log.jsonl"
    line = {"input_length": 2048, "output_length": 9}
    rows = [line | {"timestamp": 900 * n, "hash_ids": [0, 1, 2, 9 + n]} for n in range(11)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    off, on = (sweetspot.cost(path, *ANSWERED_BY, prefix_cache=cache) for cache in (False, True))
    assert on.total["cached_tokens"] == 10 * 3 * 512
    assert on.total["prefix_hit_rate"] == on.load.prefix_hit_rate == 10 * 3 * 512 / (11 * 2048)
    assert on.total["energy_j"] < off.total["energy_j"]
    assert on.load.served.first_token.mean_s < off.load.served.first_token.mean_s
    assert "prefix_hit_rate" not in off.total
    assert off.load.prefix_hit_rate is None


def test_prefix_cache_is_refused_where_none_is(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("in,out,cached_tokens\n100,10,64\n")
    for how in ({"scheduling": "static"}, {"engine": "transformers"}):
        with pytest.raises(InputError, match="static batching keeps nothing of earlier prompts"):
            sweetspot.cost(path, *ANSWERED_BY, prefix_cache=True, **how)
    state = StateLayers(layers=3, heads=8, head_dim=64, state=128, groups=1, kernel=4, chunk=256)
    hybrid = replace(sweetspot.load_model("llama-3.1-8b"), state=state)
    with pytest.raises(InputError, match="has layers with a state"):
        sweetspot.cost(path, hybrid, "h100-sxm", prefix_cache=True)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"pue": 0.9}, "pue must be a number of at least 1, not 0.9"),
        ({"price_per_kwh": -1.0}, "price_per_kwh must be a number of at least 0, not -1.0"),
        ({"gco2_per_kwh": float("nan")}, "gco2_per_kwh must be a number of at least 0, not nan"),
    ],
)
def test_rates_that_cannot_be_are_refused(log, rates, message):
    with pytest.raises(InputError, match=message):
        sweetspot.cost(log, *ANSWERED_BY, **rates)
