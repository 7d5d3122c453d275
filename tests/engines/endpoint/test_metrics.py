"""What is made of a server's own counts."""

import asyncio

import pytest

from sweetspot.engines.endpoint import load
from sweetspot.engines.endpoint.answers import Answer
from sweetspot.engines.endpoint.doubts import doubts
from sweetspot.engines.endpoint.load import Sent
from sweetspot.engines.endpoint.metrics import parse_metrics

SGLANG = """\
# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{engine_type="unified",model_name="m",tp_rank="0"} RUNNING
sglang:num_queue_reqs{engine_type="unified",model_name="m",tp_rank="0"} 0.0
sglang:prompt_tokens_total{model_name="m"} PROMPT
sglang:generation_tokens_total{model_name="m"} GENERATED
"""
"""As its collectors name them; of cached tokens there is a line from the first one on."""

CACHED = """\
sglang:cached_tokens_total{cache_source="device",model_name="m"} 90.0
sglang:cached_tokens_total{cache_source="host",model_name="m"} 10.0
"""


def sglang(running=0, prompt=0, generated=0, more=""):
    numbers = {"RUNNING": running, "PROMPT": prompt, "GENERATED": generated}
    page = SGLANG
    for name, number in numbers.items():
        page = page.replace(name, f"{float(number)}")
    return parse_metrics(page + more)


def test_first_tokens_from_a_cache_that_a_server_counts_are_seen():
    before, after = sglang(), sglang(prompt=400, generated=8, more=CACHED)
    assert (before.cached_tokens, after.cached_tokens) == (None, 100)
    answer = Answer(sent_s=0.0, end_s=1.0, chunks_s=[1.0], input_tokens=400, output_tokens=8)
    (doubt,) = doubts(Sent(passes=[[answer]], before=before, after=after), 8)
    assert doubt.startswith("the server took 100 of 400 prompt tokens from its prefix cache")


@pytest.mark.parametrize(("renewed_s", "in_flight"), [(29.0, 0), (60.0, 4)])
def test_numbers_that_a_server_renews_late_are_waited_for(monkeypatch, renewed_s, in_flight):
    """SGLang, once idle, says every 30 s how many requests run."""
    now = {"s": 0.0}

    async def sleep(duration_s):
        now["s"] += duration_s

    async def counts_of(*_):
        return sglang(running=0 if now["s"] >= renewed_s else 4, generated=8)

    monkeypatch.setattr(load, "monotonic", lambda: now["s"])
    monkeypatch.setattr(load, "counts_of", counts_of)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert asyncio.run(load._quiet_counts(None, None)).in_flight == in_flight
    began_s = now["s"] = 0.0
    counts = asyncio.run(load._counts_after(None, None, Sent(before=sglang())))
    assert counts.in_flight == in_flight
    assert now["s"] - began_s <= 36
