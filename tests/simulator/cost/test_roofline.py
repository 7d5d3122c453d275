"""Time and energy of segments: closed forms against sums, the power limit, clocks, directions."""

import math
from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sweetspot.catalog import architecture_from_config, catalog_entry, gpu, gpu_ids, model_ids
from sweetspot.config import Limits, Precision
from sweetspot.simulator.constants.constants import METADATA, scales, stated_on
from sweetspot.simulator.constants.kernels import BESIDE
from sweetspot.simulator.cost import clocks
from sweetspot.simulator.cost.clocks import (
    CLOCKS,
    LIMIT_SHARE,
    STEP,
    on_die,
    voltage_squared,
    waiting_power_w,
)
from sweetspot.simulator.cost.roofline import Cost, cost
from sweetspot.simulator.cost.work import Work, work
from sweetspot.simulator.deployment.deployment import deploy
from sweetspot.simulator.deployment.shard import shard
from sweetspot.simulator.run import simulate
from sweetspot.simulator.schedule.identical import Schedule

COLUMNS = tuple(f.name for f in fields(Schedule))
QUANTITIES = tuple(f.name for f in fields(Cost))
HALF = settings(max_examples=settings.default.max_examples // 2)
PUBLISHED = yaml.load(
    (Path(__file__).parents[2] / "catalog/published_models.yaml").read_text(encoding="utf-8"),
    yaml.CSafeLoader,
)
FP8 = Precision(weights="fp8", kv_cache="fp8")
OTHER_KINDS = [  # experts, latent attention, states
    architecture_from_config(PUBLISHED[name]["config"], name)
    for name in ("openai/gpt-oss-20b", "deepseek-ai/DeepSeek-V2-Lite")
]
MODELS = [
    *(catalog_entry(model).architecture for model in model_ids()),
    *(shard(model, 2, FP8) for model in OTHER_KINDS),
    shard(catalog_entry("llama-3.1-8b").architecture, 4, FP8),
]
models = st.sampled_from(MODELS)


@st.composite
def boards(draw):
    """Draw a board: as it comes, of a lower power limit, or locked to a lower clock."""
    found = gpu(draw(st.sampled_from(gpu_ids())))
    share = draw(st.sampled_from([1.0, 0.7, 0.4]))
    return replace(
        found,
        fp8_flops=found.fp8_flops or found.fp16_flops,  # a model in FP8 is among these
        power_limit_w=share * found.power_limit_w,
        clock_share=draw(st.sampled_from([1.0, 0.9, 0.6])),
    )


def constants_at(board, shares):
    """Return a board's constants at these places between their bounds."""
    by = scales(gpu(board.id))
    found = {
        name: by.get(name, 1.0) * (meta["low"] + share * (meta["high"] - meta["low"]))
        for share, (name, meta) in zip(shares, METADATA.items(), strict=True)
    }
    found["host_ahead"] = round(found["host_ahead"])
    found["idle_power_w"] = min(found["idle_power_w"], found["active_power_w"])
    engine = "vllm" if found["host_ahead"] else "tensorrt-llm"
    return stated_on(gpu(board.id), engine).having(**found)


@st.composite
def boards_with_constants(draw):
    board = draw(boards())
    size = len(METADATA)
    return board, constants_at(board, draw(st.lists(st.floats(0, 1), min_size=size, max_size=size)))


@st.composite
def segments(draw):
    """Draw one segment: long decode, or one iteration with prompts."""
    decodes = draw(st.integers(0, 1024))
    context = decodes * draw(st.integers(0, 8192))
    prompts = draw(st.integers(0 if decodes else 1, 40))
    iterations = 1 if prompts else draw(st.integers(1, 3000))
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


def costed(model, board, constants, rows):
    return cost(work(model, schedule_of(rows)), board, constants)


def totals(model, board, constants, rows):
    """Return time and energy of these segments together."""
    found = costed(model, board, constants, rows)
    return float(found.duration_s.sum()), float(found.energy_j.sum())


def summed(found):
    return [float(getattr(found, name).sum()) for name in QUANTITIES]


@given(row=segments(), model=models, on=boards_with_constants())
def test_segment_is_the_sum_of_its_iterations(row, model, on):
    steps = cut(row, *range(1, row[0]))
    whole = summed(costed(model, *on, [row]))
    assert whole == pytest.approx(summed(costed(model, *on, steps)), rel=1e-9, abs=1e-12)


@given(row=segments(), model=models, on=boards_with_constants(), share=st.floats(0, 1))
def test_cutting_a_segment_changes_nothing(row, model, on, share):
    place = min(row[0] - 1, max(1, round(share * row[0])))
    parts = cut(row, place) if place else [row]
    whole = summed(costed(model, *on, [row]))
    assert whole == pytest.approx(summed(costed(model, *on, parts)), rel=1e-9, abs=1e-12)


LLAMA = catalog_entry("llama-3.1-8b").architecture
DECODE = (2000, 256, 256 * 64, 0, 0, 0, 0, 0)  # caches grow from 64 to 2064 tokens
PROMPT = (1, 0, 0, 8192, 4 * 2048 * 2049 // 2, 0, 4, 4)


def ahead(step_s):
    """Return the constants of a host that works ahead and takes so long a step."""
    return {"host_ahead": 1.0, "step_overhead_s": step_s, "sequence_overhead_s": 0.0}


# What sets the pace in the first and in the last iteration: the clock, the limit, the limit at the
# lowest clock, or the host.
CLOCK, LIMIT, LOWEST, HOST = "clock", "limit", "lowest", "host"
DEAR, CHEAP = {"kv_byte_energy_j": 2.5e-10}, {"kv_byte_energy_j": 1e-10}
PACES = {
    "no limit": (1e6, 1.0, {}, DECODE, (CLOCK, CLOCK)),
    "locked": (1e6, 0.6, {}, DECODE, (CLOCK, CLOCK)),
    "limit is met midway": (830, 1.0, DEAR, DECODE, (CLOCK, LIMIT)),
    "limit is left midway": (620, 1.0, CHEAP, DECODE, (LIMIT, CLOCK)),
    "limit throughout": (550, 1.0, {}, DECODE, (LIMIT, LIMIT)),
    "limit of a locked clock": (500, 0.6, DEAR, DECODE, (CLOCK, LIMIT)),
    "lowest clock": (250, 1.0, {}, DECODE, (LOWEST, LOWEST)),
    "lowest clock is met midway": (400, 1.0, DEAR, DECODE, (LIMIT, LOWEST)),
    "host gives way to the clock": (1e6, 1.0, ahead(0.011), DECODE, (HOST, CLOCK)),
    "host gives way to the limit": (550, 1.0, ahead(0.014), DECODE, (HOST, LIMIT)),
    "host throughout": (550, 1.0, ahead(0.05), DECODE, (HOST, HOST)),
    "prompt at the limit": (700, 1.0, {}, PROMPT, (LIMIT, LIMIT)),
    "prompt at the lowest clock": (200, 1.0, {}, PROMPT, (LOWEST, LOWEST)),
}


@pytest.mark.parametrize("case", PACES)
def test_whatever_sets_the_pace_a_segment_is_the_sum_of_its_iterations(board, constants, case):
    limit_w, share, changes, row, paces = PACES[case]
    board = replace(board, power_limit_w=limit_w, clock_share=share)
    found = constants.having(**changes)
    steps = costed(LLAMA, board, found, cut(row, *range(1, row[0])))
    assert (pace_of(steps, 0, board, found), pace_of(steps, -1, board, found)) == paces
    for count in {1, min(2, row[0]), max(1, row[0] // 3), row[0]}:
        whole = costed(LLAMA, board, found, [(count, *row[1:])])
        expected = [getattr(steps, name)[:count].sum() for name in QUANTITIES]
        assert summed(whole) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def pace_of(steps, place, board, constants):
    """Return what sets the pace of a single iteration."""
    duration_s, energy_j, full_clock_s, host_s = (
        getattr(steps, name)[place] for name in QUANTITIES
    )
    if constants.engine.host_ahead and host_s > 0:
        return "host"
    if not np.isclose(energy_j / duration_s, LIMIT_SHARE * board.power_limit_w, rtol=1e-9):
        return "clock"
    lowest = board.clock_share * STEP ** (CLOCKS - 1)
    return "lowest" if np.isclose(full_clock_s / duration_s, lowest, rtol=1e-9) else "limit"


def step_work(iterations, kv_bytes=0, kv_bytes_growth=0, decode_flops=0, decode_flops_growth=0):
    """Return one segment of a layer with 1 GB of weights whose attention grows as told.

    Its GEMMs compute for a third of what they read, so that every clock has a time of its own.
    """
    values = dict.fromkeys((f.name for f in fields(Work)), 0.0) | {
        "iterations": iterations,
        "layers": 1,
        "gemm_flops": 1e11,
        "weight_bytes": 1e9,
        "kv_bytes": kv_bytes,
        "queries_per_kv_head": 4,
        "head_dim": 128,
        "kv_bytes_growth": kv_bytes_growth,
        "decode_flops": decode_flops,
        "decode_flops_growth": decode_flops_growth,
        "decode_bytes_per_flop": 0.25,
    }
    return Work(**{name: np.array([float(value)]) for name, value in values.items()})


@pytest.mark.parametrize("joins", [True, False], ids=["joins", "leaves"])
def test_segment_that_meets_the_power_limit_midway_is_exact(board, constants, joins):
    """Attention that grows by much each iteration, so that a limit one too late or early shows.

    FLOPs of attention take energy and, in decode, no time; KV-cache bytes take time, and with
    little energy each pull the power down. All clocks are passed on the way.
    """
    changed = constants.having(kv_byte_energy_j=50e-12, byte_energy_j=100e-12)
    flops = 0.0004 * 700 / changed.board.flop_energy_j  # 0.4 ms at the limit
    first, growth = ((0, 0), (0, flops / 20)) if joins else ((0, flops), (5e7, 0))
    count = 60
    steps = [
        cost(step_work(1, first[0] + j * growth[0], 0, first[1] + j * growth[1], 0), board, changed)
        for j in range(count)
    ]
    each = {name: np.concatenate([getattr(step, name) for step in steps]) for name in QUANTITIES}
    limited = np.isclose(
        each["energy_j"] / each["duration_s"], LIMIT_SHARE * board.power_limit_w, rtol=1e-9
    )
    assert (bool(limited[0]), bool(limited[-1])) == (not joins, joins)
    for n in range(1, count + 1):
        whole = cost(step_work(n, first[0], growth[0], first[1], growth[1]), board, changed)
        expected = [each[name][:n].sum() for name in QUANTITIES]
        assert summed(whole) == pytest.approx(expected, rel=1e-9)


@given(row=segments(), model=models, on=boards_with_constants())
def test_power_stays_between_waiting_power_and_the_limit(row, model, on):
    board, constants = on
    duration_s, energy_j = totals(model, *on, [row])
    assert duration_s > 0
    assert energy_j / duration_s <= LIMIT_SHARE * board.power_limit_w * (1 + 1e-9)
    waiting_w = waiting_power_w(constants.board, board.clock_share)
    assert energy_j >= waiting_w * duration_s * (1 - 1e-12)


@given(row=segments(), model=models, on=boards_with_constants())
def test_mean_clock_is_one_that_the_board_has(row, model, on):
    board, _ = on
    found = costed(model, *on, [row])
    share = float(found.full_clock_s[0] / found.duration_s[0])
    lowest = board.clock_share * STEP ** (CLOCKS - 1)
    assert lowest * (1 - 1e-9) <= share <= board.clock_share * (1 + 1e-9)


@given(row=segments(), model=models, on=boards_with_constants())
def test_host_that_works_ahead_sets_the_pace_or_takes_nothing(row, model, on):
    """Beside the same engine whose GPU waits, and one whose host takes nothing."""
    board, constants = on
    ahead, waits = (constants.having(host_ahead=float(n)) for n in (1, 0))
    free = ahead.having(step_overhead_s=0.0, sequence_overhead_s=0.0)
    host_s = constants.engine.step_overhead_s + constants.engine.sequence_overhead_s * (
        row[1] + row[6]
    )
    found, other, none = (costed(model, board, c, [row]) for c in (ahead, waits, free))
    iterations = row[0]
    assert other.host_s == pytest.approx(iterations * host_s, rel=1e-12, abs=1e-15)
    assert found.duration_s <= other.duration_s * (1 + 1e-12)
    assert found.duration_s >= max(none.duration_s[0], iterations * host_s) * (1 - 1e-12)
    assert none.host_s == 0
    assert found.host_s <= iterations * host_s * (1 + 1e-12)
    if iterations == 1:
        assert found.duration_s == pytest.approx(max(none.duration_s[0], host_s), rel=1e-12)
        assert bool(found.host_s > 0) == (host_s > none.duration_s[0])


def test_board_that_waits_for_its_host_draws_what_its_work_takes_and_waiting_power(
    board, constants
):
    """A host of 20 ms a step, before one that takes nothing: the same work, and more waiting."""
    row = (100, 32, 32 * 500, 0, 0, 0, 0, 0)
    ahead = constants.having(host_ahead=1.0, step_overhead_s=0.0, sequence_overhead_s=0.0)
    quick_s, quick_j = totals(LLAMA, board, ahead, [row])
    found = costed(LLAMA, board, ahead.having(step_overhead_s=0.02), [row])
    assert found.duration_s == pytest.approx(100 * 0.02)
    assert found.host_s == pytest.approx(2 - quick_s)
    waiting_j = constants.board.active_power_w * (2 - quick_s)
    assert found.energy_j == pytest.approx(quick_j + waiting_j)


def test_host_that_sets_the_pace_leaves_the_board_at_its_limit(board, constants):
    """Work that at the highest clock would pass the limit even in the host's time."""
    low = replace(board, power_limit_w=450)
    ahead = constants.having(host_ahead=1.0, step_overhead_s=0.0, sequence_overhead_s=0.0)
    row = (1, 128, 128 * 200, 0, 0, 0, 0, 0)
    limited_s, _ = totals(LLAMA, low, ahead, [row])
    host_s = 1.01 * limited_s
    _, free_j = totals(LLAMA, replace(board, power_limit_w=1e6), ahead, [row])
    duration_s, energy_j = totals(LLAMA, low, ahead.having(step_overhead_s=host_s), [row])
    assert duration_s == pytest.approx(host_s)
    assert energy_j == pytest.approx(LIMIT_SHARE * 450 * host_s)
    assert energy_j < free_j


MORE_TIME_OR_ENERGY = (
    *("layer_overhead_s", "step_overhead_s", "sequence_overhead_s", "request_overhead_s"),
    *("elementwise_passes", "logit_bytes", "unfused_norm_bytes", "unfused_norm_s"),
    *("request_energy_j", "flop_energy_j", "byte_energy_j", "kv_byte_energy_j"),
)


@pytest.mark.parametrize("name", MORE_TIME_OR_ENERGY)
@given(row=segments(), model=models, on=boards_with_constants())
@settings(max_examples=settings.default.max_examples // 4)
def test_worse_constant_never_saves_time_or_energy(name, row, model, on):
    board, start = on
    better_s, better_j = totals(model, board, start, [row])
    worse_s, worse_j = totals(model, board, start.having(**{name: 1.3 * start.of(name)}), [row])
    assert worse_s >= better_s * (1 - 1e-12)
    assert worse_j >= better_j * (1 - 1e-12)


@pytest.mark.parametrize(
    "names", [("bandwidth_bytes_per_s",), ("fp16_flops", "fp8_flops")], ids=["memory", "compute"]
)
@given(row=segments(), model=models, on=boards_with_constants())
@HALF
def test_slower_board_never_saves_time_or_energy(names, row, model, on):
    """But for what straight lines between the clocks are off."""
    board, constants = on
    slower = replace(board, **{name: 0.8 * getattr(board, name) for name in names})
    fast_s, fast_j = totals(model, board, constants, [row])
    slow_s, slow_j = totals(model, slower, constants, [row])
    assert slow_s >= fast_s * (1 - 5e-3)
    assert slow_j >= fast_j * (1 - 5e-3)


@given(row=segments(), model=models, on=boards_with_constants())
def test_lower_power_limit_never_saves_time(row, model, on):
    board, constants = on
    lower = replace(board, power_limit_w=0.9 * board.power_limit_w)
    assert totals(model, lower, constants, [row])[0] >= totals(model, board, constants, [row])[
        0
    ] * (1 - 1e-12)


@pytest.mark.parametrize("column", ["iterations", "decode_context", "prompts_finished"])
@given(row=segments(), model=models, on=boards_with_constants())
@HALF
def test_more_work_takes_more_time_and_energy(column, row, model, on):
    more = list(row)
    more[COLUMNS.index(column)] += 1
    base_s, base_j = totals(model, *on, [row])
    more_s, more_j = totals(model, *on, [tuple(more)])
    assert more_s >= base_s
    assert more_j >= base_j


@given(row=segments(), model=models, on=boards_with_constants(), lower=st.floats(0.4, 1))
def test_lower_clock_never_saves_time_where_no_limit_is_met(row, model, on, lower):
    board, constants = on
    board = replace(board, power_limit_w=1e9)
    slower = replace(board, clock_share=lower * board.clock_share)
    fast, slow = (costed(model, each, constants, [row]) for each in (board, slower))
    assert slow.duration_s >= fast.duration_s * (1 - 1e-12)
    if not fast.host_s:  # else the host may hide it
        share = slow.full_clock_s / slow.duration_s
        assert share == pytest.approx(slower.clock_share, rel=1e-12)


@pytest.mark.parametrize("row", [PROMPT, (1, *DECODE[1:])], ids=["prompts", "decode"])
def test_straight_lines_between_clocks_are_within_03_percent_of_many_clocks(
    board, constants, monkeypatch, row
):
    limits_w = np.linspace(250, 700, 10)

    def times_s():
        return [
            totals(LLAMA, replace(board, power_limit_w=limit_w), constants, [row])[0]
            for limit_w in limits_w
        ]

    lines = times_s()
    lowest = STEP ** (CLOCKS - 1)
    monkeypatch.setattr(clocks, "CLOCKS", 60)
    monkeypatch.setattr(clocks, "STEP", lowest ** (1 / 59))
    many = times_s()
    assert lines == pytest.approx(many, rel=3e-3)
    assert lines != pytest.approx(many, rel=3e-4)


@pytest.mark.parametrize(
    ("requests", "input_tokens", "output_tokens"),
    [(100, 2048, 32), (64, 64, 512), (300, 512, 512)],
    ids=["prompts", "decode", "both"],
)
def test_joules_per_token_have_a_minimum_between_low_and_high_power_limits(
    requests, input_tokens, output_tokens
):
    """As published sweeps of power limits have (arXiv 2605.11999, 2501.08219)."""
    deployment = deploy("llama-3.1-8b", "h100-sxm", limits=Limits(max_batch_size=256))
    limits_w = range(200, 701, 50)
    runs = [
        simulate(
            replace(deployment, gpu=replace(deployment.gpu, power_limit_w=float(limit_w))),
            requests=requests,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
        )
        for limit_w in limits_w
    ]
    energies_j = [run.energy_j for run in runs]
    best = int(np.argmin(energies_j))
    assert 0 < best < len(energies_j) - 1
    assert energies_j[: best + 1] == sorted(energies_j[: best + 1], reverse=True)
    assert energies_j[best:] == sorted(energies_j[best:])
    assert energies_j[-1] > 1.05 * energies_j[best]
    times_s = [run.duration_s for run in runs]
    assert times_s == sorted(times_s, reverse=True)


def test_decode_step_by_hand(board, constants):
    """One request's decode step: every weight once; compute adds next to nothing."""
    plain = constants.having(
        layer_overhead_s=0.0,
        step_overhead_s=0.0,
        sequence_overhead_s=0.0,
        elementwise_passes=0.0,
        logit_bytes=0.0,
    )
    kernels = replace(plain.kernels, gemm_passes=0.0, decode_pair_s=0.0)
    plain = replace(plain, kernels=kernels)
    limitless = replace(board, power_limit_w=1e9)
    duration_s, energy_j = totals(LLAMA, limitless, plain, [(1, 1, 500, 0, 0, 0, 0, 0)])
    streamed = 2 * (LLAMA.linear_weights + LLAMA.vocab * LLAMA.hidden)
    kv_bytes = 501 * 2 * 32 * 8 * 128 * 2
    bandwidth = board.bandwidth_bytes_per_s
    expected_s = streamed / (bandwidth * kernels.bandwidth_efficiency) + kv_bytes / (
        bandwidth * kernels.kv_bandwidth_efficiency
    )
    assert duration_s == pytest.approx(expected_s, rel=1e-5)
    flops = streamed + 500 * 4 * 32 * 4096
    expected_j = (
        plain.board.active_power_w * duration_s
        + plain.board.flop_energy_j * flops
        + plain.board.byte_energy_j * streamed
        + plain.engine.weight_byte_energy_j * 2 * LLAMA.linear_weights
        + plain.board.kv_byte_energy_j * kv_bytes
    )
    assert energy_j == pytest.approx(expected_j, rel=1e-9)


def test_gemm_at_a_clock_by_hand(board, constants):
    """Compute time over the clock, overlapped with memory time; joules by the voltage there."""
    half = replace(board, power_limit_w=1e9, clock_share=0.5)
    flops, weight_bytes = 3e12, 5e9
    changes = {"gemm_flops": flops, "weight_bytes": weight_bytes, "layers": 0.0}
    segment = replace(step_work(1), **{name: np.array([v]) for name, v in changes.items()})
    found = cost(segment, half, constants.having(step_overhead_s=0.0))
    k, b = constants.kernels, constants.board
    compute_s = flops / (half.fp16_flops * k.flop_efficiency) / 0.5
    memory_s = weight_bytes / (half.bandwidth_bytes_per_s * k.bandwidth_efficiency)
    norm = k.overlap_norm
    assert found.duration_s[0] == pytest.approx((compute_s**norm + memory_s**norm) ** (1 / norm))
    expected_j = (
        waiting_power_w(b, 0.5) * found.duration_s[0]
        + voltage_squared(b, 0.5) * b.flop_energy_j * flops
        + on_die(b, 0.5) * b.byte_energy_j * weight_bytes
        + constants.engine.weight_byte_energy_j * weight_bytes
    )
    assert found.energy_j[0] == pytest.approx(expected_j)
    assert found.full_clock_s[0] == pytest.approx(0.5 * found.duration_s[0])


# Each kind of work, and what one of its unit adds: seconds, and joules beside the waiting power.
ADDS = {
    "layers": lambda g, c: (c.engine.layer_overhead_s, 0),
    "sequences": lambda g, c: (c.engine.sequence_overhead_s, 0),
    "norms": lambda g, c: (c.engine.unfused_norm_s, 0),
    "norm_elements": lambda g, c: moved(g, c, c.engine.unfused_norm_bytes),
    "prompts_finished": lambda g, c: (c.engine.request_overhead_s, c.engine.request_energy_j),
    "elementwise_bytes": lambda g, c: moved(g, c, c.engine.elementwise_passes),
    "logits": lambda g, c: moved(g, c, c.engine.logit_bytes),
    "logit_weight_bytes": lambda g, c: moved(g, c, 1),
    "prompt_bytes": lambda g, c: moved(g, c, 1),
    "prompt_flops": lambda g, c: (attended_s(g, c), c.board.flop_energy_j),
    "prompt_token_flops": lambda g, c: (c.kernels.prompt_start_pairs * attended_s(g, c), 0),
    "decode_flops": lambda g, c: (0, c.board.flop_energy_j),
    "decode_heads": lambda g, c: (c.kernels.decode_pair_s, 0),
    "kv_bytes": lambda g, c: (
        1 / (g.bandwidth_bytes_per_s * c.kernels.kv_bandwidth_efficiency),
        c.board.kv_byte_energy_j,
    ),
}


def moved(board, constants, size):
    """Return seconds and joules of bytes on the memory bus."""
    bandwidth = board.bandwidth_bytes_per_s * constants.kernels.bandwidth_efficiency
    return size / bandwidth, size * constants.board.byte_energy_j


def attended_s(board, constants):
    return 1 / (board.fp16_flops * constants.kernels.prompt_efficiency[128])


@given(row=segments(), model=models, on=boards())
def test_what_kernels_are_said_to_have_beside_is_read_nowhere(row, model, on):
    known = stated_on(gpu(on.id))
    none = replace(known.kernels, **dict.fromkeys(BESIDE, math.nan))
    found = [totals(model, on, each, [row]) for each in (known, replace(known, kernels=none))]
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ADDS)
def test_each_kind_of_work_adds_its_own_time_and_energy(board, constants, name):
    limitless = replace(board, power_limit_w=1e12)
    constants = constants.having(
        unfused_norm_s=2e-5, unfused_norm_bytes=40.0, request_overhead_s=1e-4
    )
    base, amount = step_work(1), 1e9
    without = cost(base, limitless, constants)
    with_it = cost(replace(base, **{name: np.array([amount])}), limitless, constants)
    more_s = (with_it.duration_s - without.duration_s)[0]
    more_j = (with_it.energy_j - without.energy_j)[0] - constants.board.active_power_w * more_s
    added = amount - getattr(base, name)[0]
    seconds, joules = (each * added for each in ADDS[name](board, constants))
    assert more_s == pytest.approx(seconds, rel=1e-6, abs=1e-12)
    assert more_j == pytest.approx(joules, rel=1e-6, abs=1e-6)


def test_shared_heads_spend_less_per_byte_and_wide_ones_more(board, constants):
    changed = constants.having(kv_energy_sharing=0.1, flop_energy_j=0.0)
    unshared = replace(LLAMA, kv_heads=LLAMA.heads)
    wide = replace(LLAMA, heads=16, kv_heads=4, head_dim=256)
    rows = [(1, 64, 64 * 4000, 0, 0, 0, 0, 0)]
    each_j = changed.board.kv_byte_energy_j

    def cache_j(architecture):
        limitless, none = replace(board, power_limit_w=1e9), changed.having(kv_byte_energy_j=0.0)
        with_it, without = (totals(architecture, limitless, c, rows)[1] for c in (changed, none))
        return (with_it - without) / work(architecture, schedule_of(rows)).kv_bytes[0]

    assert cache_j(LLAMA) == pytest.approx(each_j, rel=1e-6)
    assert cache_j(unshared) == pytest.approx(4**0.1 * each_j, rel=1e-6)
    penalty = changed.kernels.wide_head_penalty
    assert cache_j(wide) == pytest.approx(penalty * each_j, rel=1e-6)
