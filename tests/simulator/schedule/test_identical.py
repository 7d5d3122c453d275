"""The event-stepped scheduler against a step-by-step one, conservation, bounds and refusals."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sweetspot.simulator.deployment.scheduler_limits import SchedulerLimits
from sweetspot.simulator.deployment.windows import NO_WINDOWS, Windows
from sweetspot.simulator.schedule.identical import schedule


@dataclass(eq=False)  # two requests in the same state are still two
class Request:
    """One request of the step-by-step scheduler."""

    prompt_tokens_done: int = 0
    output_tokens_done: int = 0


@dataclass(frozen=True)
class Iteration:
    """One forward pass."""

    decodes: int
    decode_context: int
    prompt_tokens: int
    prompt_pairs: int
    prompt_context: int
    prompts: int
    prompts_finished: int
    sliding_context: int = 0
    sliding_pairs: int = 0
    sliding_prompt_context: int = 0


def layer_blocks(tokens, limits):
    """Return the blocks of a sequence in all layers; without windows there is one to count."""
    windows = limits.windows
    return sum(
        -(-min(tokens, window) // limits.tokens_per_block)
        for layers, window in (
            (windows.full_layers, tokens),
            (windows.sliding_layers, windows.tokens),
        )
        for _ in range(layers)
    )


def stepped(requests, input_tokens, output_tokens, limits):
    """Run the rules of the scheduler's docstring one iteration and one request at a time."""
    blocks_of_one = layer_blocks(input_tokens + output_tokens, limits)
    window, slides = limits.windows.tokens, limits.windows.sliding_layers > 0
    waiting = [Request() for _ in range(requests)]
    in_flight, iterations = [], []
    while waiting or in_flight:
        decoding = [r for r in in_flight if r.prompt_tokens_done == input_tokens]
        budget = limits.max_num_tokens - len(decoding)
        # the cache holds the prompt and the outputs so far, the last of which is being fed
        contexts = [input_tokens + r.output_tokens_done for r in decoding]
        tokens = pairs = earlier = prompts = sliding_pairs = sliding_earlier = 0
        finished = []
        queue = [r for r in in_flight if r.prompt_tokens_done < input_tokens] + waiting
        for request in queue:
            if request not in in_flight:
                blocks = (len(in_flight) + 1) * blocks_of_one
                if (
                    len(in_flight) == limits.max_batch_size
                    or blocks > limits.kv_blocks * limits.windows.layers
                ):
                    break
            chunk = input_tokens - request.prompt_tokens_done
            if chunk > budget:
                chunk = budget - budget % limits.tokens_per_block
            if chunk <= 0:
                break
            if request not in in_flight:
                in_flight.append(request)
                waiting.remove(request)
            budget -= chunk
            tokens += chunk
            prompts += 1
            earlier += request.prompt_tokens_done
            # the first of the chunk sees itself, too
            sliding_earlier += min(request.prompt_tokens_done, window - 1)
            for _ in range(chunk):
                request.prompt_tokens_done += 1
                pairs += request.prompt_tokens_done
                sliding_pairs += min(request.prompt_tokens_done, window)
            if request.prompt_tokens_done < input_tokens:
                break
            finished.append(request)
        sliding = (sum(min(c, window) for c in contexts), sliding_pairs, sliding_earlier)
        iterations.append(
            Iteration(
                *(len(decoding), sum(contexts), tokens, pairs, earlier, prompts, len(finished)),
                *(sliding if slides else (0, 0, 0)),
            )
        )
        for request in decoding + finished:
            request.output_tokens_done += 1
        in_flight = [r for r in in_flight if r.output_tokens_done < output_tokens]
    return iterations


def expanded(found):
    """Return a schedule's segments as single iterations."""
    return [
        Iteration(
            int(found.decodes[i]),
            int(found.decode_context[i] + j * found.decodes[i]),
            int(found.prompt_tokens[i]),
            int(found.prompt_pairs[i]),
            int(found.prompt_context[i]),
            int(found.prompts[i]),
            int(found.prompts_finished[i]),
            int(found.sliding_context[i] + j * found.sliding_decodes[i]),
            int(found.sliding_pairs[i]),
            int(found.sliding_prompt_context[i]),
        )
        for i in range(found.iterations.size)
        for j in range(found.iterations[i])
    ]


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
def runs(draw, most_requests, longest, largest_batch):
    """Draw a run that the scheduler accepts."""
    input_tokens = draw(st.integers(1, longest))
    output_tokens = draw(st.integers(1, longest))
    batch = draw(st.integers(1, largest_batch))
    block = draw(st.integers(1, 16))
    least = max(batch, min(input_tokens, block))
    limits = SchedulerLimits(
        max_batch_size=batch,
        max_num_tokens=draw(st.integers(least, least + 2 * longest)),
        kv_blocks=-(-(input_tokens + output_tokens) // block) * draw(st.integers(1, largest_batch))
        + draw(st.integers(0, 2)),
        tokens_per_block=block,
        windows=draw(some_windows(longest)),
    )
    return draw(st.integers(1, most_requests)), input_tokens, output_tokens, limits


def run_of(run):
    requests, input_tokens, output_tokens, limits = run
    return schedule(
        requests=requests, input_tokens=input_tokens, output_tokens=output_tokens, limits=limits
    )


@settings(max_examples=4 * settings.default.max_examples)
@given(runs(most_requests=12, longest=40, largest_batch=8))
def test_segments_are_the_iterations_of_the_step_by_step_scheduler(run):
    assert expanded(run_of(run)) == stepped(*run)


@pytest.mark.parametrize(
    ("requests", "input_tokens", "output_tokens", "batch", "budget", "blocks", "block"),
    [
        (3, 5, 1, 8, 8, 9, 4),  # O = 1: nothing ever decodes
        (2, 8, 4, 8, 64, 99, 4),  # N below every limit: one wave
        (9, 8, 4, 4, 64, 99, 4),  # waves by batch size
        (9, 8, 4, 9, 64, 6, 4),  # waves by KV cache
        (5, 30, 3, 4, 8, 99, 4),  # I > budget: every prompt is cut
        (5, 30, 9, 4, 7, 99, 4),  # decodes leave less than a block: prompts wait
        (4, 3, 2, 4, 4, 99, 16),  # a budget below one block still holds whole prompts
        (1, 1, 1, 1, 1, 1, 2),
    ],
)
def test_corner_is_that_of_the_step_by_step_scheduler(
    requests, input_tokens, output_tokens, batch, budget, blocks, block
):
    limits = SchedulerLimits(
        max_batch_size=batch, max_num_tokens=budget, kv_blocks=blocks, tokens_per_block=block
    )
    run = (requests, input_tokens, output_tokens, limits)
    assert expanded(run_of(run)) == stepped(*run)


def test_two_prompts_by_hand():
    limits = SchedulerLimits(max_batch_size=2, max_num_tokens=6, kv_blocks=9, tokens_per_block=4)
    assert expanded(schedule(requests=2, input_tokens=5, output_tokens=3, limits=limits)) == [
        Iteration(0, 0, 5, 15, 0, 1, 1),  # prompt 1; of prompt 2, 1 token left is below a block
        Iteration(1, 6, 5, 15, 0, 1, 1),  # its second token beside prompt 2
        Iteration(2, 7 + 6, 0, 0, 0, 0, 0),  # its third and last
        Iteration(1, 7, 0, 0, 0, 0, 0),
    ]


@given(runs(most_requests=1500, longest=3000, largest_batch=300))
def test_tokens_and_pairs_are_conserved(run):
    requests, input_tokens, output_tokens, _ = run
    found = run_of(run)
    assert found.output_tokens == requests * output_tokens
    assert found.prompt_tokens.sum() == requests * input_tokens
    assert found.prompt_pairs.sum() == requests * input_tokens * (input_tokens + 1) // 2
    assert found.prompts_finished.sum() == requests
    # each decode of a request reads one token more than the one before
    steps = found.iterations
    read = steps * found.decode_context + found.decodes * (steps * (steps - 1) // 2)
    per_request = sum(range(input_tokens + 1, input_tokens + output_tokens))
    assert read.sum() == requests * per_request


@given(runs(most_requests=1500, longest=3000, largest_batch=300))
def test_no_limit_is_passed(run):
    _, input_tokens, output_tokens, limits = run
    found = run_of(run)
    in_flight = found.decodes + found.prompts
    blocks = layer_blocks(input_tokens + output_tokens, limits)
    assert (in_flight <= limits.max_batch_size).all()
    assert (in_flight * blocks <= limits.kv_blocks * limits.windows.layers).all()
    assert (found.decodes + found.prompt_tokens <= limits.max_num_tokens).all()
    last_context = found.decode_context + (found.iterations - 1) * found.decodes
    assert (last_context <= found.decodes * (input_tokens + output_tokens)).all()
    assert (found.iterations >= 1).all()
    assert (found.iterations[found.prompt_tokens > 0] == 1).all()
    assert (found.decodes + found.prompt_tokens > 0).all()  # no iteration does nothing


@given(runs(most_requests=60, longest=200, largest_batch=20))
def test_batch_is_full_while_requests_wait(run):
    """Whole prompts that fit budget and cache are never kept waiting."""
    requests, input_tokens, output_tokens, limits = run
    assume(limits.max_num_tokens >= limits.max_batch_size + input_tokens)
    found = run_of(run)
    capacity = min(limits.max_concurrency(input_tokens + output_tokens), requests)
    started = np.cumsum(found.prompts_finished)
    waits = started < requests
    full = found.decodes + found.prompts >= capacity
    assert (full | (found.prompts > 0) | ~waits).all()


@given(runs(most_requests=1500, longest=3000, largest_batch=300))
def test_windows_cut_a_segment_once_a_group_at_most(run):
    """Cost follows the batches that come and go, with windows as without."""
    *lengths, limits = run
    # as many requests in flight without windows: of a cache with room for all of them
    capacity = limits.max_concurrency(lengths[1] + lengths[2])
    alike = replace(limits, windows=NO_WINDOWS, max_batch_size=capacity, kv_blocks=10**9)
    whole = run_of((*lengths, alike))
    groups = int((whole.prompts_finished > 0).sum())
    assert run_of(run).iterations.size <= whole.iterations.size + groups


@pytest.mark.parametrize("output_tokens", [10, 1000, 100_000])
def test_segments_of_one_wave_do_not_grow_with_output(output_tokens):
    limits = SchedulerLimits(
        max_batch_size=64, max_num_tokens=8192, kv_blocks=10**9, tokens_per_block=64
    )
    found = schedule(requests=64, input_tokens=100, output_tokens=output_tokens, limits=limits)
    assert found.iterations.size == 2
    assert found.iterations.sum() == output_tokens


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"requests": 0}, "must be positive"),
        ({"input_tokens": 0}, "must be positive"),
        ({"output_tokens": -1}, "must be positive"),
        ({"max_batch_size": 65}, "smaller than max_batch_size"),
        ({"kv_blocks": 2}, "does not fit in the KV cache"),
        ({"kv_blocks": 0}, "does not fit in the KV cache"),
        ({"max_batch_size": 8, "max_num_tokens": 15}, "one block"),
    ],
)
def test_impossible_run_is_refused(change, message):
    numbers = {"requests": 3, "input_tokens": 32, "output_tokens": 16} | {
        "max_batch_size": 8,
        "max_num_tokens": 64,
        "kv_blocks": 9,
        "tokens_per_block": 16,
    }
    numbers |= change
    run = {name: numbers.pop(name) for name in ("requests", "input_tokens", "output_tokens")}
    with pytest.raises(ValueError, match=message):
        schedule(**run, limits=SchedulerLimits(**numbers))


def test_window_fills_in_the_middle_of_an_answer_by_hand():
    """A window of 7: the second request, one token behind, fills it one iteration later."""
    limits = SchedulerLimits(
        max_batch_size=2,
        max_num_tokens=6,
        kv_blocks=9,
        tokens_per_block=4,
        windows=Windows(tokens=7, full_layers=1, sliding_layers=1),
    )
    found = schedule(requests=2, input_tokens=5, output_tokens=5, limits=limits)
    assert found.iterations.tolist() == [1, 1, 1, 2, 1]
    assert found.decodes.tolist() == [0, 1, 2, 2, 1]
    assert found.decode_context.tolist() == [0, 6, 7 + 6, 8 + 7, 9]
    assert found.sliding_context.tolist() == [0, 6, 7 + 6, 7 + 7, 7]
    assert found.sliding_decodes.tolist() == [0, 1, 1, 0, 0]


def test_chunk_across_the_window_by_hand():
    """A prompt of 10 in chunks of 4: a sliding layer sees 6 tokens, so at most 5 before a chunk."""
    limits = SchedulerLimits(
        max_batch_size=1,
        max_num_tokens=4,
        kv_blocks=9,
        tokens_per_block=4,
        windows=Windows(tokens=6, full_layers=0, sliding_layers=3),
    )
    found = schedule(requests=1, input_tokens=10, output_tokens=1, limits=limits)
    assert found.prompt_pairs.tolist() == [1 + 2 + 3 + 4, 5 + 6 + 7 + 8, 9 + 10]
    assert found.sliding_pairs.tolist() == [1 + 2 + 3 + 4, 5 + 6 + 6 + 6, 6 + 6]
    assert found.prompt_context.tolist() == [0, 4, 8]
    assert found.sliding_prompt_context.tolist() == [0, 4, 5]


@given(run=runs(most_requests=60, longest=300, largest_batch=20), share=st.integers(1, 3))
def test_window_as_long_as_the_sequences_is_full_attention(run, share):
    requests, input_tokens, output_tokens, limits = run
    windows = Windows(
        tokens=input_tokens + output_tokens, full_layers=share - 1, sliding_layers=share
    )
    run = (requests, input_tokens, output_tokens)
    plain = run_of((*run, replace(limits, windows=NO_WINDOWS)))
    found = run_of((*run, replace(limits, windows=windows)))
    for name in ("iterations", "decodes", "decode_context", "prompt_tokens", "prompts"):
        assert getattr(found, name).tolist() == getattr(plain, name).tolist()
    assert found.sliding_context.tolist() == plain.decode_context.tolist()
    assert found.sliding_decodes.tolist() == plain.decodes.tolist()
    assert found.sliding_pairs.tolist() == plain.prompt_pairs.tolist()
    assert found.sliding_prompt_context.tolist() == plain.prompt_context.tolist()


@pytest.mark.parametrize(
    ("sequence", "expected"),
    [
        (64, 10),  # 3 blocks of 64 in three layers; 30 in all
        (128, 7),  # 2 in the full layer, 1 in each sliding one
        (640, 2),  # 10 and 2 x 1
        (641, 2),
        (1 + 28 * 64, 0),
    ],
)
def test_concurrency_counts_no_more_than_the_window_of_sliding_layers(sequence, expected):
    windows = Windows(tokens=60, full_layers=1, sliding_layers=2)
    limits = SchedulerLimits(
        max_batch_size=99, max_num_tokens=99, kv_blocks=10, tokens_per_block=64, windows=windows
    )
    assert limits.max_concurrency(sequence) == expected


@pytest.mark.parametrize(
    ("sequence", "expected"), [(64, 8), (65, 5), (128, 5), (640, 1), (641, 0), (1, 8)]
)
def test_concurrency_is_limited_by_batch_and_by_whole_blocks(sequence, expected):
    limits = SchedulerLimits(max_batch_size=8, max_num_tokens=64, kv_blocks=10, tokens_per_block=64)
    assert limits.max_concurrency(sequence) == expected
