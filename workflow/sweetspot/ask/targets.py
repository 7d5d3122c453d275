"""Targets of a load's candidates: latencies and power that they must not pass."""

from dataclasses import dataclass, fields

from sweetspot.errors import InputError

POWER = "max_power_w"
TARGETS = {"ttft_p95_s": "TTFT", "tpot_p95_s": "TPOT", "e2e_p95_s": "E2E", POWER: "power"}
"""What targets are of, in words."""
_LONGEST_S = {"ttft_p95_s": 60.0, "tpot_p95_s": 2.0, "e2e_p95_s": 3600.0}
"""That anybody waits for an answer's beginning, its next token, or its end."""
MOST_REPLICAS = 1024
"""That are tried where as few as meet the targets are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What 95th percentiles of latencies, and power, must not pass; None: they may be any.

    Attributes:
        ttft_p95_s: to the first token.
        tpot_p95_s: per output token after the first.
        e2e_p95_s: to the last token.
        max_power_w: mean power of all boards of a candidate, hosts left out.

    Raises:
        InputError: one is not a number above 0.
    """

    ttft_p95_s: float | None = None
    tpot_p95_s: float | None = None
    e2e_p95_s: float | None = None
    max_power_w: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for name, value in self.given.items():
            if not 0 < value < float("inf"):
                unit = "W" if name == POWER else "seconds"
                raise InputError(f"{name} must be a number of {unit} above 0, not {value}")

    @property
    def given(self) -> dict[str, float]:
        """Those that there are, by name."""
        every = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in every.items() if value is not None}

    @property
    def doubts(self) -> list[str]:
        """Warnings of targets that are likely in another unit."""
        return [
            f"Warning: {TARGETS[name]} of {value:g} s is more than anybody waits for; give s, not"
            f" ms: {value / 1000:g} would be {value:g} ms"
            for name, value in self.given.items()
            if value > _LONGEST_S.get(name, float("inf"))
        ]

    @property
    def words(self) -> str:
        """What they are; empty where there are none."""
        latencies = [
            f"{TARGETS[name]} {value:g} s" for name, value in self.given.items() if name != POWER
        ]
        words = [f"p95 of {', '.join(latencies)} at most"] if latencies else []
        if self.max_power_w is not None:
            words.append(f"mean power of all boards {self.max_power_w:g} W at most")
        return "; ".join(words)
