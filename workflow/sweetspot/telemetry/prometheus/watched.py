"""What a running server draws and gives, as metrics beside its own."""

from collections.abc import Mapping

from sweetspot.engines.endpoint.watch import Span
from sweetspot.telemetry.prometheus.page import Metric

POWER = Metric("sweetspot_watch_power_watts", "gauge", "Power of a server's boards (in W).")
ENERGY = Metric(
    "sweetspot_watch_energy_joules_total", "counter", "Energy of a server's boards (in J)."
)
TOKENS = Metric(
    "sweetspot_watch_output_tokens_total", "counter", "Output tokens that it counted meanwhile."
)
RUNNING = Metric("sweetspot_watch_requests_running", "gauge", "Requests that it works on.")
WAITING = Metric("sweetspot_watch_requests_waiting", "gauge", "Requests that wait.")


def metrics_of(now: Span, so_far: Span) -> Mapping[Metric, float]:
    """Return what is shown after a look.

    Args:
        now: what the server did since the look before.
        so_far: since the first.
    """
    return {
        POWER: now.energy_j / now.duration_s,
        ENERGY: so_far.energy_j,
        TOKENS: so_far.output_tokens,
        RUNNING: now.running,
        WAITING: now.waiting,
    }
