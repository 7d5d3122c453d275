"""Time and energy of segments: closed forms against sums, the power limit, and directions."""

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweetspot.catalog import catalog_entry, gpu, gpu_ids, model_ids
from sweetspot.simulator.constants.constants import Constants
from sweetspot.simulator.cost.roofline import BALANCE, LIMIT_SHARE, cost
from sweetspot.simulator.cost.work import Work, work
from sweetspot.simulator.schedule.identical import Schedule

NAMES = tuple(f.name for f in fields(Constants))
COLUMNS = tuple(f.name for f in fields(Schedule))

models = st.sampled_from(model_ids()).map(lambda model: catalog_entry(model).architecture)
# A fit's bounds of the active power are those of larger boards than an L4 of 72 W.
boards = st.sampled_from([each for each in gpu_ids() if each != "l4"]).map(gpu)


def constants_at(shares):
    """Return the constants at these places between their bounds."""
    bounds = [(f.metadata["low"], f.metadata["high"]) for f in fields(Constants)]
    values = [low + s * (high - low) for s, (low, high) in zip(shares, bounds, strict=True)]
    return Constants(**dict(zip(NAMES, values, strict=True)))


any_constants = st.lists(st.floats(0, 1), min_size=len(NAMES), max_size=len(NAMES)).map(
    constants_at
)


@st.composite
def segments(draw):
    """Draw one segment: long decode, or one iteration with prompts."""
    decodes = draw(st.integers(0, 1024))
    context = decodes * draw(st.integers(1, 8192))
    prompts = draw(st.integers(0 if decodes else 1, 40))
    iterations = 1 if prompts else draw(st.integers(1, 5000))
    length = draw(st.integers(1, 2048))
    tokens = prompts * length
    finished = draw(st.integers(0, prompts))
    pairs, earlier = prompts * length * (length + 1) // 2, draw(st.integers(0, 4096))
    return (iterations, decodes, context, tokens, pairs, earlier, prompts, finished)


def schedule_of(rows):
    columns = np.array(rows, dtype=np.int64).T
    return Schedule(*columns, *np.zeros((4, len(rows)), dtype=np.int64))


def cut(row, *places):
    """Return the segments that one segment becomes when it is cut after these iterations."""
    iterations, decodes, context, *rest = row
    edges = [0, *places, iterations]
    return [(b - a, decodes, context + a * decodes, *rest) for a, b in pairwise(edges)]


def totals(model, board, constants, rows):
    found = cost(work(model, schedule_of(rows)), board, constants)
    return float(found.duration_s.sum()), float(found.energy_j.sum())


@given(row=segments(), model=models, board=boards, constants=any_constants)
def test_segment_is_the_sum_of_its_iterations(row, model, board, constants):
    steps = cut(row, *range(1, row[0]))
    whole = totals(model, board, constants, [row])
    assert whole == pytest.approx(totals(model, board, constants, steps), rel=1e-9)


@given(row=segments(), model=models, board=boards, constants=any_constants, share=st.floats(0, 1))
def test_cutting_a_segment_changes_nothing(row, model, board, constants, share):
    place = min(row[0] - 1, max(1, round(share * row[0])))
    parts = cut(row, place) if place else [row]
    whole = totals(model, board, constants, [row])
    assert whole == pytest.approx(totals(model, board, constants, parts), rel=1e-9)


def step_work(iterations, kv_bytes, kv_bytes_growth, decode_flops, decode_flops_growth):
    """Return one segment of a layer with 1 GB of weights whose attention grows as told."""
    values = dict.fromkeys((f.name for f in fields(Work)), 0.0) | {
        "iterations": iterations,
        "layers": 1,
        "weight_bytes": 1e9,
        "kv_bytes": kv_bytes,
        "queries_per_kv_head": 4,
        "kv_bytes_growth": kv_bytes_growth,
        "decode_flops": decode_flops,
        "decode_flops_growth": decode_flops_growth,
    }
    return Work(**{name: np.array([float(value)]) for name, value in values.items()})


@pytest.mark.parametrize("joins", [True, False], ids=["joins", "leaves"])
def test_segment_that_meets_the_power_limit_midway_is_exact(board, constants, joins):
    """Attention that grows by much each iteration, so that a limit one too late or early shows.

    FLOPs of attention take energy and, in decode, no time; KV-cache bytes take time, and with
    little energy each pull the power down.
    """
    changed = replace(constants, kv_byte_energy_j=50e-12)
    limit_w = LIMIT_SHARE * board.power_limit_w
    flops = 0.0004 * limit_w / changed.flop_energy_j  # 0.4 ms at the limit
    first, growth = ((0, 0), (0, flops / 4)) if joins else ((0, 2.5 * flops), (3e8, 0))
    count = 30
    steps = [
        cost(step_work(1, first[0] + j * growth[0], 0, first[1] + j * growth[1], 0), board, changed)
        for j in range(count)
    ]
    time_s, energy_j = (
        np.array([getattr(step, name)[0] for step in steps]) for name in ("duration_s", "energy_j")
    )
    limited = np.isclose(energy_j / time_s, limit_w, rtol=1e-9)
    assert (bool(limited[0]), bool(limited[-1])) == (not joins, joins)
    for n in range(1, count + 1):
        whole = cost(step_work(n, first[0], growth[0], first[1], growth[1]), board, changed)
        assert whole.duration_s[0] == pytest.approx(time_s[:n].sum(), rel=1e-9)
        assert whole.energy_j[0] == pytest.approx(energy_j[:n].sum(), rel=1e-9)


@given(row=segments(), model=models, board=boards, constants=any_constants)
def test_power_stays_between_active_power_and_the_limit(row, model, board, constants):
    duration_s, energy_j = totals(model, board, constants, [row])
    assert duration_s > 0
    assert energy_j / duration_s <= LIMIT_SHARE * board.power_limit_w * (1 + 1e-9)
    assert energy_j >= constants.active_power_w * duration_s


MORE_TIME_OR_ENERGY = {
    "layer_overhead_s": 1.3,
    "step_overhead_s": 1.3,
    "sequence_overhead_s": 1.3,
    "request_overhead_s": 1.3,
    "gemm_passes": 1.3,
    "elementwise_passes": 1.3,
    "logit_bytes": 1.3,
    "request_energy_j": 1.3,
    "flop_energy_j": 1.3,
    "streaming_flop_energy": 1.3,
    "byte_energy_j": 1.3,
    "kv_byte_energy_j": 1.3,
    "wide_head_energy": 1.05,
    "flop_efficiency": 0.7,
    "prompt_attention_efficiency": 0.7,
    "bandwidth_efficiency": 0.7,
    "kv_bandwidth_efficiency": 0.7,
}


@pytest.mark.parametrize(("name", "factor"), MORE_TIME_OR_ENERGY.items())
@given(row=segments(), model=models, board=boards, start=any_constants)
@settings(max_examples=settings.default.max_examples // 2)
def test_worse_constant_never_saves_time_or_energy(name, factor, row, model, board, start):
    worse = replace(start, **{name: getattr(start, name) * factor})
    better_s, better_j = totals(model, board, start, [row])
    worse_s, worse_j = totals(model, board, worse, [row])
    assert worse_s >= better_s * (1 - 1e-12)
    assert worse_j >= better_j * (1 - 1e-12)


@pytest.mark.parametrize("name", ["bandwidth_bytes_per_s", "fp16_flops", "power_limit_w"])
@given(row=segments(), model=models, board=boards, constants=any_constants)
@settings(max_examples=settings.default.max_examples // 2)
def test_slower_board_never_saves_time_or_energy(name, row, model, board, constants):
    slower = replace(board, **{name: getattr(board, name) * 0.8})
    fast_s, fast_j = totals(model, board, constants, [row])
    slow_s, slow_j = totals(model, slower, constants, [row])
    assert slow_s >= fast_s * (1 - 1e-12)
    assert slow_j >= fast_j * (1 - 1e-12)


@pytest.mark.parametrize("column", ["iterations", "decode_context", "prompts_finished"])
@given(row=segments(), model=models, board=boards, constants=any_constants)
@settings(max_examples=settings.default.max_examples // 2)
def test_more_work_takes_more_time_and_energy(column, row, model, board, constants):
    more = list(row)
    more[COLUMNS.index(column)] += 1
    base_s, base_j = totals(model, board, constants, [row])
    more_s, more_j = totals(model, board, constants, [tuple(more)])
    assert more_s > base_s
    assert more_j > base_j


def test_decode_step_by_hand(board, constants):
    """One request's decode step: every weight once; compute adds next to nothing."""
    model = catalog_entry("llama-3.1-8b").architecture
    idle = replace(
        constants,
        layer_overhead_s=0.0,
        step_overhead_s=0.0,
        sequence_overhead_s=0.0,
        gemm_passes=0.0,
        elementwise_passes=0.0,
        logit_bytes=0.0,
        streaming_flop_energy=0.0,
    )
    duration_s, energy_j = totals(model, board, idle, [(1, 1, 500, 0, 0, 0, 0, 0)])
    streamed = 2 * (model.linear_weights + model.vocab * model.hidden)
    kv_bytes = 501 * 2 * 32 * 8 * 128 * 2
    bandwidth = board.bandwidth_bytes_per_s
    expected_s = streamed / (bandwidth * idle.bandwidth_efficiency) + kv_bytes / (
        bandwidth * idle.kv_bandwidth_efficiency
    )
    assert duration_s == pytest.approx(expected_s, rel=1e-5)
    flops = streamed + 500 * 4 * 32 * 4096
    expected_j = (
        idle.active_power_w * duration_s
        + idle.flop_energy_j * flops
        + idle.byte_energy_j * streamed
        + idle.kv_byte_energy_j * kv_bytes
    )
    assert energy_j == pytest.approx(expected_j, rel=1e-9)


# Each kind of work, and what one of its unit adds: seconds, and joules beside the active power.
ADDS = {
    "layers": lambda g, c: (c.layer_overhead_s, 0),
    "sequences": lambda g, c: (c.sequence_overhead_s, 0),
    "prompts_finished": lambda g, c: (c.request_overhead_s, c.request_energy_j),
    "elementwise_bytes": lambda g, c: (
        c.elementwise_passes / bandwidth(g, c),
        c.elementwise_passes * c.byte_energy_j,
    ),
    "logits": lambda g, c: (c.logit_bytes / bandwidth(g, c), c.logit_bytes * c.byte_energy_j),
    "logit_weight_bytes": lambda g, c: (1 / bandwidth(g, c), c.byte_energy_j),
    "prompt_bytes": lambda g, c: (1 / bandwidth(g, c), c.byte_energy_j),
    "prompt_flops": lambda g, c: (
        1 / (g.fp16_flops * c.prompt_attention_efficiency),
        c.flop_energy_j,
    ),
    "prompt_start_flops": lambda g, c: (1 / (g.fp16_flops * c.prompt_attention_efficiency), 0),
    "decode_flops": lambda g, c: (0, c.flop_energy_j),
    "kv_bytes": lambda g, c: (
        1 / (g.bandwidth_bytes_per_s * c.kv_bandwidth_efficiency),
        c.kv_byte_energy_j,
    ),
}


def bandwidth(board, constants):
    return board.bandwidth_bytes_per_s * constants.bandwidth_efficiency


@pytest.mark.parametrize("name", ADDS)
def test_each_kind_of_work_adds_its_own_time_and_energy(board, constants, name):
    limitless = replace(board, power_limit_w=1e9)
    base = step_work(1, 0, 0, 0, 0)
    without, amount = cost(base, limitless, constants), 1e9
    with_it = cost(replace(base, **{name: np.array([amount])}), limitless, constants)
    more_s = (with_it.duration_s - without.duration_s)[0]
    more_j = (with_it.energy_j - without.energy_j)[0] - constants.active_power_w * more_s
    added = amount - getattr(base, name)[0]
    seconds, joules = (each * added for each in ADDS[name](board, constants))
    assert more_s == pytest.approx(seconds, rel=1e-6, abs=1e-12)
    assert more_j == pytest.approx(joules, rel=1e-6, abs=1e-6)


def test_flops_of_a_gemm_that_streams_cost_more(board, constants):
    """At FLOPs and bytes in balance, half of the surcharge."""
    dear = replace(constants, streaming_flop_energy=0.5, gemm_passes=0.0, elementwise_passes=0.0)
    cheap = replace(dear, streaming_flop_energy=0.0)
    weight_bytes = 1e9
    for flops, surcharge in ((1e6, 0.5), (BALANCE * weight_bytes, 0.25), (1e18, 0.0)):
        segment = replace(step_work(1, 0, 0, 0, 0), gemm_flops=np.array([float(flops)]))
        limitless = replace(board, power_limit_w=1e9)
        more_j = cost(segment, limitless, dear).energy_j - cost(segment, limitless, cheap).energy_j
        expected_j = dear.flop_energy_j * flops * surcharge
        assert more_j[0] == pytest.approx(expected_j, rel=1e-3, abs=1e-6 * flops * 1e-12)


def test_shared_heads_spend_less_per_byte_and_wide_ones_more(board, constants):
    model = catalog_entry("llama-3.1-8b").architecture
    changed = replace(constants, kv_energy_sharing=0.1, wide_head_energy=1.1, flop_energy_j=0.0)
    unshared = replace(model, kv_heads=model.heads)
    wide = replace(model, heads=16, kv_heads=4, head_dim=256)
    rows = [(1, 64, 64 * 4000, 0, 0, 0, 0, 0)]

    def cache_j(architecture, found):
        none = replace(found, kv_byte_energy_j=0.0)
        limitless = replace(board, power_limit_w=1e9)
        return (
            totals(architecture, limitless, found, rows)[1]
            - totals(architecture, limitless, none, rows)[1]
        ) / work(architecture, schedule_of(rows)).kv_bytes[0]

    assert cache_j(model, changed) == pytest.approx(changed.kv_byte_energy_j, rel=1e-6)
    assert cache_j(unshared, changed) == pytest.approx(4**0.1 * changed.kv_byte_energy_j, rel=1e-6)
    assert cache_j(wide, changed) == pytest.approx(1.1 * changed.kv_byte_energy_j, rel=1e-6)
