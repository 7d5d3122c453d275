"""Static batches against a step-by-step scheduler, and refusals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.catalog import catalog_entry, gpu
from sweetspot.errors import EngineError
from sweetspot.simulator.constants.calibration_file import load_calibration
from sweetspot.simulator.cost.step_costs import StepCosts
from sweetspot.simulator.deployment.scheduler_limits import SchedulerLimits
from sweetspot.simulator.deployment.windows import Windows
from sweetspot.simulator.schedule.requests import Request
from sweetspot.simulator.schedule.segments import Ran
from sweetspot.simulator.schedule.static import StaticBatching
from sweetspot.simulator.serve import serve

H100 = gpu("h100-sxm")
CONSTANTS = load_calibration(H100).constants
LLAMA = catalog_entry("llama-3.1-8b").architecture


class Clock:
    """An iteration takes 1 s and an eighth per token; iterations are written down."""

    def __init__(self):
        self.iterations = []

    def run(self, segment, now_s):
        if not segment.iterations:
            return Ran(0, segment.wake_s - now_s, 0.0)
        duration_s = 0.0
        for j in range(segment.iterations):
            context = segment.decode_context + j * segment.decodes
            sliding = segment.sliding_context + j * segment.sliding_decodes
            step = (segment.decodes, context, segment.prompt_tokens, segment.prompt_pairs)
            step += (sliding, segment.sliding_pairs)
            self.iterations.append((now_s + duration_s, *step))
            duration_s += 1 + (segment.decodes + segment.prompt_tokens) / 8
        return Ran(segment.iterations, duration_s, 0.0)


def stepped(requests, limits):
    """Run batch after batch, one padded forward pass at a time."""
    waiting, iterations, ended, now_s = list(requests), [], [], 0.0
    windows, window = limits.windows, limits.windows.tokens
    while waiting:
        now_s = max(now_s, waiting[0].arrival_s)
        batch = []
        while waiting and waiting[0].arrival_s <= now_s:
            tried = [*batch, waiting[0]]
            prompt = max(r.input_tokens for r in tried)
            tokens = prompt + max(r.output_tokens for r in tried)
            of_full, of_sliding = (
                -(-n // limits.tokens_per_block) for n in (tokens, min(tokens, window))
            )
            of_one = windows.full_layers * of_full + windows.sliding_layers * of_sliding
            blocks = limits.kv_blocks * (windows.full_layers + windows.sliding_layers)
            if len(tried) > limits.max_batch_size or len(tried) * of_one > blocks:
                break
            if len(tried) * prompt > limits.max_num_tokens:
                break
            batch = tried
            del waiting[0]
        size, prompt = len(batch), max(r.input_tokens for r in batch)
        pairs = size * sum(range(prompt + 1))
        sliding_pairs = size * sum(min(n, window) for n in range(prompt + 1))
        iterations.append((now_s, 0, 0, size * prompt, pairs, 0, sliding_pairs))
        now_s += 1 + size * prompt / 8
        first_s = now_s
        for step in range(1, max(r.output_tokens for r in batch)):
            context = prompt + step
            sliding = size * min(context, window)
            iterations.append((now_s, size, size * context, 0, 0, sliding, 0))
            now_s += 1 + size / 8
        ended += [(r, first_s, now_s) for r in batch]
    return iterations, ended


def run_out(scheduler, clock):
    ended, now_s = [], 0.0
    while (segment := scheduler.plan(now_s)) is not None:
        ran = clock.run(segment, now_s)
        now_s += ran.duration_s
        ended += [tuple(each) for each in scheduler.advance(ran.iterations, now_s)]
    return ended


@st.composite
def loads(draw, longest=30):
    lengths = st.integers(1, longest)
    now_s, requests = 0.0, []
    for _ in range(draw(st.integers(1, 12))):
        requests.append(Request(now_s, draw(lengths), draw(lengths)))
        now_s += draw(st.one_of(st.just(0.0), st.integers(0, 400).map(lambda n: n / 8)))
    block = draw(st.integers(1, 8))
    limits = SchedulerLimits(
        max_batch_size=draw(st.integers(1, 6)),
        max_num_tokens=draw(st.integers(longest, 4 * longest)),
        kv_blocks=-(-2 * longest // block) + draw(st.integers(0, 4 * longest)),
        tokens_per_block=block,
        windows=Windows(
            tokens=draw(st.integers(1, 2 * longest + 2)),
            full_layers=draw(st.integers(0, 2)),
            sliding_layers=draw(st.integers(1, 2)),
        ),
    )
    return requests, limits


@given(loads())
def test_segments_are_the_iterations_of_the_step_by_step_scheduler(load):
    clock = Clock()
    iterations, ended = stepped(*load)
    assert run_out(StaticBatching(*load), clock) == ended
    assert clock.iterations == iterations


@given(loads(longest=400))
def test_every_request_ends_and_limits_hold(load):
    requests, limits = load
    found = serve(StaticBatching(*load), StepCosts(LLAMA, H100, CONSTANTS, limits))
    assert found.requests == len(requests)
    assert found.output_tokens == sum(r.output_tokens for r in requests)
    assert found.max_batch <= limits.max_batch_size
    assert found.energy_j >= found.duration_s * CONSTANTS.board.active_power_w


@given(loads(longest=400), st.integers(1, 300), st.integers(1, 300))
def test_one_request_more_at_the_end_takes_more(load, prompt, answer):
    requests, limits = load
    clock = StepCosts(LLAMA, H100, CONSTANTS, limits)
    less = serve(StaticBatching(requests, limits), clock)
    more = [*requests, Request(requests[-1].arrival_s, prompt, answer)]
    assert serve(StaticBatching(more, limits), clock).energy_j > less.energy_j


LIMITS = SchedulerLimits(max_batch_size=8, max_num_tokens=64, kv_blocks=10, tokens_per_block=16)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request(0, 60, 101), r"request 1 of 60 \+ 101 tokens .* KV cache \(160 tokens\)"),
        (Request(0, 65, 1), "prompt of 65 tokens, more than max_num_tokens 64"),
    ],
)
def test_request_that_can_never_run_is_refused(request_, message):
    with pytest.raises(EngineError, match=message):
        StaticBatching([request_], LIMITS)
