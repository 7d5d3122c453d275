"""A cell's passes: what of the next one is ready when it is due."""

import asyncio
from contextlib import asynccontextmanager

from sweetspot.engines.endpoint import load
from sweetspot.engines.endpoint.answers import Answer
from sweetspot.engines.endpoint.load import send

REQUESTS = 20


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


def test_prompts_of_the_next_pass_are_made_while_this_one_runs(monkeypatch):
    seen = []

    async def send_pass(server, session, bodies, offsets_s):
        number = sum(each == "done" for each in seen)
        for _ in range(3 * REQUESTS):
            await asyncio.sleep(0)
        seen.append("done")
        return [Answer(sent_s=0.0, failure="enough" if number == 2 else "") for _ in bodies]

    async def no_counts(*_):
        return None

    monkeypatch.setattr(load, "_send_pass", send_pass)
    monkeypatch.setattr(load, "counts_of", no_counts)
    work = send(
        Nobody(),
        Noted(seen),
        output_tokens=8,
        offsets_s=[0.0] * REQUESTS,
        warmup=0,
        min_window_s=1e9,
    )
    sent = asyncio.run(work)
    assert [len(answers) for answers in sent.passes] == [REQUESTS] * 3
    ends = [place for place, what in enumerate(seen) if what == "done"]
    for number, end in enumerate(ends):
        assert seen[:end].count(f"made {number + 1}") == REQUESTS
