"""What a campaign's report says of the power sensor."""

from collections.abc import Mapping
from typing import Any

from sweetspot.campaign.report.tables import markdown

_FACTS = (
    ("counter_period_s", "the energy counter moves every", "s"),
    ("instant_period_s", "the instantaneous power is renewed every", "s"),
    ("average_period_s", "the average power is renewed every", "s"),
    ("instant_delay_s", "half of a rise is seen after", "s"),
    ("average_window_s", "the average power is a mean over", "s"),
    ("average_delay_s", "and is shown later by", "s"),
    ("usage_is", "nvmlDeviceGetPowerUsage shows", ""),
    ("idle_w", "idle power, no program on the GPU", "W"),
    ("off_w", "power between the loads", "W"),
    ("on_w", "power under load", "W"),
    ("interval_s", "looked at every", "s"),
    ("largest_gap_s", "longest time between two looks", "s"),
)


def sensor_text(sensor: Mapping[str, Any] | None) -> str:
    """Return what sensor.json says, as a table."""
    if sensor is None:
        return "It was not looked at."
    facts = sensor["facts"]
    rows = [(title, _number(facts[name], unit)) for name, title, unit in _FACTS]
    rows.append(("share of a CPU core that looking took", _number(sensor["sampler_cpu_share"], "")))
    for wave in facts["energies"]:
        for name in ("instant", "average"):
            if wave["counter_j"] and wave[f"{name}_j"]:
                gap = wave["counter_j"] / wave[f"{name}_j"] - 1
                title = f"wave {wave['wave']}, {wave['seconds']:.0f} s: counter over {name} power"
                rows.append((title, f"{gap:+.2%}"))
    return markdown(("By a square wave of load", ""), rows)


def _number(value: float | str | None, unit: str) -> str:
    if value is None:
        return "not known"
    return value if isinstance(value, str) else f"{value:.3g} {unit}".strip()
