"""What every meter answers, whether it reads a board or a simulated one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sweetspot.metering.processes import Stranger
from sweetspot.metering.samples import FloatArray, Look, Samples
from sweetspot.metering.trace import PowerTrace


@dataclass(frozen=True, eq=False, slots=True)
class Readings:
    """What a meter saw between its start and its stop.

    Attributes:
        trace: board power over time.
        counter_j: (n,) the board's own energy counter at the times of `trace`, in J from an origin
            of its own, as it was read, sound or not; None where the board has none.
        samples: all channels at the times of `trace`; None of a meter that has power only.
        interval_s: time between samples that was asked for; None where there is no such thing.
        strangers: processes of others that were seen on the board.
        mig: whether the board was partitioned; None where it cannot be.
        max_sm_mhz: the highest SM clock of the board; None where it is unknown.
        sampler_cpu_share: CPU time of the meter itself over its running time.
        host_scope: what the channel `host_counter_j` counts, in words; "" where it is empty.
        host_remark: why it is empty although the node has such counters.
    """

    trace: PowerTrace
    counter_j: FloatArray | None = None
    samples: Samples | None = None
    interval_s: float | None = None
    strangers: tuple[Stranger, ...] = ()
    mig: bool | None = None
    max_sm_mhz: float | None = None
    sampler_cpu_share: float | None = None
    host_scope: str = ""
    host_remark: str = ""

    @property
    def power_is_average(self) -> bool:
        """Whether the trace holds 1-s means, for want of instantaneous power."""
        if self.samples is None:
            return False
        found = self.samples.power()
        return found is None or found[0] == "power_average_w"


class Observer(Protocol):
    """Gets the samples of a trace as they are taken, from the thread that takes them."""

    def put(self, look: Look) -> None:
        """Take a sample; returns at once, and raises nothing."""

    def close(self) -> None:
        """There are no more; returns at once, too."""


Observe = Callable[[str, str], Observer]
"""Makes what observes a trace, of the board with a UUID and a name."""


class Meter(Protocol):
    """Watches one board while something runs on it."""

    def start(self, spool: Path | None = None, observe: Observe | None = None) -> None:
        """Begin; the trace spans every moment from the return of this call.

        `spool` is a file that a real meter writes to as it goes, so that a kill of this process
        loses no more than its last second. Its caller removes it. `observe` makes what gets each
        sample of a real meter, too.

        Raises:
            MeterError: the board cannot be read, or the spool not be written.
        """

    def stop(self) -> Readings:
        """End and return what was seen; the trace spans every moment up to this call.

        Raises:
            MeterError: the board stopped to answer.
        """
