"""Several boards that one model is on, looked at as one: their powers and energies are added."""

import math
from collections.abc import Callable, Collection, Iterable, Sequence

from sweetspot.metering.nvml import Board, What
from sweetspot.metering.samples import CHANNELS, Look

_SUMS = (
    *("power_instant_w", "power_average_w", "power_usage_w", "counter_j"),
    # each counts from an origin of its own: the highest of them could hide that another one grows
    *("power_violation_s", "thermal_violation_s"),
)
_HIGHEST = ("temperature_c", "memory_temperature_c")


class Boards:
    """Boards of one kind, as a meter asks a board.

    Attributes:
        ours: processes that are no strangers on them, such as a server's that already runs.
        earlier_pids: others that computed on them when they were opened.
    """

    def __init__(self, boards: Sequence[Board], ours: Collection[int] = ()) -> None:
        """Take boards that are open, one or more."""
        self._boards = tuple(boards)
        self.ours = frozenset(ours)
        self.earlier_pids = frozenset().union(*(board.earlier_pids for board in boards)) - self.ours

    @property
    def uuids(self) -> tuple[str, ...]:
        """The ids of all."""
        return tuple(board.uuid() for board in self._boards)

    def look(self, what: What = "all") -> Look:
        """Look at one after the other for `what`; times are those of the whole.

        Powers, counters and times of violation are sums, clocks and utilisation means, temperatures
        the highest, reasons for low clocks those of any. What one board lacks is NaN.

        Raises:
            MeterError: power or the energy counter of one failed.
        """
        looks = [board.look(what) for board in self._boards]
        if len(looks) == 1:
            return looks[0]
        first, last = looks[0], looks[-1]
        start_s, end_s = first.t_s - first.look_s / 2, last.t_s + last.look_s / 2
        values = {name: _joined(name)([getattr(each, name) for each in looks]) for name in CHANNELS}
        return Look(**values | {"t_s": (start_s + end_s) / 2, "look_s": end_s - start_s})

    def compute_pids(self) -> list[int]:
        """Return the processes on any of them that are not `ours`."""
        found = {pid for board in self._boards for pid in board.compute_pids()}
        return sorted(found - self.ours)

    def facts(self) -> dict[str, str]:
        """Return what a record says of them: as of one board, with the ids of all."""
        facts = self._boards[0].facts()
        if len(self._boards) > 1:
            facts |= {"gpu_uuid": " ".join(self.uuids), "gpu_count": str(len(self._boards))}
        return facts

    def max_sm_mhz(self) -> float | None:
        """Return the highest clock of one."""
        return self._boards[0].max_sm_mhz()

    def mig(self) -> bool | None:
        """Return whether any is partitioned; None where none can be."""
        answers = [board.mig() for board in self._boards]
        return None if all(each is None for each in answers) else any(answers)


def _joined(channel: str) -> Callable[[Sequence[float]], float]:
    """Return how a channel of several boards becomes one; a NaN of one is the answer."""
    if channel in _SUMS:
        return math.fsum
    if channel in _HIGHEST:
        return _highest
    if channel == "event_reasons":
        return _any_bit
    return _mean


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _highest(values: Sequence[float]) -> float:
    return math.nan if any(map(math.isnan, values)) else max(values)


def _any_bit(values: Iterable[float]) -> float:
    bits = 0
    for value in values:
        if math.isnan(value):
            return math.nan
        bits |= int(value)
    return float(bits)
