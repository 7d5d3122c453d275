"""What a token costs on a board of lower power limits, or locked at lower clocks."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sweetspot.ask.predict import Prediction, predict
from sweetspot.catalog import gpu

# Of the data sheet's limit, and of the highest clock; both are looked at themselves, too.
LIMIT_SHARES = tuple(percent / 100 for percent in range(30, 100, 5))
CLOCK_SHARES = tuple(percent / 100 for percent in range(25, 100, 5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """One workload at many settings of a board. All of it is simulated.

    Attributes:
        input_tokens, output_tokens: of each request.
        by_limit: from the lowest power limit to the data sheet's, clocks free.
        by_clock: from the lowest clock to the highest, at the data sheet's power limit.
    """

    input_tokens: int
    output_tokens: int
    by_limit: tuple[Prediction, ...]
    by_clock: tuple[Prediction, ...]

    @property
    def full(self) -> Prediction:
        """The board as its data sheet has it."""
        return self.by_limit[-1]

    @property
    def limits_w(self) -> list[float]:
        """Power limits of `by_limit`."""
        return [each.power_limit_w for each in self.by_limit]

    @property
    def clocks_mhz(self) -> list[float]:
        """Clocks that the boards of `by_clock` are locked at; the highest of the last."""
        return [
            each.clock_mhz or each.workload.deployment.gpu.max_clock_mhz for each in self.by_clock
        ]


def sweep_settings(
    model: str,
    gpu_name: str,
    workloads: Sequence[tuple[int, int]],
    *,
    requests: int,
    engine: str | None = None,
    calibration: str | os.PathLike[str] | None = None,
) -> list[Swept]:
    """Return each workload at each setting, with what else `predict` has by default.

    Args:
        model: as `predict`.
        gpu_name: as `predict`.
        workloads: input and output tokens of each request.
        requests: N, sent at once.
        engine: as `predict`.
        calibration: as `predict`.

    Raises:
        InputError: as `predict`.
        EngineError: as `predict`.
    """
    board = gpu(gpu_name)
    limits_w = [round(share * board.power_limit_w) for share in LIMIT_SHARES]
    clocks_mhz = [round(share * board.max_clock_mhz) for share in CLOCK_SHARES]
    found = []
    for lengths in workloads:
        at = partial(
            predict, model, gpu_name, *lengths, requests, engine=engine, calibration=calibration
        )
        full = at()
        found.append(
            Swept(
                input_tokens=full.input_tokens,
                output_tokens=full.output_tokens,
                by_limit=(*(at(power_limit_w=each) for each in limits_w), full),
                by_clock=(*(at(clock_mhz=each) for each in clocks_mhz), full),
            )
        )
    return found
