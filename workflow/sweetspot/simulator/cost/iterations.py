"""What an iteration takes at a clock, whatever the board draws: time, and dynamic energy."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, Self

import numpy as np

from sweetspot.simulator.constants.constants import BoardConstants, Constants
from sweetspot.simulator.cost.clocks import on_die, voltage_squared, waiting_power_w
from sweetspot.simulator.cost.dual import Dual, some, value_of
from sweetspot.simulator.cost.envelope import Line
from sweetspot.simulator.cost.kernel_times import KernelTimes, Places
from sweetspot.simulator.cost.link import LINK_BYTE_ENERGY_J
from sweetspot.simulator.cost.work import FloatArray, Work

# `kv_byte_energy_j` is that of so many queries per KV head.
REFERENCE_QUERIES = 4.0


class AtClock(NamedTuple):
    """What a segment's iterations take at a clock, whatever the board draws; (segments,) each.

    Attributes:
        share: the clock, as a share of the highest: a number, (segments,), or (clocks, 1) of
            several for each, and what differs between these is (clocks, segments).
        time_s: of the j-th iteration.
        dynamic_j: its energy beyond what the board draws waiting at the highest allowed clock.
    """

    share: Any
    time_s: Line
    dynamic_j: Line

    def only(self, clocks: slice) -> "AtClock":
        """Return the same at some of several clocks."""
        time_s, dynamic_j = (
            Line(np.asarray(line.first)[clocks], line.growth)
            for line in (self.time_s, self.dynamic_j)
        )
        return AtClock(self.share[clocks], time_s, dynamic_j)

    def excess_j(self, headroom_w: float) -> Line:
        """Return what of its energy is more than the power limit allows in its time."""
        return self.dynamic_j.plus(-headroom_w, self.time_s)


@dataclass(frozen=True, eq=False, slots=True)
class Iterations:
    """What segments' iterations take, but for the clock; (segments,) each, with derivatives or not.

    What decode attention takes, all that grows with j, is the same at each clock, waiting power
    included, and hangs on the highest allowed one only: it waits for memory, or is taken to where
    it computes (latent attention). Did it fall with the clock, times at the power limit would not
    be straight lines in j.

    Attributes:
        board: whose constants they are.
        highest: the highest allowed clock.
        rest_s: what neither waits for the clock nor for the KV cache.
        kv_s, growth_s: what reading the cache takes.
        flops_j: what falls with the voltage's square.
        bytes_j: what falls with it in part, `on_die`.
        rest_j, growth_j: all other dynamic energy.
    """

    board: BoardConstants
    highest: float
    rest_s: Any
    kv_s: Any
    growth_s: Any
    flops_j: Any
    bytes_j: Any
    rest_j: Any
    growth_j: Any

    def at(self, share: Any, computing_s: FloatArray, clock: Places | None = None) -> AtClock:
        """Return what they take at a clock.

        Args:
            share: the clock; several, (clocks, 1), for what all take at each; or (clocks,).
            computing_s: what waits for the clock, (segments,) or (clocks, segments).
            clock: (segments,) which one each runs at, of several.
        """

        def of_each(values: Any) -> Any:
            return values if clock is None else some(values, clock)

        b, other_s = self.board, computing_s + self.rest_s
        saved_w = waiting_power_w(b, self.highest) - waiting_power_w(b, share)
        dynamic_j = (
            of_each(voltage_squared(b, share)) * self.flops_j
            + of_each(on_die(b, share)) * self.bytes_j
            + self.rest_j
            - of_each(saved_w) * other_s
        )
        time_s = Line(other_s + self.kv_s, self.growth_s)
        return AtClock(of_each(share), time_s, Line(dynamic_j, self.growth_j))

    def only(self, places: Places) -> Self:
        """Return some of the segments."""
        return self._each(lambda column: some(column, places))

    def plain(self) -> Self:
        """Return the same as plain numbers."""
        board = {f.name: getattr(self.board, f.name) for f in fields(BoardConstants)}
        if not any(isinstance(each, Dual) for each in (*board.values(), *self._columns().values())):
            return self
        plain = BoardConstants(**{name: value_of(constant) for name, constant in board.items()})
        return replace(self, board=plain)._each(value_of)

    def _columns(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _COLUMNS}

    def _each(self, change: Callable[[Any], Any]) -> Self:
        return replace(self, **{name: change(column) for name, column in self._columns().items()})


_COLUMNS = [f.name for f in fields(Iterations) if f.name not in {"board", "highest"}]


def iterations(times: KernelTimes, constants: Constants) -> Iterations:
    """Return what iterations take whose kernels take this."""
    b, e, k = constants.board, constants.engine, times.kernels
    work, highest = times.work, times.gpu.clock_share
    bandwidth = times.gpu.bandwidth_bytes_per_s * k.bandwidth_efficiency
    # what no GEMM hides: kernels of their own
    moved_bytes = (
        e.elementwise_passes * work.elementwise_bytes
        + e.logit_bytes * work.logits
        + e.unfused_norm_bytes * work.norm_elements
        + work.prompt_bytes
    )
    rest_s = (
        moved_bytes / bandwidth
        + times.decode_heads_s
        + e.layer_overhead_s * work.layers
        + e.unfused_norm_s * work.norms
        + e.request_overhead_s * work.prompts_finished
        + times.link_s
        + times.wait_s
    )
    if not e.host_ahead:
        rest_s = rest_s + host_s(work, constants)
    kv_byte_j = (
        b.kv_byte_energy_j
        * on_die(b, highest)
        * (work.queries_per_kv_head / REFERENCE_QUERIES) ** -b.kv_energy_sharing
        * (1 + (k.wide_head_penalty - 1) * work.wide_heads)
    )
    decode_flop_j = b.flop_energy_j * voltage_squared(b, highest)
    rest_j = (
        kv_byte_j * work.kv_bytes
        + e.weight_byte_energy_j * work.weight_bytes
        + decode_flop_j * work.decode_flops
        + e.request_energy_j * work.prompts_finished
        + LINK_BYTE_ENERGY_J * times.link_bytes
    )
    growth_j = kv_byte_j * work.kv_bytes_growth + decode_flop_j * work.decode_flops_growth
    return Iterations(
        board=b,
        highest=highest,
        rest_s=rest_s,
        kv_s=times.kv_s,
        growth_s=times.growth_s if times.grow else 0.0,
        flops_j=b.flop_energy_j * times.flops,
        bytes_j=b.byte_energy_j * (times.weight_bytes + moved_bytes),
        rest_j=rest_j,
        growth_j=growth_j if times.grow else 0.0,
    )


def host_s(work: Work, constants: Constants) -> FloatArray:
    """Return what each iteration takes on the host."""
    e = constants.engine
    seconds: FloatArray = e.step_overhead_s + e.sequence_overhead_s * work.sequences
    return seconds
