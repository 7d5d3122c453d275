"""A server under an NVML meter of its boards; each cell is one load of requests."""

import asyncio
import resource
import secrets
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from sweetspot.cells.cell import Cell
from sweetspot.config import Endpoint
from sweetspot.engines.base import Node, Run
from sweetspot.engines.endpoint.arrivals import offsets_s
from sweetspot.engines.endpoint.boards import computing_of
from sweetspot.engines.endpoint.client import Server, run
from sweetspot.engines.endpoint.doubts import doubts, remarks
from sweetspot.engines.endpoint.found import Found, identity
from sweetspot.engines.endpoint.load import Sent, send
from sweetspot.engines.endpoint.prompts import Prompts
from sweetspot.engines.endpoint.serving import latencies, steady_part
from sweetspot.errors import EngineError, InputError
from sweetspot.metering.boards import Boards
from sweetspot.metering.host import Host
from sweetspot.metering.sampler import NvmlMeter
from sweetspot.plan.block import Settings
from sweetspot.plan.dataset import dataset_name


@dataclass(slots=True, kw_only=True)
class EndpointSession:
    """A Session at a server that is there before it and after it.

    Attributes:
        boards: those that the server computes on, held alone.
        remark: how they were found, where a reader should know.
        held: what close frees, the boards' leases among it.
        meter: watches `boards`.
    """

    settings: Settings
    options: Endpoint
    node: Node
    server: Server
    found: Found
    boards: Boards
    remark: str
    interval_s: float
    min_window_s: float
    held: ExitStack
    meter: NvmlMeter = field(init=False)

    def __post_init__(self) -> None:
        """Get the meter ready, and room for as many connections as there may be."""
        host = Host()
        self.held.callback(host.close)
        self.meter = NvmlMeter(self.boards, self.interval_s, host)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def run(self, cell: Cell) -> Run:
        """Send a cell's requests, again and again until the window is long enough.

        Raises:
            EngineError: the server does not answer, or not one request was answered.
            InputError: the log of arrivals has too few requests, or the server is another one.
        """
        unseen = run(self._require_same())
        self._require_same_boards()
        prompts = Prompts(
            self.node.datasets / dataset_name(cell),
            vocab_size=self.settings.model.vocab,
            style=self.found.style,
            salt=secrets.randbelow(self.settings.model.vocab),
        )
        work = send(
            self.server,
            prompts,
            output_tokens=cell.output_tokens,
            offsets_s=offsets_s(self.options, cell.requests),
            warmup=self.options.warmup,
            min_window_s=self.min_window_s,
        )
        try:
            sent = run(asyncio.wait_for(work, self.node.timeout_s))
        except TimeoutError as error:
            raise EngineError(
                f"the cell was not done in {self.node.timeout_s:g} s (node.timeout_s)"
            ) from error
        return self._run_of(sent, cell, unseen)

    def close(self) -> None:
        """Let go of the boards; the server stays."""
        self.held.close()

    async def _require_same(self) -> Sequence[str]:
        """Ask the server again what it is, as one that was started again may be another.

        Return what of it could not be looked at, and so may be another's: that is no evidence. What
        is seen for the first time is what the next cell's is compared with.

        Raises:
            EngineError: it does not answer.
            InputError: it is not what this block's records name.
        """
        was = self.found.identity
        async with self.server.session() as session:
            now = await identity(self.server, session, self.options, was.version_path)
        if now.contradicts(was):
            raise InputError(
                f"the server was {was.words} with {was.model} when it was first asked, and is now"
                f" {now.words} with {now.model}; run again to go on with that one"
            )
        self.found = replace(self.found, identity=was.with_seen(now))
        return [
            f"{reason}; whether the server is still the same is not known"
            for reason in dict.fromkeys(now.unseen.values())
        ]

    def _require_same_boards(self) -> None:
        """Take up the server's processes anew, as one that was started again has others.

        Raises:
            EngineError: it no longer computes on the boards that are metered.
        """
        try:
            computing = computing_of(self.options.base_url, self.options.gpus)
        except InputError as error:
            raise EngineError(str(error)) from error
        if set(computing.uuids) != set(self.boards.uuids):
            raise EngineError(
                f"the server now computes on {', '.join(computing.uuids)}, while"
                f" {', '.join(self.boards.uuids)} are metered"
            )
        if not computing.remark:  # else whoever came since would be taken for the server
            self.boards.ours = computing.pids

    def _run_of(self, sent: Sent, cell: Cell, unseen: Sequence[str]) -> Run:
        answers = sent.answers
        whole = [answer for answer in answers if not answer.failure]
        if not whole:
            ((reason, _),) = Counter(answer.failure for answer in answers).most_common(1)
            raise EngineError(f"none of {len(answers)} requests was answered: {reason}")
        passes = [[each for each in answers if not each.failure] for answers in sent.passes]
        style = self.found.style
        return Run(
            start_s=min(answer.sent_s for answer in answers),
            end_s=max(answer.end_s for answer in whole),
            requests=len(whole),
            input_tokens=sum(answer.input_tokens for answer in whole),
            output_tokens=sum(answer.output_tokens for answer in whole),
            passes=len(sent.passes),
            untrusted="; ".join(doubts(sent, cell.output_tokens)),
            remarks=(*filter(None, (self.remark,)), *unseen, *remarks(sent)),
            facts={
                **self.boards.facts(),
                "server": self.found.identity.software,
                "server_version": self.found.identity.version,
                "served_model": style.model,
                "prompts": "text" if style.as_text else "token ids",
                "client_cpu_share": f"{sent.cpu_share:.3g}",
            },
            latencies=latencies(whole),
            steady=steady_part(passes),
        )
