"""In-flight batching of any requests against a step-by-step scheduler, and its laws."""

from dataclasses import dataclass, field, replace
from functools import partial
from math import inf

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sweetspot.catalog import catalog_entry, gpu
from sweetspot.errors import EngineError
from sweetspot.simulator.constants.calibration_file import load_calibration
from sweetspot.simulator.cost.roofline import cost
from sweetspot.simulator.cost.step_costs import StepCosts
from sweetspot.simulator.cost.work import work
from sweetspot.simulator.deployment.cuda_graphs import cuda_graphs
from sweetspot.simulator.deployment.scheduler_limits import SchedulerLimits
from sweetspot.simulator.deployment.shard import shard
from sweetspot.simulator.deployment.windows import NO_WINDOWS, Windows
from sweetspot.simulator.schedule.identical import Schedule, schedule
from sweetspot.simulator.schedule.in_flight import InFlightBatching, Policy
from sweetspot.simulator.schedule.requests import Request
from sweetspot.simulator.schedule.segments import Ran
from sweetspot.simulator.serve import serve

H100 = gpu("h100-sxm")
CONSTANTS = load_calibration(H100).constants
LLAMA = catalog_entry("llama-3.1-8b").architecture


@dataclass(frozen=True)
class Iteration:
    """One forward pass, and when it began."""

    begin_s: float
    decodes: int = 0
    decode_context: int = 0
    prompt_tokens: int = 0
    prompt_pairs: int = 0
    prompt_context: int = 0
    prompts: int = 0
    prompts_finished: int = 0
    sliding_context: int = 0
    sliding_decodes: int = 0
    sliding_pairs: int = 0
    sliding_prompt_context: int = 0


def plain_s(iteration):
    """Return an iteration's time in binary fractions, so that sums in any order are equal."""
    return (
        1
        + iteration.decodes / 4
        + iteration.prompt_tokens / 8
        + (iteration.decode_context + iteration.prompt_pairs) / 64
    )


@dataclass(eq=False)  # two requests in the same state are still two
class Sequence:
    """One request of the step-by-step scheduler."""

    request: Request
    prompt: int = field(init=False)
    done: int = 0
    generated: int = 0
    first_token_s: float | None = None

    def __post_init__(self):
        self.prompt = self.request.input_tokens

    @property
    def decodes(self):
        return self.done == self.prompt

    @property
    def context(self):
        return self.request.input_tokens + self.generated


def stepped(requests, limits, policy, chunked, iteration_s=plain_s):
    """Run the rules one iteration and one request at a time.

    Returns the iterations, the requests with their first and last token in the order of ending,
    and the number of pauses.
    """
    growing = policy is Policy.MAX_UTILIZATION
    windows = limits.windows
    window, slides = windows.tokens, windows.sliding_layers > 0
    kv_blocks = limits.kv_blocks * (windows.full_layers + windows.sliding_layers)

    def blocks(sequence):
        tokens = sequence.request.input_tokens + sequence.request.output_tokens
        if growing:
            tokens = sequence.context if sequence.decodes else sequence.prompt
        full, kept = (-(-n // limits.tokens_per_block) for n in (tokens, min(tokens, window)))
        return windows.full_layers * full + windows.sliding_layers * kept

    waiting = [Sequence(request) for request in requests]
    in_flight, iterations, ended, pauses = [], [], [], 0
    now_s = requests[0].arrival_s
    while waiting or in_flight:
        while sum(map(blocks, in_flight)) > kv_blocks:
            last = in_flight.pop()
            last.prompt, last.done = last.context, 0
            waiting.insert(0, last)
            pauses += 1
        decoding = [s for s in in_flight if s.decodes]
        budget = limits.max_num_tokens - len(decoding)
        chunks = []
        for sequence in [s for s in in_flight if not s.decodes] + waiting:
            if sequence not in in_flight:
                full = len(in_flight) == limits.max_batch_size
                taken = sum(map(blocks, in_flight)) + blocks(sequence)
                if sequence.request.arrival_s > now_s or full or taken > kv_blocks:
                    break
            left = chunk = sequence.prompt - sequence.done
            if chunk > budget:
                chunk = budget - budget % limits.tokens_per_block if chunked else 0
            if chunk == 0:
                break
            if sequence not in in_flight:
                in_flight.append(sequence)
                waiting.remove(sequence)
            chunks.append((sequence, chunk))
            budget -= chunk
            if chunk < left:
                break
        if not in_flight:
            now_s = waiting[0].request.arrival_s
            continue
        assert sum(map(blocks, in_flight)) <= kv_blocks
        assert budget >= 0
        ending = [s for s, chunk in chunks if s.done + chunk == s.prompt]
        iteration = Iteration(
            begin_s=now_s,
            decodes=len(decoding),
            decode_context=sum(s.context for s in decoding),
            prompt_tokens=sum(chunk for _, chunk in chunks),
            prompt_pairs=sum(sum(range(s.done + 1, s.done + c + 1)) for s, c in chunks),
            prompt_context=sum(s.done for s, _ in chunks),
            prompts=len(chunks),
            prompts_finished=len(ending),
        )
        if slides:
            iteration = replace(
                iteration,
                sliding_context=sum(min(s.context, window) for s in decoding),
                sliding_decodes=sum(s.context < window for s in decoding),
                sliding_pairs=sum(
                    sum(min(p, window) for p in range(s.done + 1, s.done + c + 1))
                    for s, c in chunks
                ),
                sliding_prompt_context=sum(min(s.done, window - 1) for s, _ in chunks),
            )
        iterations.append(iteration)
        now_s += iteration_s(iteration)
        for sequence, chunk in chunks:
            sequence.done += chunk
        for sequence in ending + decoding:
            if sequence.first_token_s is None:
                sequence.first_token_s = now_s
            sequence.generated += 1
            if sequence.generated == sequence.request.output_tokens:
                in_flight.remove(sequence)
                ended.append((sequence.request, sequence.first_token_s, now_s))
    return iterations, ended, pauses


class SteppingClock:
    """Runs a segment iteration by iteration and writes them down."""

    def __init__(self, iteration_s=plain_s):
        self.iteration_s = iteration_s
        self.iterations = []
        self.waits = []

    def run(self, segment, now_s):
        most, wake_s, decodes, context, *rest = segment
        prompts, (sliding, filling, *sliding_prompts) = rest[:5], rest[5:]
        if most == 0:
            self.waits.append((now_s, wake_s))
            return Ran(0, wake_s - now_s, 0.0)
        assert most == 1 or not any(prompts + sliding_prompts)
        made, end_s = 0, now_s
        while made < most and (made == 0 or end_s < wake_s):
            iteration = Iteration(
                *(end_s, decodes, context + made * decodes, *prompts),
                *(sliding + made * filling, filling, *sliding_prompts),
            )
            self.iterations.append(iteration)
            end_s += self.iteration_s(iteration)
            made += 1
        return Ran(made, end_s - now_s, 0.0)


def run_out(scheduler, clock):
    """Run a scheduler to its end and return what ended, as the step-by-step one says it."""
    ended, now_s = [], 0.0
    while (segment := scheduler.plan(now_s)) is not None:
        ran = clock.run(segment, now_s)
        now_s += ran.duration_s
        ended += [tuple(each) for each in scheduler.advance(ran.iterations, now_s)]
    return ended


@st.composite
def arriving(draw, most, longest, gaps_s):
    """Draw requests in the order of arrival."""
    lengths = st.integers(1, longest)
    now_s, requests = 0.0, []
    for _ in range(draw(st.integers(1, most))):
        requests.append(Request(now_s, draw(lengths), draw(lengths)))
        now_s += draw(gaps_s)
    return requests


WINDOWS = Windows(tokens=21, full_layers=1, sliding_layers=2)
SOME_GAPS_S = st.one_of(st.just(0.0), st.integers(0, 400).map(lambda n: n / 8))


def some_windows(longest):
    """Draw windows smaller than the sequences, as long, longer, or none."""
    windows = st.builds(
        Windows,
        tokens=st.integers(1, 2 * longest + 2),
        full_layers=st.integers(0, 3),
        sliding_layers=st.integers(1, 3),
    )
    return st.just(NO_WINDOWS) | windows


@st.composite
def servers(draw, requests, largest_batch=8):
    """Draw limits within which each of the requests can run, a policy and chunked prefill."""
    block = draw(st.integers(1, 8))
    batch = draw(st.integers(1, largest_batch))
    chunked = draw(st.booleans())
    longest = max(r.input_tokens + r.output_tokens for r in requests)
    least = max(batch, block) if chunked else max(batch, block, longest)
    limits = SchedulerLimits(
        max_batch_size=batch,
        max_num_tokens=least + draw(st.integers(0, 2 * longest)),
        kv_blocks=-(-longest // block) + draw(st.integers(0, 2 * longest)),
        tokens_per_block=block,
        windows=draw(some_windows(longest)),
    )
    return limits, draw(st.sampled_from(Policy)), chunked


def scheduler_of(requests, server):
    limits, policy, chunked = server
    return InFlightBatching(requests, limits, policy=policy, chunked_prefill=chunked)


@settings(max_examples=4 * settings.default.max_examples)
@given(st.data())
def test_segments_are_the_iterations_of_the_step_by_step_scheduler(data):
    requests = data.draw(arriving(most=12, longest=30, gaps_s=SOME_GAPS_S))
    server = data.draw(servers(requests))
    expected, ended, pauses = stepped(requests, *server)
    scheduler, clock = scheduler_of(requests, server), SteppingClock()
    assert sorted(run_out(scheduler, clock)) == sorted(ended)
    assert clock.iterations == expected
    assert scheduler.pauses == pauses


@pytest.mark.parametrize("windows", [NO_WINDOWS, WINDOWS], ids=["full", "sliding"])
@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("policy", Policy)
def test_cache_under_pressure_is_that_of_the_step_by_step_scheduler(policy, chunked, windows):
    """Long runs at the edge of the cache, where MAX_UTILIZATION pauses again and again."""
    rng = np.random.default_rng(5)
    requests = [Request(float(i), *rng.integers(1, 60, 2).tolist()) for i in range(60)]
    limits = SchedulerLimits(
        max_batch_size=16, max_num_tokens=120, kv_blocks=30, tokens_per_block=8, windows=windows
    )
    expected, ended, pauses = stepped(requests, limits, policy, chunked)
    scheduler, clock = scheduler_of(requests, (limits, policy, chunked)), SteppingClock()
    assert sorted(run_out(scheduler, clock)) == sorted(ended)
    assert clock.iterations == expected
    assert scheduler.pauses == pauses
    assert (pauses > 10) == (policy is Policy.MAX_UTILIZATION)


@given(st.data())
def test_window_as_long_as_the_sequences_is_full_attention(data):
    requests = data.draw(arriving(most=12, longest=30, gaps_s=SOME_GAPS_S))
    limits, policy, chunked = data.draw(servers(requests))
    longest = max(r.input_tokens + r.output_tokens for r in requests)
    windows = Windows(tokens=longest, full_layers=1, sliding_layers=2)
    plain, found = SteppingClock(), SteppingClock()
    for clock, has in ((plain, NO_WINDOWS), (found, windows)):
        server = (replace(limits, windows=has), policy, chunked)
        run_out(scheduler_of(requests, server), clock)
    assert found.iterations == [
        replace(
            i,
            sliding_context=i.decode_context,
            sliding_decodes=i.decodes,
            sliding_pairs=i.prompt_pairs,
            sliding_prompt_context=i.prompt_context,
        )
        for i in plain.iterations
    ]


def test_pause_by_hand():
    """Two requests outgrow three blocks of 4; the later one is dropped and begins again."""
    limits = SchedulerLimits(max_batch_size=2, max_num_tokens=16, kv_blocks=3, tokens_per_block=4)
    requests = [Request(0.0, 3, 4), Request(0.0, 3, 4)]
    scheduler = InFlightBatching(requests, limits, policy=Policy.MAX_UTILIZATION)
    clock = SteppingClock(lambda iteration: 1)
    ended = run_out(scheduler, clock)
    assert [each[1:] for each in ended] == [(1, 4), (1, 6)]
    assert clock.iterations == [
        Iteration(0, 0, 0, 6, 12, 0, 2, 2),
        Iteration(1, 2, 8),  # 4 tokens each fill their blocks
        Iteration(2, 1, 5),  # two blocks for one leave one: not for 5 tokens of the other
        Iteration(3, 1, 6),
        Iteration(4, 0, 0, 5, 15, 0, 1, 1),  # 3 of the prompt and the 2 that it had
        Iteration(5, 1, 6),
    ]
    assert scheduler.pauses == 1


def test_arrival_joins_at_the_end_of_the_iteration_in_which_it_comes():
    limits = SchedulerLimits(max_batch_size=4, max_num_tokens=64, kv_blocks=99, tokens_per_block=4)
    clock = SteppingClock(lambda iteration: 1)
    ended = run_out(InFlightBatching([Request(0, 4, 9), Request(2.5, 4, 2)], limits), clock)
    assert [i.begin_s for i in clock.iterations if i.prompts] == [0, 3]
    assert [each[1:] for each in ended] == [(4, 5), (1, 9)]


@pytest.mark.parametrize("kv_blocks", [99, 4])
def test_arrival_that_cannot_join_cuts_no_segment(kv_blocks):
    """Behind a full batch or a full cache, nothing changes until a request ends."""
    batch = 1 if kv_blocks == 99 else 9
    limits = SchedulerLimits(
        max_batch_size=batch, max_num_tokens=64, kv_blocks=kv_blocks, tokens_per_block=4
    )
    requests = [Request(3.5 * i, 4, 9) for i in range(20)]
    clock = RecordingClock(SteppingClock(lambda iteration: 1))
    run_out(InFlightBatching(requests, limits), clock)
    assert len(clock.segments) == 2 * len(requests)


def test_nothing_in_flight_waits_for_the_next_arrival():
    limits = SchedulerLimits(max_batch_size=4, max_num_tokens=64, kv_blocks=99, tokens_per_block=4)
    clock = SteppingClock(lambda iteration: 1)
    run_out(InFlightBatching([Request(0, 4, 2), Request(10.5, 4, 1)], limits), clock)
    assert clock.waits == [(2, 10.5)]


@given(st.data(), st.integers(1, 20), st.integers(1, 60), st.integers(1, 60))
def test_identical_requests_at_once_are_those_of_the_closed_form(data, n, prompt, answer):
    requests = [Request(0.0, prompt, answer)] * n
    limits, _, _ = data.draw(servers(requests))
    assume(limits.max_num_tokens >= min(prompt, limits.tokens_per_block))
    clock = SteppingClock()
    run_out(InFlightBatching(requests, limits), clock)
    plan = schedule(requests=n, input_tokens=prompt, output_tokens=answer, limits=limits)
    expected = [
        [
            int(plan.decodes[i]),
            int(plan.decode_context[i] + j * plan.decodes[i]),
            int(plan.sliding_context[i] + j * plan.sliding_decodes[i]),
        ]
        + [int(getattr(plan, name)[i]) for name in PROMPT_COLUMNS]
        for i in range(plan.iterations.size)
        for j in range(plan.iterations[i])
    ]
    found = [
        [i.decodes, i.decode_context, i.sliding_context] + [getattr(i, n) for n in PROMPT_COLUMNS]
        for i in clock.iterations
    ]
    assert found == expected


PROMPT_COLUMNS = (
    "prompt_tokens",
    "prompt_pairs",
    "prompt_context",
    "prompts",
    "prompts_finished",
    "sliding_pairs",
    "sliding_prompt_context",
)


class RecordingClock:
    """Passes segments on and keeps them with what they took."""

    def __init__(self, clock):
        self.clock = clock
        self.segments = []

    def run(self, segment, now_s):
        ran = self.clock.run(segment, now_s)
        self.segments.append((segment, ran))
        return ran


def model_of(limits):
    """Return a model with the windows of the limits."""
    windows = limits.windows
    if not windows.sliding_layers:
        return LLAMA
    model = replace(
        LLAMA,
        layers=windows.layers,
        sliding_layers=windows.sliding_layers,
        sliding_window=windows.tokens,
    )
    return shard(model, sliding_windows=True)


def served(requests, server, *, board=H100, constants=CONSTANTS):
    clock = RecordingClock(StepCosts(model_of(server[0]), board, constants, server[0]))
    return serve(scheduler_of(requests, server), clock), clock.segments


REAL_GAPS_S = st.one_of(st.just(0.0), st.floats(0, 0.2), st.floats(0, 5))


@st.composite
def loads(draw, gaps_s=REAL_GAPS_S):
    """Draw requests of real lengths and a server that is short of cache or not."""
    requests = draw(arriving(most=40, longest=900, gaps_s=gaps_s))
    return requests, draw(servers(requests, largest_batch=24))


@given(loads())
def test_every_request_ends_and_nothing_is_lost(load):
    requests, server = load
    limits, policy, chunked = server
    windows = limits.windows
    found, segments = served(requests, server)
    assert found.requests == len(requests)
    assert found.input_tokens == sum(r.input_tokens for r in requests)
    assert found.output_tokens == sum(r.output_tokens for r in requests)
    generated = sum(ran.iterations * s.decodes + s.prompts_finished for s, ran in segments)
    assert generated == found.output_tokens
    processed = sum(s.prompt_tokens for s, _ in segments)
    if policy is Policy.GUARANTEED_NO_EVICT:
        assert processed == found.input_tokens
        assert found.pauses == 0
    else:
        assert (processed > found.input_tokens) >= (found.pauses > 0)
    for segment, ran in segments:
        assert segment.decodes + segment.prompt_tokens <= limits.max_num_tokens
        assert segment.decodes + segment.prompts <= limits.max_batch_size
        assert 0 <= ran.iterations <= segment.iterations
        grown = ran.iterations - 1 if ran.iterations else 0
        held = windows.full_layers * (segment.decode_context + grown * segment.decodes)
        if windows.sliding_layers:
            read = segment.sliding_context + grown * segment.sliding_decodes
            assert read <= segment.decode_context + grown * segment.decodes
            held += windows.sliding_layers * read
        assert held <= limits.kv_blocks * limits.tokens_per_block * windows.layers
        if not chunked:
            assert segment.prompts == segment.prompts_finished


@given(loads())
def test_energy_and_time_are_the_sums_of_their_parts(load):
    found, segments = served(*load)
    waits = [ran for _, ran in segments if not ran.iterations]
    assert found.energy_j == pytest.approx(sum(ran.energy_j for _, ran in segments), rel=1e-9)
    assert found.duration_s == pytest.approx(sum(ran.duration_s for _, ran in segments), rel=1e-9)
    assert found.idle_s == pytest.approx(sum(ran.duration_s for ran in waits), rel=1e-9)
    assert found.idle_energy_j == pytest.approx(
        found.idle_s * CONSTANTS.board.active_power_w, rel=1e-9
    )
    assert found.iterations == sum(ran.iterations for _, ran in segments)
    assert CONSTANTS.board.active_power_w <= found.mean_power_w * (1 + 1e-9)
    assert found.mean_power_w <= H100.power_limit_w * (1 + 1e-9)


def physical_s(limits, iteration):
    """Return what `cost` says of one iteration, without tables or closed forms."""
    counts = {name: np.array([value]) for name, value in vars(iteration).items()}
    counts["iterations"] = np.array([1])
    del counts["begin_s"]
    done = work(model_of(limits), Schedule(**counts), limits.graphs)
    return cost(done, H100, CONSTANTS).duration_s.item()


@settings(max_examples=settings.default.max_examples // 2)
@given(st.data())
def test_times_are_those_of_the_step_by_step_scheduler_with_real_costs(data):
    requests = data.draw(arriving(most=10, longest=60, gaps_s=st.floats(0, 0.3)))
    limits, *how = data.draw(servers(requests))
    graphs = data.draw(st.sampled_from(["none", "vllm", "tensorrt-llm"]))
    graphs = cuda_graphs(graphs, limits.max_batch_size, limits.max_num_tokens)
    server = (limits := replace(limits, graphs=graphs), *how)
    iterations, ended, pauses = stepped(requests, *server, partial(physical_s, limits))
    found, _ = served(requests, server)
    assert found.iterations == len(iterations)
    assert found.pauses == pauses
    assert found.duration_s == pytest.approx(max(end_s for *_, end_s in ended), rel=1e-9)
    waits_s = [end_s - request.arrival_s for request, _, end_s in ended]
    assert found.end_to_end.mean_s == pytest.approx(np.mean(waits_s), rel=1e-9)
    firsts_s = [first_s - request.arrival_s for request, first_s, _ in ended]
    assert found.first_token.mean_s == pytest.approx(np.mean(firsts_s), rel=1e-9)


@given(loads(), st.integers(1, 200), st.integers(1, 200), st.floats(0, 3))
def test_one_request_more_at_the_end_takes_more(load, prompt, answer, gap_s):
    requests, server = load
    longest = max(r.input_tokens + r.output_tokens for r in requests)
    assume(prompt + answer <= longest)
    less, _ = served(requests, server)
    more, _ = served([*requests, Request(requests[-1].arrival_s + gap_s, prompt, answer)], server)
    assert more.energy_j > less.energy_j
    assert more.duration_s >= less.duration_s * (1 - 1e-12)


@pytest.mark.parametrize("name", ["bandwidth_bytes_per_s", "fp16_flops", "power_limit_w"])
@settings(max_examples=settings.default.max_examples // 2)
@given(loads(gaps_s=st.just(0.0)))
def test_faster_board_is_not_slower(name, load):
    """At once only: with later arrivals a faster board may batch them less well."""
    requests, server = load
    faster = replace(H100, **{name: getattr(H100, name) * 1.5})
    slow, _ = served(requests, server)
    fast, _ = served(requests, server, board=faster)
    assert fast.duration_s <= slow.duration_s * (1 + 1e-12)


@given(loads())
def test_latencies_are_ordered(load):
    found, _ = served(*load)
    for latency in (found.first_token, found.end_to_end):
        assert 0 < latency.p50_s <= latency.p95_s <= latency.p99_s
    assert found.first_token.mean_s <= found.end_to_end.mean_s * (1 + 1e-12)
    assert 0 < found.mean_batch <= found.max_batch * (1 + 1e-12)


LIMITS = SchedulerLimits(max_batch_size=8, max_num_tokens=64, kv_blocks=10, tokens_per_block=16)


@pytest.mark.parametrize(
    ("request_", "options", "message"),
    [
        (Request(0, 100, 61), {}, r"request 2 of 100 \+ 61 tokens .* KV cache \(160 tokens\)"),
        (Request(0, 65, 1), {"chunked_prefill": False}, "prompt of 65 tokens, more than .* 64"),
        (
            Request(0, 40, 26),
            {"chunked_prefill": False, "policy": Policy.MAX_UTILIZATION},
            "may have a prompt of 65 tokens",
        ),
    ],
)
def test_request_that_can_never_run_is_refused(request_, options, message):
    scheduler = InFlightBatching([Request(0, 1, 1), request_], LIMITS, **options)
    with pytest.raises(EngineError, match=message):
        run_out(scheduler, SteppingClock())
    fits = replace_lengths(request_, -1)
    assert len(run_out(InFlightBatching([fits], LIMITS, **options), SteppingClock())) == 1


def replace_lengths(request, change):
    """Return the request with a prompt that much longer."""
    return request._replace(input_tokens=request.input_tokens + change)


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        ([Request(1, 1, 1), Request(0, 1, 1)], "request 2 arrives before"),
        ([Request(float("nan"), 1, 1)], "request 1 arrives before"),
        ([Request(0, 0, 1)], "request 1 must have at least 1 token"),
        ([Request(0, 1, -1)], "request 1 must have at least 1 token"),
    ],
)
def test_requests_out_of_order_or_empty_are_refused(requests, message):
    with pytest.raises(ValueError, match=message):
        run_out(InFlightBatching(requests, LIMITS), SteppingClock())


@pytest.mark.parametrize("change", [{"max_num_tokens": 7}, {"tokens_per_block": 65}])
def test_budget_below_a_batch_or_a_block_is_refused(change):
    with pytest.raises(ValueError, match="max_num_tokens must hold"):
        InFlightBatching([], replace(LIMITS, **change))


def test_requests_are_read_only_as_they_arrive():
    """A trace of any length takes the memory of what is in flight."""
    taken = []

    def endless():
        for i in range(10**9):
            taken.append(i)
            yield Request(float(i), 1, 1)

    scheduler = InFlightBatching(endless(), LIMITS)
    for now_s in (0.0, 0.5, 1.0):
        scheduler.advance(scheduler.plan(now_s).iterations, now_s)
    assert len(taken) <= 3
    assert scheduler.plan(1.5).wake_s < inf
