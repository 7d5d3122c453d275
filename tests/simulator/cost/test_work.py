"""FLOPs and bytes of a run against the paper's counting and against sums over all requests."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.catalog import catalog_entry
from sweetspot.simulator.cost.work import Work, concatenate, work
from sweetspot.simulator.deployment.scheduler_limits import SchedulerLimits
from sweetspot.simulator.schedule.identical import schedule

LIMITS = SchedulerLimits(
    max_batch_size=64, max_num_tokens=512, kv_blocks=10_000, tokens_per_block=64
)
OPT = catalog_entry("opt-6.7b").architecture  # as the paper counts: no KV groups, FFN of 4d
SIZES = {"requests": st.integers(1, 50), "input_tokens": st.integers(1, 900)}


def work_of(architecture, requests, input_tokens, output_tokens):
    return work(
        architecture,
        schedule(
            requests=requests,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            limits=LIMITS,
        ),
    )


def total(found, name, growth=None):
    """Return a quantity's sum over all iterations."""
    k = found.iterations
    per_step = getattr(found, name) * k
    if growth:
        per_step = per_step + getattr(found, growth) * k * (k - 1) / 2
    return float(per_step.sum())


@given(**SIZES, output_tokens=st.integers(1, 300))
def test_flops_are_the_papers(requests, input_tokens, output_tokens):
    """Section 4: 24 d² a token and layer; 4 d a query-key pair, of which causal masks leave half.

    Decode step t sees I + t tokens, t = 1 .. O-1: prefill generates the first token here.
    """
    found = work_of(OPT, requests, input_tokens, output_tokens)
    d, layers = OPT.hidden, OPT.layers
    tokens = requests * (input_tokens + output_tokens - 1)
    assert total(found, "gemm_flops") == pytest.approx(24 * d**2 * layers * tokens, rel=1e-12)
    pairs = requests * input_tokens * (input_tokens + 1) / 2
    assert total(found, "prompt_flops") == pytest.approx(4 * d * layers * pairs, rel=1e-12)
    seen = requests * sum(input_tokens + t for t in range(1, output_tokens))
    decode_flops = total(found, "decode_flops", "decode_flops_growth")
    assert decode_flops == pytest.approx(4 * d * layers * seen, rel=1e-12)


@given(**SIZES, output_tokens=st.integers(1, 300))
def test_bytes_are_those_of_all_requests(requests, input_tokens, output_tokens):
    found = work_of(OPT, requests, input_tokens, output_tokens)
    steps = float(found.iterations.sum())
    assert total(found, "weight_bytes") == OPT.linear_weights * 2 * steps
    decoded = requests * (output_tokens - 1)
    seen = requests * sum(input_tokens + t for t in range(1, output_tokens))
    kv_bytes = (seen + decoded) * OPT.kv_bytes_per_token  # read all, write one
    assert total(found, "kv_bytes", "kv_bytes_growth") == pytest.approx(kv_bytes, rel=1e-12)
    assert total(found, "logits") == requests * output_tokens * OPT.vocab
    assert total(found, "logit_flops") == pytest.approx(
        2 * requests * output_tokens * OPT.vocab * OPT.hidden, rel=1e-12
    )


def test_grouped_heads_shrink_the_cache_but_not_the_attention():
    grouped = replace(OPT, kv_heads=OPT.kv_heads // 4)
    whole, shared = (work_of(a, 8, 100, 50) for a in (OPT, grouped))
    assert shared.kv_bytes == pytest.approx(whole.kv_bytes / 4)
    assert shared.prompt_bytes == pytest.approx(whole.prompt_bytes / 4)
    assert shared.decode_flops == pytest.approx(whole.decode_flops)


@pytest.mark.parametrize(
    ("head_dim", "flops", "kv_bytes"),
    [
        (64, 1, 1),
        (80, 96 / 80, 96 / 80),
        (96, 1, 1),
        (100, 1.28, 1.28),
        (256, 1, 1),
    ],
)
def test_heads_cost_as_if_padded_to_tiles(head_dim, flops, kv_bytes):
    model = replace(OPT, head_dim=head_dim)
    found = work_of(model, 3, 64, 8)
    pairs = 3 * 64 * 65 / 2
    flops_of_pairs = 4 * model.heads * head_dim * model.layers * pairs
    assert total(found, "prompt_flops") == pytest.approx(flops * flops_of_pairs)
    touched = 3 * (sum(range(65, 72)) + 7) * model.kv_bytes_per_token
    assert total(found, "kv_bytes", "kv_bytes_growth") == pytest.approx(kv_bytes * touched)


@pytest.mark.parametrize(
    ("head_dim", "kv_heads", "wide"), [(128, 8, 0), (256, 8, 1), (256, 32, 0), (512, 1, 1)]
)
def test_only_shared_heads_of_256_are_wide(head_dim, kv_heads, wide):
    found = work_of(replace(OPT, head_dim=head_dim, kv_heads=kv_heads), 3, 64, 8)
    assert set(found.wide_heads) == {wide}
    assert set(found.queries_per_kv_head) == {32 / kv_heads}


def test_tokens_of_a_prompt_have_attention_of_one_pair_each():
    """What a token takes beside its pairs is asked for in pairs (`prompt_start_pairs`)."""
    found = work_of(OPT, 1, 300, 1)
    pairs = 300 * 301 / 2
    assert found.prompt_token_flops[0] == pytest.approx(found.prompt_flops[0] * 300 / pairs)


def test_output_head_rests_while_a_prompt_is_cut():
    found = work_of(OPT, 1, 900, 2)  # two iterations for the prompt, one for the second token
    assert found.iterations.tolist() == [1, 1, 1]
    assert (found.logit_weight_bytes > 0).tolist() == [False, True, True]
    assert found.logits.tolist() == [0, OPT.vocab, OPT.vocab]


def test_concatenated_runs_keep_their_order():
    parts = [work_of(OPT, 2, 64, 8), work_of(OPT, 5, 600, 3)]
    whole = concatenate(parts)
    for field in fields(Work):
        values = [getattr(part, field.name) for part in parts]
        assert getattr(whole, field.name).tolist() == np.concatenate(values).tolist()
