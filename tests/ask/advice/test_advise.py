"""Advice agrees with what else is asked of the simulator, and says no more than is known."""

import numpy as np
import pandas as pd
import pytest

import sweetspot
from sweetspot import published
from sweetspot.ask.advice.along import along
from sweetspot.ask.advice.levers import ALIKE, COSTS, SAVES, Levers, Tried
from sweetspot.ask.advice.own_fit import own_fit
from sweetspot.ask.advice.taken import take
from sweetspot.ask.lengths import Drawn, read_lengths
from sweetspot.ask.offered import Arrivals, Logged
from sweetspot.errors import InputError
from sweetspot.simulator.constants.intervals import of_ratio
from sweetspot.simulator.deployment.deployment import deploy
from sweetspot.simulator.schedule.requests import Lengths

MODEL, BOARD = "llama-3.1-8b", "h100-sxm"
SMALL = {"limits": {"max_batch_size": 64}}  # so that few requests fill a batch
WORK = {"input_tokens": 2048, "output_tokens": 256, **SMALL}


@pytest.fixture(scope="module")
def full():
    """Boards kept full."""
    return sweetspot.advise(MODEL, BOARD, **WORK, price_per_kwh=0.25, gco2_per_kwh=400, pue=1.2)


@pytest.fixture(scope="module")
def busy():
    """More than one board serves, with the levers that are quick."""
    return sweetspot.advise(MODEL, BOARD, **WORK, rate_per_s=14, other_gpus=[])


@pytest.fixture
def log(tmp_path):
    lines = [f"{k * 0.8},{900 + 40 * k},{60 + 5 * k}" for k in range(40)]
    (tmp_path / "log.csv").write_text("arrival_s,input_tokens,output_tokens\n" + "\n".join(lines))
    return tmp_path / "log.csv"


def alike(input_tokens, output_tokens, rate_per_s):
    lengths = Drawn(inputs=Lengths(mean=input_tokens), outputs=Lengths(mean=output_tokens))
    return Arrivals(rate_per_s=rate_per_s, lengths=lengths)


def test_requests_as_they_are_cost_what_the_curve_says_of_their_length(full):
    (total,) = full.totals()
    row = full.curve.set_index("output_tokens").loc[WORK["output_tokens"]]
    assert total["energy_per_token_j"] == pytest.approx(row["energy_per_token_j"], rel=1e-9)
    assert row["energy_per_request_j"] == pytest.approx(256 * row["energy_per_token_j"])
    assert row["energy_per_total_token_j"] * (2048 + 256) == pytest.approx(
        row["energy_per_request_j"]
    )


def test_the_sweet_spot_is_that_of_a_prediction_and_least_on_the_curve(full):
    spot = full.models[0].along
    ours = sweetspot.predict(MODEL, BOARD, 2048, 256, max_batch_size=64).sweet_spot
    assert ours.range2_low <= spot.sweet_spot_tokens <= ours.range2_high
    assert full.curve["above_least_percent"].min() == pytest.approx(0.0, abs=0.1)
    at, least = (
        next(row for row in spot.rows if row["output_tokens"] == length)["energy_per_token_j"]
        for length in (256, spot.sweet_spot_tokens)
    )
    assert spot.lost_per_request_j == pytest.approx(256 * (at - least))


def test_a_verdict_is_what_the_interval_allows(full, busy):
    for answer in (full, busy):
        rows = answer.levers[answer.levers["why_not"] == ""]
        assert len(rows) >= 5
        for row in rows.itertuples():
            low, high = row.saved_low_percent, row.saved_high_percent
            assert low < row.saved_percent < high
            assert row.verdict == (SAVES if low > 0 else COSTS if high < 0 else ALIKE)


def test_lengths_within_a_deployment_are_told_apart_better_than_boards(full):
    widths = {
        lever.name: lever.interval.factor for lever in full.models[0].levers if lever.interval
    }
    single = full.models[0].taken.interval.factor
    assert widths["truncate inputs to 1024"] < single < widths["on h200-sxm"]
    assert widths["FP8 weights"] > widths["on h200-sxm"]


def test_what_was_never_measured_is_said(full):
    evidence = full.levers.set_index("lever")["evidence"]
    assert evidence["limit outputs to 128"] == "published numbers"
    assert evidence["on a100-80gb"] == "data sheet"
    assert evidence["FP8 weights"] == evidence["power limit 490 W"] == "no measurement"
    assert any(
        "against no energy of quantized models or other power limits" in n for n in full.notes
    )


def test_money_and_emissions_are_of_the_sites_kwh(full):
    (total,) = full.totals()
    assert total["energy_kwh"] == pytest.approx(1.2 * total["energy_j"] / 3.6e6)
    for row in full.levers[full.levers["why_not"] == ""].itertuples():
        assert row.saved_cost == pytest.approx(0.25 * row.saved_energy_kwh)
        assert row.saved_gco2e == pytest.approx(400 * row.saved_energy_kwh)
        share = row.saved_energy_kwh / total["energy_kwh"]
        assert 100 * share == pytest.approx(row.saved_percent)


def test_a_rate_beyond_one_board_takes_as_many_as_keep_up(busy):
    (total,) = busy.totals()
    assert total["one_serves_per_s"] < 14 <= total["boards"] * total["one_serves_per_s"]
    assert total["requests_per_day"] == 14 * 86400
    assert total["energy_j"] == pytest.approx(total["mean_power_w"] * 86400, rel=0.05)  # as drawn
    assert any(note.startswith("overload: llama-3.1-8b gets 14 requests/s") for note in busy.notes)


def test_a_board_that_waits_is_paid_for():
    deployment = deploy(MODEL, BOARD)
    rare, often = (take(deployment, alike(2048, 256, rate)) for rate in (0.02, 1))
    assert rare.load.served.idle_share > 0.9
    assert rare.energy_per_request_j > 10 * often.energy_per_request_j
    assert rare.power_w > deployment.constants.board.active_power_w


def test_a_load_takes_what_choose_says_of_it():
    found = take(deploy(MODEL, BOARD), alike(2048, 256, 2))
    load = {"input_tokens": 2048, "output_tokens": 256, "rate_per_s": 2}
    (theirs,) = sweetspot.choose(MODEL, BOARD, **load).candidates
    assert found.energy_per_request_j == theirs.energy_per_request_j
    assert found.power_w == theirs.mean_power_w
    assert found.load.served.per_output_token.p95_s == theirs.tpot_p95_s


def test_a_lever_that_makes_no_sense_says_why_and_boards_can_share_a_model():
    found = sweetspot.advise(
        MODEL,
        "a100-80gb",
        input_tokens=2048,
        output_tokens=256,
        truncate_input=4096,
        limit_batch=1000,
        other_gpus=["l4", "2xl40s"],
    )
    assert found.levers.set_index("lever").loc["on 2xl40s", "boards"] == 2
    why = found.levers.set_index("lever")["why_not"]
    assert why["truncate inputs to 4096"] == "no input is longer"
    assert "at most either way" in why["max_batch_size 1000"]


def test_fp8_where_the_board_has_none_is_one_line_with_its_reason():
    levers = Levers(take(deploy(MODEL, "a100-80gb"), alike(64, 8, 0.05)), Tried())
    (step,) = (each for each in levers.steps() if each.name.startswith("FP8"))
    assert "a100-80gb has no FP8" in levers.pull(step).why_not


def test_a_power_limit_that_nothing_reaches_saves_nothing():
    slow = deploy("llama-3.2-1b", BOARD, engine="transformers")
    levers = Levers(take(slow, alike(64, 8, 0.05)), Tried(cap_power_w=600))
    (step,) = levers.steps()  # what is named, and nothing else
    assert levers.pull(step).why_not == "nothing draws as much"


def test_models_beside_each_other_have_levers_only_where_one_is_named():
    names = ["llama-3.2-1b", MODEL, "llama-3.2-1b"]
    plain = sweetspot.advise(names, BOARD, **WORK)
    assert plain.levers.empty
    assert [row["verdict"] for row in plain.totals()] == ["least energy", "more", ALIKE]
    assert list(plain.curve["model"].unique()) == names[:2]
    again = sweetspot.advise(names[:2], BOARD, **WORK, cap_power_w=400, other_gpus=[])
    assert list(again.levers["lever"]) == ["power limit 400 W"] * 2


def test_a_log_takes_what_cost_says_of_it(log):
    found = take(deploy(MODEL, BOARD), Logged(path=log, max_seq_len=8192))
    theirs = sweetspot.cost(log, MODEL, BOARD).total
    assert found.energy_per_request_j == pytest.approx(theirs["energy_per_request_j"])
    assert found.input_tokens == pytest.approx(theirs["input_tokens"] / theirs["requests"])


def test_a_histogram_is_the_table_that_it_counts(tmp_path):
    counted, listed = tmp_path / "counted.csv", tmp_path / "listed.csv"
    counted.write_text("input,output,count\n200,50,3\n1000,300,1\n")
    listed.write_text("input,output\n" + "200,50\n" * 3 + "1000,300\n")
    one, other = (
        take(
            deploy(MODEL, BOARD),
            Arrivals(rate_per_s=5, lengths=read_lengths(path, max_seq_len=8192)),
        )
        for path in (counted, listed)
    )
    assert one.lengths == other.lengths == (400, 112.5)
    assert one.energy_per_request_j == pytest.approx(other.energy_per_request_j, rel=0.02)


@pytest.fixture(scope="module")
def cells():
    """Cells of the paper's surface of the model, with 1 % noise."""
    found = published.surface_cells([MODEL])
    found = found[["model", "input_tokens", "output_tokens", "energy_per_token_j"]]
    noise = np.random.default_rng(0).normal(1, 0.01, len(found))
    return found.assign(energy_per_token_j=found["energy_per_token_j"] * noise)


def test_a_fit_of_ones_own_is_the_evidence_of_lengths_that_were_measured(cells):
    asked = {"truncate_input": 1024, "limit_output": 32}
    found = sweetspot.advise(MODEL, BOARD, **WORK, **asked, cells=cells)
    (total,) = found.totals()
    by_fit = sweetspot.fit(cells).predict(2048, 256)
    assert total["energy_per_token_j"] == pytest.approx(by_fit["energy_per_token_j"][0])
    assert total["evidence"] == "your fit"
    levers = found.levers.set_index("lever")
    truncated = sweetspot.fit(cells).predict(1024, 256)["energy_per_token_j"][0]
    saved = 100 * (1 - truncated / by_fit["energy_per_token_j"][0])
    assert levers.loc["truncate inputs to 1024", "saved_percent"] == pytest.approx(saved)
    assert levers.loc["truncate inputs to 1024", "evidence"] == "your fit"
    assert levers.loc["limit outputs to 32", "evidence"] == "published numbers"  # not measured
    eq6 = sweetspot.fit(cells).sweet_spot(2048)["estimated_output_tokens"][0]
    assert found.models[0].along.sweet_spot_tokens == round(eq6)
    assert not found.models[0].along.simulated


def noted(cells, **asked):
    found = sweetspot.advise(MODEL, BOARD, **WORK | asked, truncate_input=1024, cells=cells)
    return "; ".join(found.notes)


def test_cells_of_another_load_than_what_is_asked_about_are_said(cells):
    of_64 = cells.assign(requests=1000, max_batch_size=64)
    assert "requests at once" not in noted(of_64)
    assert "energy is of 64 requests at once" in noted(of_64, limits={"max_batch_size": 128})
    assert "energy is of 64 requests at once" in noted(of_64, limits={"max_batch_size": 32})
    assert "requests at once" not in noted(cells)  # no column says


def test_load_at_a_rate_is_said_to_be_simulated_and_doubts_of_the_fit_are_told(cells):
    found = noted(cells, rate_per_s=1)
    assert "energy of a request is simulated, without your cells" in found
    assert "energy of a request is simulated" not in noted(cells)
    assert "of that fit: no repeats" in found


def test_a_ratio_of_one_fit_is_surer_than_of_two(cells):
    own = own_fit(cells, deploy(MODEL, BOARD), alone=True)
    near, far = (2048, 256), (1900, 256)
    apart = own.interval_of_ratio(near, far).factor
    assert 1 < apart < of_ratio(own.interval(near), own.interval(far)).factor
    assert own.interval_of_ratio(near, near).factor == 1


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"input_tokens": 9000}, "are of 64 to 4096 input and 64 to 4096 output tokens"),
        ({"input_tokens": 64, "output_range": (64, 8000)}, "ask for lengths within"),
    ],
)
def test_nothing_is_taken_from_a_fit_beyond_its_cells(cells, asked, why):
    with pytest.raises(InputError, match=why):
        sweetspot.advise(MODEL, BOARD, **asked, cells=cells)


def test_cells_of_another_board_or_model_are_no_evidence(cells):
    for change, why in (
        ({"gpu": "l40s"}, r"of another GPU than h100-sxm \(l40s\)"),
        ({"gpu": "AMD Instinct MI300X"}, "of another GPU than h100-sxm"),  # not in the catalog
        ({"engine": "transformers"}, r"of another engine than tensorrt-llm \(transformers\)"),
        ({"simulated": True}, "simulated"),
    ):
        with pytest.raises(InputError, match=f"left out: {len(cells)} cells, {why}"):
            sweetspot.advise(MODEL, BOARD, **WORK, cells=cells.assign(**change))
    with pytest.raises(InputError, match=r"llama-3\.2-1b"):
        sweetspot.advise([MODEL, "llama-3.2-1b"], BOARD, **WORK, cells=cells)
    with pytest.raises(InputError, match="needs at least 7 cells"):
        sweetspot.advise(MODEL, BOARD, **WORK, cells=cells.head(4))


def test_cells_of_another_board_among_ones_own_are_left_out_and_said(cells):
    strange = cells.head(9).assign(gpu="l40s", energy_per_token_j=9.0)
    mixed = pd.concat([cells.assign(gpu=BOARD), strange])
    found = sweetspot.advise(MODEL, BOARD, **WORK, truncate_input=1024, cells=mixed)
    (total,) = found.totals()
    by_fit = sweetspot.fit(cells).predict(2048, 256)
    assert total["energy_per_token_j"] == pytest.approx(by_fit["energy_per_token_j"][0])
    assert "left out: 9 cells, of another GPU than h100-sxm (l40s)" in found.notes


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("1.5,3,1", "whole numbers"),
        (",3,1", "must be numbers"),
        ("5,3,-1", "at least 0"),
        ("200000,3,1", "more than 131072 tokens"),
    ],
)
def test_a_bad_line_of_lengths_is_quoted(tmp_path, line, why):
    path = tmp_path / "lengths.csv"
    path.write_text(f"input,output,count\n10,10,1\n{line}\n")
    with pytest.raises(InputError, match=f"line 3: .*{why}"):
        sweetspot.advise(MODEL, BOARD, lengths=path)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({}, "none was"),
        ({"input_tokens": 5, "lengths": "x.csv"}, "input_tokens and lengths"),
        ({"trace": "x.csv", "rate_per_s": 3}, "times of its own"),
        ({"lengths": "x.csv", "output_tokens": 3}, "leave out output_tokens"),
        ({"input_tokens": 5, "rate_per_s": -1}, "above 0"),
        ({"input_tokens": 5, "output_range": (9, 4)}, "output_range must be"),
        ({"input_tokens": 5, "output_range": (9, 10**6)}, "end it there"),
        ({"input_tokens": 5, "truncate_input": 0}, "positive integer"),
        ({"input_tokens": 5, "pue": 0.5}, "pue"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(asked, why):
    with pytest.raises(InputError, match=why):
        sweetspot.advise(MODEL, BOARD, **asked)


def test_a_range_of_outputs_is_looked_at_from_end_to_end():
    rows = along(deploy(MODEL, BOARD), 512, (10, 3000), None).rows
    assert (rows[0]["output_tokens"], rows[-1]["output_tokens"]) == (10, 3000)
    assert len(rows) == 13  # with the sweet spot


@pytest.mark.parametrize(
    ("name", "why"),
    [("h900", "unknown GPU 'h900'"), ("0xl40s", "from 1 to 8 boards"), ("9xl40s", "not 9")],
)
def test_board_that_cannot_be_is_refused_before_anything_is_simulated(name, why):
    with pytest.raises(InputError, match=why):
        sweetspot.advise("llama-3.1-8b", "h100-sxm", input_tokens=512, other_gpus=[name])


def test_rates_in_another_unit_are_doubted():
    """As in a log; the named lever is the only one that is tried."""
    found = sweetspot.advise(
        MODEL, BOARD, **WORK, output_range=(256, 512), limit_batch=32, gco2_per_kwh=0.38, pue=120
    )
    assert len([each for each in found.notes if "give g, not kg" in each or "120" in each]) == 2
