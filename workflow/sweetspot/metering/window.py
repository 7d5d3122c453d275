"""A time window of a meter's readings, and all that they say of it, worked out once."""

from dataclasses import dataclass
from functools import cached_property

from sweetspot.metering.conditions import Conditions, conditions, remarks
from sweetspot.metering.energy import ProtocolName, WindowEnergy, window_energy
from sweetspot.metering.host import host_energy_j
from sweetspot.metering.meter import Readings
from sweetspot.metering.trace import require_span
from sweetspot.metering.validity import broken_gates


@dataclass(frozen=True, eq=False)
class Window:
    """The time from `start_s` to `end_s` on the clock of `readings`, whose trace spans it.

    Attributes:
        protocol: which energy counts (`window_energy`).

    Raises:
        ValueError: the trace does not span the window.
    """

    readings: Readings
    start_s: float
    end_s: float
    protocol: ProtocolName = "standard"

    def __post_init__(self) -> None:
        """Check the span, as nothing that is worked out here checks it again."""
        require_span(self.readings.trace, self.start_s, self.end_s)

    @cached_property
    def energy(self) -> WindowEnergy:
        """Its energy by every way there is, and which one counts."""
        return window_energy(self.readings, self.start_s, self.end_s, self.protocol)

    @cached_property
    def host_energy_j(self) -> float | None:
        """What the node's CPUs took, and their memory; None where no counter says."""
        return host_energy_j(self.readings.samples, self.start_s, self.end_s)

    @cached_property
    def conditions(self) -> Conditions:
        """In what state the board was."""
        return conditions(self.readings, self.start_s, self.end_s)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a reader of its numbers should know."""
        seen = remarks(self.readings, self.start_s, self.end_s)
        of_host = (self.readings.host_remark,) if self.readings.host_remark else ()
        return (*self.energy.remarks, *seen, *of_host)

    def broken_gates(self, max_temperature_drift_c: float) -> tuple[str, ...]:
        """Return why its numbers must not be used, one line a reason; () if they may."""
        return broken_gates(
            self.readings,
            self.start_s,
            self.end_s,
            max_temperature_drift_c,
            seen=self.conditions,
            energy=self.energy,
        )
