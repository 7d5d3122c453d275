"""Grids are what the questions answer, cell by cell."""

import pytest

from sweetspot import Request, predict
from sweetspot.ask.load import simulate_deployed
from sweetspot.catalog import load_model
from sweetspot.explorer.grid import Axes, at_a_rate, at_once, rounded
from sweetspot.simulator.deployment.deployment import asked_limits, deploy

MODEL = load_model("llama-3.2-1b")
AXES = Axes((64, 1024), (32, 256, 2048))


def deployed(engine=None, **limits):
    return deploy(MODEL, "h100-sxm", limits=asked_limits(MODEL, **limits), engine=engine)


def test_grid_of_requests_at_once_is_what_predict_says():
    grid = at_once(deployed(max_batch_size=256), 300, AXES, searched=[64])
    for row, inputs in enumerate(AXES.input_tokens):
        for column, outputs in enumerate(AXES.output_tokens):
            said = predict(MODEL.id, "h100-sxm", inputs, outputs, 300, max_batch_size=256)
            for name in ("energy_per_token_j", "mean_power_w", "throughput_tokens_per_s"):
                assert grid[name][row][column] == rounded(getattr(said, name))
    spot = predict(MODEL.id, "h100-sxm", 64, 32, 300, max_batch_size=256).sweet_spot
    found, unasked = grid["sweet_spots"]
    assert unasked is None
    assert (found["output_tokens"], found["low"], found["high"], found["at_bound"]) == (
        *(spot.output_tokens, spot.range2_low, spot.range2_high, spot.at_bound),
    )
    assert found["energy_per_token_j"] == rounded(1 / spot.tokens_per_j)
    assert (grid["load"], grid["max_batch_size"], grid["weights"]) == (
        {"requests": 300},
        256,
        "model",
    )
    assert grid["energy_factor"] == rounded(said.energy_per_token_high_j / said.energy_per_token_j)
    assert grid["energy_interval"].startswith("within a factor of 1.10 (90 %, 13 models): 637 cel")
    assert grid["source"] == f"{said.calibration} ({said.calibration_level})"


def test_grid_has_nothing_where_no_sequence_is_so_long():
    grid = at_once(deployed(max_seq_len=2048), 10, AXES, searched=AXES.input_tokens)
    known = [[cell is not None for cell in row] for row in grid["energy_per_token_j"]]
    assert known == [[True, True, False], [True, True, False]]
    assert at_once(deployed(max_seq_len=1000), 10, AXES, searched=[1024])["sweet_spots"][1] is None


def test_grid_as_measured_has_the_end_of_the_benchmarks_window():
    served = deployed()
    alone, measured = (at_once(served, 10, AXES, as_measured=each) for each in (False, True))
    assert alone["energy_per_token_j"][0][0] < measured["energy_per_token_j"][0][0]
    assert alone["throughput_tokens_per_s"][0][0] > measured["throughput_tokens_per_s"][0][0]


def test_grid_of_a_rate_is_the_steady_state_of_such_requests():
    served = deployed(max_batch_size=64)
    grid = at_a_rate(served, 8, Axes((64,), (32, 256)))
    assert (grid["load"], grid["input_tokens"], grid["output_tokens"]) == (
        {"rate": 8},
        (64,),
        (32, 256),
    )
    evenly = [Request(number / 8, 64, 256) for number in range(300)]
    expected = simulate_deployed(served, evenly).served
    assert grid["throughput_tokens_per_s"][0][1] == pytest.approx(8 * 256, rel=0.1)
    assert grid["energy_per_token_j"][0][1] == pytest.approx(
        expected.steady.energy_per_token_j, rel=0.05
    )
    assert grid["tpot_p95_s"][0][1] == pytest.approx(expected.per_output_token.p95_s, rel=0.3)
    assert grid["ttft_p95_s"][0][1] >= expected.first_token.p50_s


def test_grid_of_a_rate_has_nothing_where_more_comes_than_is_served():
    grid = at_a_rate(deployed(max_batch_size=4), 20, Axes((64,), (16, 512)))
    served, overloaded = grid["energy_per_token_j"][0]
    assert served is not None
    assert overloaded is None
    assert grid["ttft_p95_s"][0][1] is None


def test_grid_of_a_rate_takes_static_batches():
    static = at_a_rate(deployed(engine="transformers", max_batch_size=32), 1, Axes((64,), (32,)))
    assert static["energy_per_token_j"][0][0] > 0
