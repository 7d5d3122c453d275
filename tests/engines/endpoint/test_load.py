"""A cell's passes: what of the next one is ready when it is due."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from sweetspot.engines.endpoint import load
from sweetspot.engines.endpoint.answers import Answer
from sweetspot.engines.endpoint.load import send

REQUESTS = 20


@pytest.fixture
def send_passes(monkeypatch):
    """Return a function that sends passes by a function of the test's, and returns them."""

    async def no_counts(*_):
        return None

    def run(prompts, send_pass, after=lambda: None):
        async def work():
            sent = await send(
                Nobody(),
                prompts,
                output_tokens=8,
                offsets_s=[0.0] * REQUESTS,
                warmup=0,
                min_window_s=1e9,
            )
            after()
            return sent

        monkeypatch.setattr(load, "_send_pass", send_pass)
        monkeypatch.setattr(load, "counts_of", no_counts)
        return asyncio.run(work())

    return run


class Nobody:
    """A server that nobody asks."""

    @asynccontextmanager
    async def session(self):
        yield None


class Noted:
    """Prompts that note when they are made."""

    def __init__(self, seen):
        self.seen = seen

    def bodies(self, number, output_tokens):
        for _ in range(REQUESTS):
            self.seen.append(f"made {number}")
            yield b""


def test_prompts_of_the_next_pass_are_made_while_this_one_runs(send_passes):
    seen = []

    async def send_pass(server, session, bodies, offsets_s):
        number = sum(each == "done" for each in seen)
        for _ in range(3 * REQUESTS):
            await asyncio.sleep(0)
        seen.append("done")
        return [Answer(sent_s=0.0, failure="enough" if number == 2 else "") for _ in bodies]

    sent = send_passes(Noted(seen), send_pass)
    assert [len(answers) for answers in sent.passes] == [REQUESTS] * 3
    ends = [place for place, what in enumerate(seen) if what == "done"]
    for number, end in enumerate(ends):
        assert seen[:end].count(f"made {number + 1}") == REQUESTS


def test_requests_made_ahead_are_no_load_and_end_with_the_last_pass(send_passes, monkeypatch):
    """In virtual seconds: a request takes one of CPU to make, a pass of ten two to send."""
    seen, now = [], {"s": 0.0, "cpu_s": 0.0}

    class Costly(Noted):
        def bodies(self, number, output_tokens):
            for body in super().bodies(number, output_tokens):
                now["cpu_s"] += 1
                yield body

    async def send_pass(server, session, bodies, offsets_s):
        is_last = "made 2" in seen
        for _ in range(3 if is_last else 3 * REQUESTS):
            await asyncio.sleep(0)
        now["s"] += 10
        now["cpu_s"] += 2
        return [Answer(sent_s=0.0, failure="enough" if is_last else "") for _ in bodies]

    left = []
    monkeypatch.setattr(load, "monotonic", lambda: now["s"])
    for name in ("process_time", "thread_time"):
        monkeypatch.setattr(load, name, lambda: now["cpu_s"])

    def after():
        left.extend(asyncio.all_tasks() - {asyncio.current_task()})

    sent = send_passes(Costly(seen), send_pass, after)
    assert len(sent.passes) == 3
    assert 0 < seen.count("made 3") < REQUESTS
    assert sent.cpu_share == pytest.approx(0.2)
    assert left == []
