"""Intervals by class: which one an answer has, and what it says of that."""

from dataclasses import asdict, replace

import pytest

from sweetspot.catalog import gpu
from sweetspot.cells.sure import assumption
from sweetspot.config import GpuSettings, Limits, Precision
from sweetspot.files import write_text_atomic
from sweetspot.schema.writing import json_text
from sweetspot.simulator.constants.calibration_file import (
    load_calibration,
    shipped_boards,
    shipped_engines,
)
from sweetspot.simulator.constants.intervals import (
    LEVELS,
    QUANTITIES,
    WIDEST,
    Class,
    ClassIntervals,
    Interval,
    Intervals,
    IntervalsFile,
    OfChange,
    of_ratio,
    shipped_intervals,
)
from sweetspot.simulator.deployment.deployment import deploy

PUBLISHED = Class("published numbers", same_engine=True, same_gpu=True)
WIDE = Interval(1.5, 0.9, 13, 100, "all sorts")
NARROW = Interval(1.1, 0.9, 13, 100, "table")
KNOWN = IntervalsFile(
    classes=[
        ClassIntervals(of=WIDEST, energy=WIDE, throughput=WIDE),
        ClassIntervals(of=PUBLISHED, energy=NARROW),
    ]
)


def test_a_class_with_evidence_has_its_own_interval():
    assert KNOWN.of(PUBLISHED).energy == NARROW


@pytest.mark.parametrize(
    "asked",
    [replace(PUBLISHED, same_gpu=False), replace(PUBLISHED, same_engine=False)],
)
def test_a_class_without_evidence_has_a_wider_ones_and_says_so(asked):
    found = KNOWN.of(asked).energy
    assert found.factor == WIDE.factor
    assert found.rests_on == (
        f"all sorts; of the class ({WIDEST.words}), as nothing is known of ({asked.words})"
    )


def test_a_stronger_level_falls_back_on_the_next_weaker_one():
    own = Class("own measurements", same_engine=True, same_gpu=True)
    assert KNOWN.of(own).energy.factor == NARROW.factor
    assert KNOWN.of(own).throughput.factor == WIDE.factor  # never measured in the class between


def test_wider_classes_ask_less_and_end_with_the_widest():
    for level in LEVELS:
        wider = list(Class(level, same_engine=True, same_gpu=True).wider())
        assert wider[-1] == WIDEST
        assert len(wider) == 4 * (LEVELS.index(level) + 1)
    assert list(WIDEST.wider()) == [WIDEST]


def test_shipped_intervals_promise_no_more_than_their_models_support():
    for each in shipped_intervals().classes:
        for found in filter(None, (each.energy, each.throughput)):
            assert found.level <= min(0.9, found.models / (found.models + 1)) + 1e-4
            assert found.cells >= found.models


def test_a_data_sheet_answer_says_forty_percent():
    found = load_calibration(gpu("a100-80gb")).intervals
    assert found.of.level == "data sheet"
    assert found.energy.factor >= 1.4
    assert "until more is measured" in found.energy.rests_on


@pytest.mark.parametrize(
    ("board", "engine", "of"),
    [
        ("h100-sxm", None, PUBLISHED),
        ("h100-sxm", "vllm", replace(PUBLISHED, same_engine=False, same_gpu=False)),
        ("h200-sxm", None, replace(PUBLISHED, same_engine=False, same_gpu=False)),
        ("h200-sxm", "vllm", replace(PUBLISHED, same_engine=False)),
        ("h200-sxm", "vllm-uncompiled", PUBLISHED),
        ("l40s", None, Class("data sheet", same_engine=True, same_gpu=False)),
    ],
)
def test_class_follows_what_the_constants_were_fitted_to(board, engine, of):
    found = load_calibration(gpu(board), engine=engine).intervals
    shipped = shipped_intervals().of(of)
    own = shipped_boards().get(board)
    if own is not None and own.held_out_intervals and of == PUBLISHED:
        assert found == own.held_out_intervals
    else:
        assert found == shipped


def test_held_out_error_travels_with_a_calibration_of_both_parts(tmp_path):
    own = Intervals(
        Class("own measurements", same_engine=True, same_gpu=True),
        Interval(1.03, 0.75, 3, 40, "mine"),
        Interval(1.05, 0.75, 3, 40, "mine"),
    )
    changes = {"level": "own measurements", "held_out_intervals": own}
    file = replace(shipped_boards()["h200-sxm"], **changes)
    engine = shipped_engines()["vllm-uncompiled"].engine
    path = tmp_path / "own.json"
    write_text_atomic(path, json_text(replace(file, engine=engine)))
    assert load_calibration(gpu("h200-sxm"), path).intervals == own
    # the board alone, with the paper's engine, is another pair than the one that was fitted
    write_text_atomic(path, json_text(file))
    other = load_calibration(gpu("h200-sxm"), path, "tensorrt-llm").intervals
    assert not other.of.same_engine
    assert other == shipped_intervals().of(other.of)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"precision": Precision(weights="fp8", kv_cache="fp8")}, "quantized models"),
        ({"limits": Limits(tensor_parallel=2)}, "several GPUs"),
    ],
)
def test_energy_that_nobody_measured_has_the_widest_interval(changes, words):
    plain = deploy("llama-3.1-8b", "h100-sxm").intervals
    found = deploy("llama-3.1-8b", "h100-sxm", **changes).intervals
    assert found.energy.factor == shipped_intervals().of(WIDEST).energy.factor > plain.energy.factor
    assert found.energy.rests_on.endswith(f"no energy of {words} was measured")
    assert found.throughput == plain.throughput  # which was measured


def test_of_other_power_limits_nothing_was_measured():
    found = deploy(
        "llama-3.1-8b", "h100-sxm", gpu_settings=GpuSettings(power_limit_w=500)
    ).intervals
    widest = shipped_intervals().of(WIDEST)
    for quantity in QUANTITIES:
        interval = getattr(found, quantity)
        assert interval.factor == getattr(widest, quantity).factor
        said = f"no {quantity} of other power limits and clocks was measured"
        assert interval.rests_on.endswith(said)


def test_an_answers_number_stands_in_its_interval():
    bounds = Intervals(PUBLISHED, NARROW, WIDE).bounds(0.11, 300.0)
    assert bounds.beside("energy_per_token_j", 0.11) == " (0.1 to 0.121, 90 %, 13 models)"
    assert bounds.beside("throughput_tokens_per_s", 3000.0) == " (2000 to 4500, 90 %, 13 models)"
    assert bounds.beside("tokens_per_j", 11.0) == " (10 to 12.1, 90 %, 13 models)"
    assert bounds.beside("duration_s", 1.0) == ""
    assert asdict(bounds)["interval_rests_on"] == "table"
    assumed = replace(NARROW, rests_on=f"{assumption(NARROW.factor)}; table")
    bounds = Intervals(PUBLISHED, assumed, WIDE).bounds(0.11, 300.0)
    assert bounds.beside("energy_per_token_j", 0.11) == " (0.1 to 0.121, assumed)"
    assert (
        assumed.in_full == "within a factor of 1.10 (assumed): ±10 % until more is measured; table"
    )


def test_a_ratio_of_independent_errors_is_wider_than_both_and_narrower_than_their_product():
    found = of_ratio(WIDE, replace(NARROW, level=0.75, models=3))
    assert WIDE.factor < found.factor < WIDE.factor * NARROW.factor
    assert (found.level, found.models) == (0.75, 3)
    assert of_ratio(WIDE, replace(WIDE, factor=1.0)).factor == pytest.approx(WIDE.factor)


def test_a_change_has_the_interval_of_the_nearest_that_was_held_out_and_none_beyond():
    near, far = (
        OfChange(what="input_tokens", at_most_times=times, interval=interval)
        for times, interval in ((2, NARROW), (8, WIDE))
    )
    known = IntervalsFile(classes=[ClassIntervals(of=WIDEST, changes=[near, far])])
    assert known.of_change(WIDEST, "input_tokens", 2.0) == NARROW
    assert known.of_change(WIDEST, "input_tokens", 2.1) == WIDE
    assert known.of_change(PUBLISHED, "input_tokens", 2.0).factor == NARROW.factor
    assert known.of_change(WIDEST, "input_tokens", 9.0) is None
    assert known.of_change(WIDEST, "requests", 2.0) is None


def test_a_change_of_what_was_never_measured_has_the_widest_class_and_says_so():
    plain = deploy("llama-3.1-8b", "h100-sxm")
    found = plain.interval_of_change("input_tokens", 4)
    fp8 = deploy("llama-3.1-8b", "h100-sxm", precision=Precision(weights="fp8"))
    wider = fp8.interval_of_change("input_tokens", 4)
    assert wider.factor > found.factor
    assert "no energy of quantized models was measured" in wider.rests_on
