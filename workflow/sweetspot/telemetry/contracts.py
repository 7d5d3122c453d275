"""What every sink and every store offers, whatever protocol it speaks."""

from collections.abc import Sequence
from typing import Protocol

from sweetspot.errors import TelemetryError
from sweetspot.telemetry.sample import Sample, Source


class RefusedError(TelemetryError):
    """Samples came to the other side, which will not have them, however often they are sent."""

    def __init__(self, message: str, samples: int | None = None) -> None:
        """Say why.

        Args:
            message: in a line.
            samples: how many are refused, all others of the call being acknowledged; None where
                the other side does not tell which they are, or whether it is for good.
        """
        super().__init__(message)
        self.samples = samples


class Sink(Protocol):
    """Takes samples: a broker, or a store.

    It is used by one thread, connects when it first sends, and again after a failure. Each call
    ends within the sink's own timeout, whatever the other side does.
    """

    @property
    def name(self) -> str:
        """Where it sends, as messages show it; without user and password."""

    @property
    def unit_ns(self) -> int:
        """In what unit it counts time, in ns."""

    @property
    def kept_at(self) -> str:
        """Where it keeps samples, layout and all: what differs in it has none in common.

        "" of what keeps none, so that nothing can be made complete there.
        """

    @property
    def caveat(self) -> str:
        """What its acknowledgements so far do not mean; "" where they mean what they say."""

    def send(self, source: Source, samples: Sequence[Sample]) -> None:
        """Send samples, in order of time, and return when all of them are acknowledged.

        Sending them again changes nothing: stores tell samples apart by board and time.

        Raises:
            RefusedError: some will never be taken.
            TelemetryError: not all were acknowledged; send all of them again.
        """

    def close(self) -> None:
        """End the connection, without waiting for anything that was not acknowledged."""


class Store(Protocol):
    """Gives samples back."""

    @property
    def name(self) -> str:
        """Where it reads, as messages show it; without user and password."""

    @property
    def unit_ns(self) -> int:
        """In what unit it counts time, in ns."""

    def read(self, source: Source, first: int, last: int) -> list[Sample]:
        """Return the samples of a board from `first` to `last`, both included, by time.

        What a store does not hold is NaN, as is `t_s` where only readings of others are in it.

        Raises:
            TelemetryError: it does not answer, or answers nonsense.
        """

    def close(self) -> None:
        """End the connection."""
