"""The engine endpoint: a running OpenAI-compatible server, measured where it runs."""

from contextlib import ExitStack
from dataclasses import dataclass
from typing import ClassVar

from sweetspot.catalog import Gpu
from sweetspot.config import Endpoint
from sweetspot.engines.base import Node
from sweetspot.engines.endpoint.boards import computing_of
from sweetspot.engines.endpoint.client import Server, key_of, run
from sweetspot.engines.endpoint.found import Found, find
from sweetspot.engines.endpoint.session import EndpointSession
from sweetspot.errors import EngineError, InputError
from sweetspot.metering.boards import Boards
from sweetspot.metering.lease import leased_board
from sweetspot.metering.nvml import allowed_boards
from sweetspot.metering.visible import CUDA
from sweetspot.plan.block import Settings
from sweetspot.reading import size_and_sha256
from sweetspot.schema.reading import converted


@dataclass(slots=True, kw_only=True)
class EndpointEngine:
    """An Engine that starts nothing.

    Attributes:
        version: of the server's software; "" until it was asked, and where it does not say.
    """

    options: Endpoint
    node: Node
    version: str
    name: ClassVar[str] = "endpoint"
    simulated: ClassVar[bool] = False

    def load(self, settings: Settings) -> EndpointSession:
        """Ask the server what it is, and take the boards that it computes on.

        Raises:
            EngineError: it does not answer.
            InputError: it is not what the experiment names, or its boards cannot be told.
            MeterError: a board cannot be read, or is another than the experiment's.
        """
        metering = settings.metering
        if metering is None:
            raise EngineError("endpoint measures; plan the block with a metering")
        server = server_of(self.options, self.node.timeout_s)
        found = ask(server, self.options)
        self.version = found.identity.words
        computing = computing_of(server.url, self.options.gpus)
        wanted = settings.limits.tensor_parallel
        if len(computing.uuids) != wanted:
            raise InputError(
                f"the server computes on {len(computing.uuids)} GPUs ({', '.join(computing.uuids)})"
                f", and limits.tensor_parallel is {wanted}; make them equal"
            )
        held = ExitStack()
        try:
            return EndpointSession(
                settings=settings,
                options=self.options,
                node=self.node,
                server=server,
                found=found,
                boards=held_boards(held, settings.gpu, computing.uuids, computing.pids),
                remark=computing.remark,
                interval_s=metering.interval_s,
                min_window_s=metering.min_window_s,
                held=held,
            )
        except BaseException:
            held.close()
            raise


def endpoint_engine(settings: Settings, node: Node) -> EndpointEngine:
    """Return the engine for a block's settings.

    Raises:
        InputError: the log of arrivals is no longer the one that was planned with.
    """
    given = {**settings.options, "version": settings.engine_version}
    digest = given.pop(Endpoint.LOG_DIGEST, "")
    options = converted(Endpoint, given)
    log = options.arrivals_log
    if log and size_and_sha256(log)[1] != digest:
        raise InputError(f"endpoint.arrivals_log {log} changed since the cells were planned")
    return EndpointEngine(options=options, node=node, version=settings.engine_version)


def server_of(options: Endpoint, timeout_s: float) -> Server:
    """Return the server that a configuration names, with its key.

    Raises:
        InputError: the variable of its key is not set.
    """
    return Server(options.base_url, key_of(options.api_key_env), timeout_s)


def ask(server: Server, options: Endpoint) -> Found:
    """Return what a server is.

    Raises:
        EngineError: it does not answer, or does not let us in.
        InputError: it has not the model or the version that is wanted, or refuses requests.
    """

    async def work() -> Found:
        async with server.session() as session:
            return await find(server, session, options)

    return run(work())


def held_boards(
    held: ExitStack, wanted: Gpu, uuids: tuple[str, ...], ours: frozenset[int]
) -> Boards:
    """Return boards that are leased until `held` is closed.

    All jobs take them in one order, so that none waits for one that waits for it.

    Raises:
        InputError: one is of another kind than `wanted`.
        MeterError: one cannot be read.
    """
    for uuid, name in allowed_boards({CUDA: ",".join(uuids)}).items():
        if not wanted.is_called(name):
            raise InputError(
                f"the server computes on {uuid}, which is {name!r}, and not {wanted.id}"
                f" ({wanted.nvml_name!r}) as `gpu` says"
            )
    boards = [held.enter_context(leased_board(wanted, {CUDA: uuid})) for uuid in sorted(uuids)]
    return Boards(boards, ours)
