"""A sample as stores hold it: whose it is, when it was, and what was read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sweetspot.metering.samples import CHANNELS

COLUMNS = ("t_s", "power_w", *CHANNELS[1:])
"""What a sample holds, in order: the columns of a trace's file."""

MS = 1_000_000
"""A millisecond in ns: the unit in which IoTDB and ExaMon count, unless they are told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Whose samples they are: with a time, what a store tells samples apart by.

    Attributes:
        gpu_uuid: of the board; of several that were metered as one, all of theirs, blanks between.
            Of a simulated run, whose boards have none, `SIM-` and its record's key.
        gpu_name: as NVML has it, of a simulated one the catalog's id.
        host: name of the node; "" of a simulated run, which any node gives alike.
        simulated: such samples go to a database, or a topic, of their own.
    """

    gpu_uuid: str
    gpu_name: str
    host: str
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample.

    Attributes:
        at: UTC since 1970, in the unit of the sink or store (`unit_ns`).
        values: by `COLUMNS`; NaN where there is no reading.
    """

    at: int
    values: tuple[float, ...]


class Stamps:
    """Makes UTC times of a trace's own, strictly increasing, as stores keep one sample a time.

    What is sent live and what is replayed from the trace later get the same times: both rest on the
    one UTC time that the meter noted as it began, so that a clock that is set meanwhile tears
    nothing apart. Of two samples at one time, which is a step of a simulated trace, the second is
    moved on by one unit; its true time stands in the sample, as `t_s`.
    """

    def __init__(self, first_t_s: float, first_utc_s: float, unit_ns: int) -> None:
        """Begin at a trace's first sample, which was at `first_utc_s` (s since 1970)."""
        self._first_t_s, self._unit_ns = first_t_s, unit_ns
        self._first_ns = round(first_utc_s * 1e9)
        self._last: int | None = None

    def at(self, t_s: float) -> int:
        """Return the time of the next sample, whose own time is `t_s`, in units since 1970."""
        ns = self._first_ns + round((t_s - self._first_t_s) * 1e9)
        at = round_half_up(ns, self._unit_ns)
        if self._last is not None:
            at = max(at, self._last + 1)
        self._last = at
        return at


def round_half_up(ns: int, unit_ns: int) -> int:
    """Return the nearest whole number of units, without floats, which have too few digits here."""
    return (2 * ns + unit_ns) // (2 * unit_ns)


def stamped(rows: Iterable[Sequence[float]], first_utc_s: float, unit_ns: int) -> list[Sample]:
    """Return the rows of a trace, each in the order of `COLUMNS`, as samples."""
    samples: list[Sample] = []
    stamps: Stamps | None = None
    for row in rows:
        stamps = stamps or Stamps(row[0], first_utc_s, unit_ns)
        samples.append(Sample(stamps.at(row[0]), tuple(row)))
    return samples
