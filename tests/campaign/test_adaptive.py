"""An adaptive campaign: each grid until it is enough, then whatever fills the time."""

import json
import random
import re
from contextlib import contextmanager

import pytest

from sweetspot.campaign.blocks import measure_blocks
from sweetspot.campaign.logbook import open_logbook
from sweetspot.campaign.outlook import play
from sweetspot.campaign.report.tables import decided, status_rows
from sweetspot.campaign.slot import Progress
from sweetspot.campaign.time_box import OutOfTimeError
from sweetspot.config import PAPER_LENGTHS, parse_experiment
from sweetspot.errors import EngineError

ONE, OTHER = "llama-3.1-8b/b512", "opt-6.7b/b512"
CHANGES = {
    "models": ["llama-3.1-8b", "opt-6.7b"],
    "limits": {"max_batch_size": 512},
    "sweeps": {
        "grid": {
            "input_tokens": list(PAPER_LENGTHS),
            "output_tokens": list(PAPER_LENGTHS),
            "requests": [512, 64],
        }
    },
    "measure": {"design": "adaptive", "idle_s": 0, "repeats": 2},
}


def scattering(cell):
    """Return how much slower than simulated a cell is: 2 % of scatter, always the same."""
    return 1.2 * random.Random(cell.id).lognormvariate(0, 0.02)


def lengths_of(engine, requests=512):
    return [(i, o) for n, i, o in engine.ran if n == requests]


def call(case, minutes):
    ended = measure_blocks(case.campaign, case.box(minutes), Progress())
    return ended, [engine for engine in case.engines if engine.loads]


def test_each_model_is_measured_until_it_is_enough_and_then_the_time_is_filled(set_up):
    case = set_up(slower=scattering, **CHANGES)
    ended, (one, other, *_) = call(case, 60)
    said = json.loads((case.campaign.folder / "campaign.json").read_text())["adaptive"]
    assert said == case.campaign.logbook.adaptive
    assert list(said) == [ONE, OTHER]
    for block, engine in zip(case.campaign.blocks, (one, other), strict=True):
        order = [(c.input_tokens, c.output_tokens) for c in case.campaign.design.grid(block, 512)]
        count = int(said[block.id].partition("enough with ")[2].partition(" of 49")[0])
        assert 10 < count < 30
        assert lengths_of(engine)[:count] == order[:count]
        assert re.search(r"Eq. 5 errs by (1\.\d\d|2\.00) % at most", said[block.id])
    # the first model goes no further while the second waits, which fills what is left
    assert len(lengths_of(one)) == int(said[ONE].partition("enough with ")[2].split()[0])
    assert len(lengths_of(other)) > int(said[OTHER].partition("enough with ")[2].split()[0])
    assert ended == "no other cell fits into the time that is left"


def test_call_that_ended_too_early_is_gone_on_with_and_a_stricter_target_goes_further(set_up):
    one_model = CHANGES | {"models": ["llama-3.1-8b"]}
    first = set_up(slower=scattering, **one_model)
    call(first, 4)
    (said,) = first.campaign.logbook.adaptive.values()
    assert "more expected" in said
    (requests,) = first.campaign.logbook.requests.values()
    before = {each for engine in first.engines for each in lengths_of(engine, requests)}
    case = set_up(slower=scattering, **one_model, adaptive={"error_percent": 1.0})
    _, (engine, *_) = call(case, 20)
    (said,) = case.campaign.logbook.adaptive.values()
    count = int(said.partition("enough with ")[2].split()[0])
    later = lengths_of(engine, requests)[: count - len(before)]
    assert count > 20  # one of 2 % takes 14 to 18
    assert len(set(later)) == count - len(before)
    assert not before & set(later)


def test_cells_that_fail_are_passed_over(set_up):
    broken = {(512, 64, 128): EngineError("no room"), (512, 1024, 64): EngineError("no room")}
    case = set_up(slower=scattering, faults=broken, **CHANGES | {"models": ["llama-3.1-8b"]})
    call(case, 20)
    assert "enough with" in case.campaign.logbook.adaptive[ONE]


def test_report_counts_what_is_needed_yet_and_not_the_rest(set_up):
    case = set_up(slower=scattering, **CHANGES | {"models": ["llama-3.1-8b"]})
    call(case, 4)
    campaign = case.campaign
    (block,) = campaign.blocks
    records = list(campaign.measured(block))
    chosen = dict(campaign.logbook.requests)
    found = decided(chosen, campaign.design, records, campaign.experiment.adaptive)
    assert found[ONE].in_words == campaign.logbook.adaptive[ONE]
    ((_, _, _, _, ok, *_, missing),) = status_rows(chosen, campaign.design, records, found)
    assert int(ok) == found[ONE].measured
    assert int(missing) == found[ONE].needed < 49 - int(ok)


def test_outlook_plans_with_the_expected_number_of_cells(set_up):
    experiment = set_up(**CHANGES).campaign.experiment
    found = play(experiment, minutes=60)
    counts = {part.what: (part.cells, part.of) for part in found.parts}
    assert counts[f"{ONE}: adaptive, N = 512"] == (15, 15)
    assert counts[f"{OTHER}: adaptive, N = 512"] == (15, 15)
    assert f"{ONE}: more" not in counts
    assert 0 < counts[f"{OTHER}: more"][0] < counts[f"{OTHER}: more"][1]


def test_note_of_why_it_stopped_is_of_the_cells_that_there_are_however_a_call_ended(set_up):
    one_model = CHANGES | {"models": ["llama-3.1-8b"]}
    case = set_up(slower=scattering, **one_model)
    measure, measured = case.campaign.measuring, []

    @contextmanager
    def until_it_is_cut_off(*arguments):
        with measure(*arguments) as measure_cell:

            def cut_off(cell, *, idle):
                measured.append(cell)
                if len(measured) == 13:
                    raise OutOfTimeError
                return measure_cell(cell, idle=idle)

            yield cut_off

    object.__setattr__(case.campaign, "measuring", until_it_is_cut_off)
    with pytest.raises(OutOfTimeError):
        call(case, 60)
    campaign, (block,) = case.campaign, case.campaign.blocks
    requests = campaign.logbook.requests[ONE]
    assert campaign.logbook.adaptive[ONE] == campaign.decision(block, requests).in_words
    assert "more expected" in campaign.logbook.adaptive[ONE]


def test_note_is_of_what_is_enough_now_also_where_no_cell_of_the_grid_is_measured(set_up):
    one_model = CHANGES | {"models": ["llama-3.1-8b"]}
    case = set_up(slower=scattering, **one_model, adaptive={"error_percent": 1.0})
    call(case, 8)
    (said,) = case.campaign.logbook.adaptive.values()
    assert "more expected" in said
    looser = set_up(slower=scattering, **one_model, adaptive={"error_percent": 8.0})
    assert looser.campaign.logbook.adaptive == {}
    call(looser, 4)  # for what fills the time
    (said,) = looser.campaign.logbook.adaptive.values()
    assert "enough with" in said
    again = set_up(slower=scattering, **one_model, adaptive={"error_percent": 8.0})
    call(again, 4)
    assert again.campaign.logbook.adaptive == {ONE: said}  # and not of all that came after it


def test_what_is_enough_may_change_between_two_calls(tmp_path):
    experiment = {"engine": "vllm", "measure": {"design": "adaptive"}}
    path = tmp_path / "campaign.json"
    open_logbook(path, parse_experiment(experiment)).write(path)
    stricter = parse_experiment(experiment | {"adaptive": {"error_percent": 1}})
    assert open_logbook(path, stricter).experiment["adaptive"]["error_percent"] == 1
