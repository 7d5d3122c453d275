"""What a server draws and gives just now: its boards' power beside its own counts."""

import math
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from time import monotonic, sleep, time

from sweetspot.engines.endpoint.boards import computing_of
from sweetspot.engines.endpoint.client import Server, run
from sweetspot.engines.endpoint.metrics import Counts, parse_metrics
from sweetspot.errors import EngineError, InputError
from sweetspot.metering.boards import Boards
from sweetspot.metering.meter import Observe
from sweetspot.metering.nvml import Board
from sweetspot.metering.samples import Look, power_w


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What a server did from one look to another.

    Attributes:
        duration_s: how long that was.
        energy_j: of its boards, by their counters, or else the mean of two powers times duration.
        output_tokens: those that it counted.
        running, waiting: requests at its end.
    """

    duration_s: float
    energy_j: float
    output_tokens: int
    running: int
    waiting: int

    @property
    def line(self) -> str:
        """It in words; J per token of no tokens is none."""
        tokens = self.output_tokens
        each = f"{self.energy_j / tokens:.4g}" if tokens > 0 else "-"
        return (
            f"{self.energy_j / self.duration_s:.0f} W, {tokens / self.duration_s:.1f} tokens/s,"
            f" {each} J/token, {self.running} running, {self.waiting} waiting"
        )


def watch(
    server: Server,
    gpus: Collection[str] | None,
    *,
    every_s: float,
    for_s: float,
    observe: Observe | None = None,
) -> Iterator[tuple[Span, Span]]:
    """Yield what a server did since the last look, and since the first, until `for_s` is over.

    `observe` makes what gets each look, too.

    Raises:
        EngineError: it does not answer, or no longer.
        InputError: it shows no counts, or its boards cannot be told.
        MeterError: a board cannot be read, or reports no power.
    """
    before = _counts(server)
    computing = computing_of(server.url, gpus)
    with ExitStack() as held:
        boards = Boards([held.enter_context(Board(uuid)) for uuid in computing.uuids])
        look = boards.look()
        look = look.noted(utc_s=time() - (monotonic() - look.t_s))
        observers = []
        if observe is not None:
            facts = boards.facts()
            observers.append(observe(facts["gpu_uuid"], facts["gpu_name"]))
            observers[0].put(look)
        first_look, first, total_j = look, before, 0.0
        number = 0
        while look.t_s - first_look.t_s < for_s:
            number += 1
            sleep(max(0.0, first_look.t_s + min(number * every_s, for_s) - monotonic()))
            last, counted = look, before
            before, look = _counts(server), boards.look()
            for observer in observers:
                observer.put(look)
            energy_j = _energy_j(last, look)
            total_j += energy_j
            yield (
                _span(last, look, energy_j, counted, before),
                _span(first_look, look, total_j, first, before),
            )


def _counts(server: Server) -> Counts:
    async def work() -> str:
        async with server.session() as session:
            return await server.get(session, "/metrics")

    try:
        counts = parse_metrics(run(work()))
    except EngineError as error:
        raise EngineError(
            f"{error}; what is watched is its page /metrics (SGLang: --enable-metrics,"
            " llama-server: --metrics)"
        ) from error
    if counts is None:
        raise InputError(f"{server.url}/metrics is not that of vLLM, SGLang, TGI or llama.cpp")
    return counts


def _span(since: Look, until: Look, energy_j: float, first: Counts, last: Counts) -> Span:
    return Span(
        duration_s=until.t_s - since.t_s,
        energy_j=energy_j,
        output_tokens=last.output_tokens - first.output_tokens,
        running=last.running,
        waiting=last.waiting,
    )


def _energy_j(since: Look, until: Look) -> float:
    counted_j = until.counter_j - since.counter_j
    if math.isfinite(counted_j) and counted_j > 0:
        return counted_j
    return (power_w(since) + power_w(until)) / 2 * (until.t_s - since.t_s)
