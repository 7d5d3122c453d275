"""Cliffs of energy per token over output length: where one token more begins another wave.

N requests of which k fit at once run in ⌈N/k⌉ waves, and k falls with the output length O, so e(O)
of exactly N requests is a sawtooth. What is said of its teeth, and how far a length to rely on
stays away from them, is the same for a simulated workload and for a fitted form.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOLERANCE = 0.02
"""How much more than the least is as good."""
CLIFF = 0.01
"""How much one token more changes energy per token where there is a cliff."""
MARGIN = 0.03
"""How far a recommended length stays away from it, as a share of the length."""


@dataclass(frozen=True, slots=True)
class Cliff:
    """Where one output token more begins another wave of requests, or changes the batch.

    Attributes:
        output_tokens: the last length before it.
        step_percent: change of energy per token.
        waves: of requests before it.
        waves_after: and behind it.
    """

    output_tokens: int
    step_percent: float
    waves: int
    waves_after: int

    @property
    def words(self) -> str:
        """What comes with one token more."""
        change = f"{abs(self.step_percent):.1f} % {'more' if self.step_percent > 0 else 'less'}"
        if self.waves == self.waves_after:
            why = "smaller batches"
        else:
            why = f"{self.waves_after} waves instead of {self.waves}"
        return f"from {self.output_tokens + 1} output tokens on {why}, {change} a token"

    def is_near(self, length: "int | NDArray[np.float64]") -> "bool | NDArray[np.bool_]":
        """Return whether the step to the next length is within 3 % of a length, or of each."""
        before, behind = (1 - MARGIN) * length, (1 + MARGIN) * length
        return (before <= self.output_tokens + 1) & (self.output_tokens <= behind)
