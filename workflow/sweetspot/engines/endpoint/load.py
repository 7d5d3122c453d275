"""A cell's requests, sent and answered, and what the server counted meanwhile."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from time import monotonic, process_time, thread_time
from typing import TYPE_CHECKING

from sweetspot.engines.endpoint.answers import Answer
from sweetspot.engines.endpoint.client import Server, UnseenError
from sweetspot.engines.endpoint.found import counts_of
from sweetspot.engines.endpoint.metrics import Counts
from sweetspot.engines.endpoint.prompts import Prompts

if TYPE_CHECKING:
    import aiohttp

QUIET_S = 5.0
"""How long a server may need to count what it has answered, or to end what it had before."""

_LOOK_S = 0.1
_WARMUP_TOKENS = 16


@dataclass(slots=True)
class Sent:
    """All passes of a cell.

    Attributes:
        passes: the answers of each.
        before, after: what the server counted before the first and after the last; None where it
            shows no counts, or they could not be looked at.
        unseen: why they could not be looked at; "" if they could.
        cpu_share: CPU time of this process over the time of the passes; that of making requests
            ahead is none of it, as sending and reading come first.
    """

    passes: list[list[Answer]] = field(default_factory=list)
    before: Counts | None = None
    after: Counts | None = None
    unseen: str = ""
    cpu_share: float = 0.0

    @property
    def answers(self) -> list[Answer]:
        """Those of all passes."""
        return [answer for answers in self.passes for answer in answers]


async def send(
    server: Server,
    prompts: Prompts,
    *,
    output_tokens: int,
    offsets_s: Sequence[float],
    warmup: int,
    min_window_s: float,
) -> Sent:
    """Send a cell's requests, again and again until that took `min_window_s` or one failed."""
    sent = Sent()
    async with server.session() as session:
        if warmup:  # a pass before those that count, as no two begin alike
            bodies = list(islice(prompts.bodies(-1, min(output_tokens, _WARMUP_TOKENS)), warmup))
            await _send_pass(server, session, bodies, [0.0] * len(bodies))
        bodies = list(prompts.bodies(0, output_tokens))
        try:
            sent.before = await _quiet_counts(server, session)
        except UnseenError as error:
            sent.unseen = str(error)
        began_s, began_cpu_s = monotonic(), process_time()
        making = _Making()
        while True:
            # those of the next pass meanwhile, so that the server need not wait for them
            made = prompts.bodies(len(sent.passes) + 1, output_tokens)
            ahead = asyncio.create_task(making.one_by_one(made))
            try:
                answers = await _send_pass(server, session, bodies, offsets_s)
                sent.passes.append(answers)
                took_s = monotonic() - began_s
                if took_s >= min_window_s or any(answer.failure for answer in answers):
                    break
                bodies = await ahead
            finally:
                ahead.cancel()
                await asyncio.wait([ahead])
        sent.cpu_share = (process_time() - began_cpu_s - making.cpu_s) / took_s
        try:
            sent.after = await _counts_after(server, session, sent)
        except UnseenError as error:
            sent.unseen = str(error)
    return sent


async def _send_pass(
    server: Server,
    session: "aiohttp.ClientSession",
    bodies: Sequence[bytes],
    offsets_s: Sequence[float],
) -> list[Answer]:
    begin_s = monotonic()

    async def ask(body: bytes, offset_s: float) -> Answer:
        if offset_s:
            await asyncio.sleep(begin_s + offset_s - monotonic())
        return await server.ask(session, body)

    return await asyncio.gather(*map(ask, bodies, offsets_s))


@dataclass(slots=True)
class _Making:
    """Makes requests of a later pass beside one that runs.

    Attributes:
        cpu_s: CPU time that this took.
    """

    cpu_s: float = 0.0

    async def one_by_one(self, bodies: Iterator[bytes]) -> list[bytes]:
        """Return all bodies, and let what waits to be sent or read come first after each."""
        made: list[bytes] = []
        while True:
            began_s = thread_time()
            body = next(bodies, None)
            self.cpu_s += thread_time() - began_s
            if body is None:
                return made
            made.append(body)
            await asyncio.sleep(0)


async def _quiet_counts(server: Server, session: "aiohttp.ClientSession") -> Counts | None:
    """Return what the server counts once nothing runs there, or at last."""
    since_s = monotonic()
    while (counts := await counts_of(server, session)) and counts.in_flight:
        if monotonic() > since_s + QUIET_S + counts.late_s:
            break
        await asyncio.sleep(_LOOK_S)
    return counts


async def _counts_after(
    server: Server, session: "aiohttp.ClientSession", sent: Sent
) -> Counts | None:
    """Return what the server counts once all that we asked for is in it, or at last."""
    before = sent.before
    if before is None:
        return None
    ours = sum(answer.output_tokens for answer in sent.answers)
    until_s = monotonic() + QUIET_S + before.late_s
    while counts := await counts_of(server, session):
        counted = counts.output_tokens - before.output_tokens
        if (counted >= ours and not counts.in_flight) or monotonic() > until_s:
            break
        await asyncio.sleep(_LOOK_S)
    return counts
