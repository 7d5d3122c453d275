"""The time box: never overrun, filled as far as cells allow, gone on with from where it ended."""

import logging
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from sweetspot.campaign.blocks import measure_blocks
from sweetspot.campaign.logbook import Call
from sweetspot.campaign.slot import GRACE_S, Progress
from sweetspot.campaign.time_box import OutOfTimeError
from sweetspot.config.experiment import PAPER_LENGTHS
from sweetspot.errors import EngineError
from sweetspot.plan.busy import run_s

CELLS = 25
FULL = "no other cell fits into the time that is left"
ALL = "all cells are measured"


def run(case, minutes, remeasure="nothing"):
    """Run one call; return why it ended and how many seconds of its time it left or overran."""
    box = case.box(minutes)
    return measure_blocks(case.campaign, box, Progress(), remeasure), box.left_s


def statuses(case):
    return [r.status for block in case.campaign.blocks for r in case.campaign.measured(block)]


def test_whole_grid_is_measured_where_time_allows_with_one_load(set_up):
    case = set_up()
    ended, left_s = run(case, 300)
    (engine,) = case.engines
    assert (ended, engine.loads, engine.closed) == (ALL, 1, 1)
    assert case.campaign.logbook.requests == {"llama-3.2-1b/b1024": 1000}
    assert left_s > 0
    # the centre at the smallest N showed that the largest fits
    assert engine.ran[:2] == [(50, 512, 512), (1000, 512, 512)]
    assert len(engine.ran) == 1 + CELLS


@pytest.mark.parametrize("minutes", [3, 5, 10, 25, 60])
@pytest.mark.parametrize("slowness", [0.7, 4.0])
def test_box_is_kept_and_filled_in_the_order_of_information(set_up, minutes, slowness):
    case = set_up(slower=lambda _: slowness)
    ended, left_s = run(case, minutes)
    (engine,) = case.engines
    assert left_s >= 0
    (block,) = case.campaign.blocks
    requests = case.campaign.logbook.requests[block.id]
    order = [
        (c.requests, c.input_tokens, c.output_tokens)
        for c in case.campaign.design.grid(block, requests)
    ]
    measured = [cell for cell in engine.ran if cell[0] == requests]
    assert sorted(measured, key=order.index) == measured or ended == FULL
    if ended == FULL:
        assert len(measured) < CELLS
        assert left_s < 60  # no more than the shortest cell with its margins and the closing


def test_n_is_as_large_as_the_time_allows(set_up):
    chosen = []
    for minutes in (6, 12, 20, 300):
        case = set_up(slower=lambda _: 1.0, folder=set_up().campaign.folder / str(minutes))
        run(case, minutes)
        (requests,) = case.campaign.logbook.requests.values()
        chosen.append(requests)
    assert chosen == sorted(chosen)
    assert (chosen[0], chosen[-1]) == (50, 1000)
    assert len(set(chosen)) > 2


def test_next_call_keeps_n_and_goes_on_where_the_last_ended(set_up):
    first = set_up()
    assert run(first, 6)[0] == FULL
    before = set(first.engines[0].ran)
    second = set_up()
    assert second.campaign.logbook.requests == first.campaign.logbook.requests
    assert run(second, 300)[0] == ALL
    assert not before & set(second.engines[0].ran)
    assert len(before) + len(second.engines[0].ran) in (
        CELLS,
        CELLS + 1,
    )  # and perhaps another centre
    third = set_up()
    assert run(third, 25) == (ALL, 25 * 60)
    assert third.engines == []


@pytest.mark.parametrize("minutes", [6, 12, 25])
def test_cell_that_takes_longer_than_expected_overruns_by_that_only(set_up, minutes):
    case = set_up(slower=lambda c: 2.0 if c.output_tokens < 4096 else 8.0)
    _, left_s = run(case, minutes)
    (block,), (engine,) = case.campaign.blocks, case.engines
    lengths = {(c.requests, c.input_tokens, c.output_tokens): c for c in block.cells}
    last = lengths[engine.ran[-1]]
    assert -left_s < 6 * run_s(block, [last])[last]


def test_each_model_gets_its_share_and_what_others_leave(set_up):
    models = ["llama-3.2-1b", "qwen2-1.5b"]
    case = set_up(models=models, slower=lambda _: 3.0)
    ended, left_s = run(case, 10)
    assert ended == FULL
    assert left_s >= 0
    first, second = (len(list(case.campaign.measured(block))) for block in case.campaign.blocks)
    assert min(first, second) > 5
    assert abs(first - second) < 5
    assert [engine.closed for engine in case.engines] == [engine.loads for engine in case.engines]


def test_failed_cells_are_kept_and_measured_again_on_demand(set_up):
    corner = {(50, 64, 64): EngineError("out of memory")}
    sweeps = {"grid": {"input_tokens": [64, 512], "output_tokens": [64, 512], "requests": [50]}}
    case = set_up(faults=corner, sweeps=sweeps)
    assert run(case, 60)[0] == ALL
    assert sorted(statuses(case)) == ["failed", "ok", "ok", "ok"]
    again = set_up(sweeps=sweeps)
    assert run(again, 60)[0] == ALL
    assert again.engines == []
    retried = set_up(sweeps=sweeps)
    assert run(retried, 60, "failed")[0] == ALL
    assert retried.engines[0].ran == [(50, 64, 64)]
    assert statuses(retried) == ["ok"] * 4


def test_cell_that_fails_again_is_tried_once_a_call(set_up):
    sweeps = {"grid": {"input_tokens": [64, 512], "output_tokens": [64, 512], "requests": [50]}}
    faults = {(50, 64, 64): EngineError("out of memory")}
    run(set_up(faults=faults, sweeps=sweeps), 60)
    case = set_up(faults=faults, sweeps=sweeps)
    assert run(case, 60, "failed")[0] == ALL
    assert case.engines[0].ran == [(50, 64, 64)]


def test_n_whose_centre_fails_is_not_chosen(set_up):
    too_many = {(n, 512, 512): EngineError("out of memory") for n in (500, 1000)}
    case = set_up(faults=too_many)
    assert run(case, 300)[0] == ALL
    assert list(case.campaign.logbook.requests.values()) == [200]


def test_model_that_cannot_be_loaded_is_given_up_and_the_others_are_measured(set_up, caplog):
    def faults(block):
        return EngineError("no such layer") if "qwen" in block.id else {}

    case = set_up(models=["qwen2-1.5b", "llama-3.2-1b"], faults=faults)
    with caplog.at_level(logging.WARNING):
        ended, _ = run(case, 600)
    assert ended == "qwen2-1.5b/b1024 cannot be measured: no such layer"
    assert ended in caplog.text
    assert len(statuses(case)) >= CELLS
    assert len(case.engines) == 2


def test_interrupted_call_leaves_its_finished_cells(set_up):
    case = set_up(faults={(1000, 512, 64): KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        run(case, 300)
    assert case.engines[0].closed == 1
    done = len(statuses(case))
    assert 1 < done < 6
    again = set_up()
    run(again, 300)
    assert len(statuses(again)) == done + len(again.engines[0].ran)


def test_hang_costs_a_part_of_the_time_only(set_up):
    case = set_up(models=["llama-3.2-1b", "qwen2-1.5b"])
    run(case, 60)
    assert case.engines[0].timeout_s <= 60 * 60 / 4
    case = set_up(folder=case.campaign.folder / "short", node={"timeout_s": 120})
    run(case, 10)
    assert case.engines[0].timeout_s == 120


BATCH = {"input_tokens": [512], "output_tokens": [256], "requests": [8, 32, 128]}


def test_cells_of_further_sweeps_are_measured_as_stated_before_the_grid(set_up):
    sweeps = {"grid": {"input_tokens": [64, 512], "output_tokens": [64], "requests": [50, 32]}}
    case = set_up(sweeps=sweeps | {"batch": BATCH})
    assert run(case, 300)[0] == ALL
    (engine,) = case.engines
    assert engine.loads == 1
    assert sorted(engine.ran[:3]) == [(8, 512, 256), (32, 512, 256), (128, 512, 256)]
    (requests,) = case.campaign.logbook.requests.values()
    assert requests == 50
    grid = {(requests, i, 64) for i in (64, 512)}
    assert grid <= set(engine.ran[3:]) <= grid | {(32, 64, 64), (32, 512, 64)}


def test_grid_comes_before_cells_of_further_sweeps_that_leave_it_no_time(set_up):
    lengths = {"input_tokens": [64, 512], "output_tokens": [64, 256, 1024], "requests": [50]}
    large = {"input_tokens": [1024], "output_tokens": [1024], "requests": [100, 400, 800, 1000]}
    case = set_up(sweeps={"grid": lengths, "large": large})
    assert run(case, 4)[0] == FULL
    (engine,) = case.engines
    grid = {(50, i, o) for i in (64, 512) for o in (64, 256, 1024)}
    assert grid <= set(engine.ran)
    assert 0 < len(set(engine.ran) - grid) < 4  # those that fit, also afterwards
    assert run(case, 30)[0] == ALL


def test_later_call_fills_its_time_though_what_is_still_asked_for_does_not_fit(set_up):
    lengths = {"input_tokens": [64, 512], "output_tokens": [64, 256], "requests": [50]}
    long = {"input_tokens": [4096], "output_tokens": [4096], "requests": [1000]}
    case = set_up(
        models=["llama-3.2-1b", "qwen2-1.5b"],
        sweeps={
            "grid": lengths | {"models": ["llama-3.2-1b"]},
            "long": long | {"models": ["qwen2-1.5b"]},
        },
        measure={"idle_s": 0, "repeats": 50},
    )
    assert run(case, 5)[0] == FULL
    before = len(statuses(case))
    assert before >= 4
    ended, left_s = run(case, 5)
    assert ended == FULL
    assert len(statuses(case)) > before
    assert left_s < 60


def test_block_of_a_further_sweep_alone_has_no_grid(set_up):
    sweeps = {"grid": {"input_tokens": [64], "output_tokens": [64], "requests": [50]}}
    batch = BATCH | {"max_batch_size": [16]}
    case = set_up(sweeps=sweeps | {"batch": batch})
    assert run(case, 300)[0] == ALL
    assert [sorted(engine.ran) for engine in case.engines] == [
        [(8, 512, 256), (32, 512, 256), (128, 512, 256)],
        [(50, 64, 64)],
    ]
    assert list(case.campaign.logbook.requests) == ["llama-3.2-1b/b1024"]


def test_no_time_at_all_loads_nothing(set_up):
    case = set_up()
    assert run(case, 1) == (FULL, 60)
    assert case.engines[0].loads == 0
    assert case.campaign.logbook.requests == {}


def test_windows_are_noted_on_the_clock_of_their_traces(set_up):
    case = set_up()
    run(case, 10)
    logbook = case.campaign.logbook
    (block,) = case.campaign.blocks
    for record in case.campaign.measured(block):
        assert logbook.extra_s[record.cell] == pytest.approx(2.5)
        assert record.window_start_s > 1000
    assert logbook.load_s == {block.id: pytest.approx(30)}


def test_engine_that_fails_whatever_it_is_given_is_given_up(set_up):
    class Nothing(dict):
        def __contains__(self, _):
            return True

        def __getitem__(self, _):
            return EngineError("no kernel image")

    case = set_up(faults=Nothing())
    ended, _ = run(case, 60)
    assert ended.endswith("cannot be measured: its first 3 cells failed: no kernel image")
    assert statuses(case) == ["failed"] * 3
    # nothing is known of the right N: a later call that finds the engine repaired chooses it
    assert case.campaign.logbook.requests == {}
    repaired = set_up()
    assert run(repaired, 300, "failed")[0] == ALL
    assert list(repaired.campaign.logbook.requests.values()) == [1000]


def test_grid_goes_on_at_the_smallest_n_where_its_centre_fails(set_up):
    centre = {(50, 512, 512): EngineError("odd")}
    case = set_up(faults=centre)
    assert run(case, 5)[0] == FULL
    measured = len(statuses(case))
    again = set_up(faults=centre)
    assert run(again, 600)[0] == ALL
    assert len(statuses(again)) == CELLS > measured > 1


def test_cell_that_was_cut_off_is_not_a_row_and_the_next_call_measures_it(set_up):
    cell = (1000, 4096, 4096)
    case = set_up(faults={cell: OutOfTimeError()})
    with pytest.raises(OutOfTimeError):
        run(case, 300)
    assert case.engines[0].closed == 1
    assert set(statuses(case)) == {"ok"}
    again = set_up()
    assert run(again, 300)[0] == ALL
    assert cell in again.engines[0].ran


def test_cell_is_cut_off_a_while_after_the_end_of_the_call(set_up, monkeypatch):
    limits_s = []

    def ended_after(seconds):
        limits_s.append((seconds, box.left_s))
        return nullcontext()

    monkeypatch.setattr("sweetspot.campaign.slot.ended_after", ended_after)
    case = set_up(models=["llama-3.2-1b", "qwen2-1.5b"])
    box = case.box(10)
    measure_blocks(case.campaign, box, Progress())
    assert len(limits_s) > 10
    assert all(limit_s == pytest.approx(left_s + GRACE_S) for limit_s, left_s in limits_s)


PAPER = {"input_tokens": list(PAPER_LENGTHS), "output_tokens": list(PAPER_LENGTHS)}
LADDER = [1000, 700, 500, 300, 200, 150, 100, 50]


@pytest.fixture
def call(set_up, monkeypatch):
    """Return a function that makes one call of a campaign like the default, and its accounts."""

    def run_call(minutes, models, **changes):
        measure = {"design": "few", "idle_s": 1, "repeats": 3}
        sweeps = {"grid": PAPER | {"requests": LADDER}}
        case = set_up(models=models, sweeps=sweeps, measure=measure, slower=lambda _: 1.2)
        seconds = SimpleNamespace(sleep=case.clock.spend, monotonic=case.clock)
        monkeypatch.setattr("sweetspot.measure.measure.time", seconds)
        case.campaign.logbook.calls.append(Call(started_utc="", minutes=minutes))
        _, left_s = run(case, minutes)
        return case, case.campaign.logbook.calls[-1].time_s, left_s

    return run_call


@pytest.mark.parametrize(
    ("minutes", "models", "inside"),
    [(25, ["llama-3.2-1b", "llama-3.1-8b"], 0.75), (60, ["llama-3.2-1b"], 0.9)],
)
def test_most_of_the_time_lies_inside_windows_and_all_is_accounted_for(
    call, minutes, models, inside
):
    case, time_s, left_s = call(minutes, models)
    assert time_s["windows"] > inside * 60 * minutes
    assert 0 <= left_s < 0.03 * 60 * minutes
    assert [engine.loads for engine in case.engines if engine.loads] == [1] * len(models)
    assert time_s["idle"] == 2 * len(models)  # around one cell of each
    assert time_s["loads"] == pytest.approx(30 * len(models))
    known_s = sum(time_s.values()) - time_s["elapsed"]
    assert known_s == pytest.approx(time_s["elapsed"])
    # the few first, then the others, then all of them again
    (block, *_), (engine, *_) = case.campaign.blocks, case.engines
    requests = case.campaign.logbook.requests[block.id]
    few = case.campaign.design.grid(block, requests)
    of_grid = [(i, o) for n, i, o in engine.ran if n == requests]
    assert set(of_grid[:18]) == {(c.input_tokens, c.output_tokens) for c in few}
    if len(models) == 1:
        assert len(set(of_grid[:49])) == 49 < len(of_grid)
