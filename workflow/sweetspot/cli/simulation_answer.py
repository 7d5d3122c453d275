"""How the command `simulate` shows its answer, and how far it is."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # it loads numpy, which other commands do without
    from sweetspot.ask.load import Simulated

# How the printed answer names and rounds what was added up.
_LINES = (
    ("energy_j", "J", ".5g"),
    ("energy_per_token_j", "J per output token", ".4g"),
    ("tokens_per_j", "output tokens per J", ".4g"),
    ("throughput_tokens_per_s", "output tokens per s", ".5g"),
    ("duration_s", "s from the first arrival to the last token", ".5g"),
    ("mean_power_w", "W", ".4g"),
    ("idle_share", "of the time with no request in flight", ".3g"),
    ("mean_batch", "requests in an iteration, mean over the time not idle", ".4g"),
    ("max_batch", "at most", "d"),
    ("pauses", "times a request lost its KV cache", "d"),
)
_LATENCIES = ("first_token", "per_output_token", "end_to_end")
# Work that takes less than twice this shows no progress.
PROGRESS_EVERY_S = 0.5


def print_answer(answer: "Simulated", *, as_json: bool) -> None:
    """Print the answer as one JSON object, or for people."""
    if as_json:
        print(json.dumps(_values(answer)))
    else:
        _print(answer)


def _values(answer: "Simulated") -> dict[str, Any]:
    """Return the answer as one JSON object."""
    served = asdict(answer.served)
    del served["power"]
    rates = {name: getattr(answer.served, name) for name, _, _ in _LINES if name not in served}
    return {
        "model": answer.model,
        "gpu": answer.gpu,
        "scheduling": answer.scheduling,
        "chunked_prefill": answer.chunked_prefill,
        "limits": answer.limits.model_dump(),
        "precision": answer.precision.model_dump(),
        **answer.traits.model_dump(),
        **served,
        **rates,
        "beyond_native_context": answer.beyond_native_context,
        "calibration": answer.calibration,
        "calibration_level": answer.calibration_level,
        "simulated": answer.simulated,
    }


def _print(answer: "Simulated") -> None:
    from sweetspot.simulator.deployment.deployment import in_words

    served, limits = answer.served, answer.limits
    print(
        f"{answer.model} on {answer.gpu}: {served.requests} requests, {served.input_tokens} input"
        f" and {served.output_tokens} output tokens"
    )
    chunked = ", chunked prefill" if answer.chunked_prefill else ""
    deployment = in_words(limits.tensor_parallel, answer.precision, answer.traits)
    print(
        f"{answer.scheduling}{chunked}, max_batch_size {limits.max_batch_size}, max_num_tokens"
        f" {limits.max_num_tokens}{deployment and f', {deployment}'}"
    )
    for name, unit, spec in _LINES:
        print(f"  {name:<26}{getattr(served, name):>12{spec}}  {unit}")
    print(f"  {'latency, s':<26}{'mean':>12}{'p50':>12}{'p95':>12}{'p99':>12}")
    for name in _LATENCIES:
        latency = getattr(served, name)
        if latency is not None:
            cells = (latency.mean_s, latency.p50_s, latency.p95_s, latency.p99_s)
            print(f"    {name:<24}" + "".join(f"{value:>12.4g}" for value in cells))
    print(f"simulated; constants: {answer.calibration} ({answer.calibration_level})")
    if limits.tensor_parallel > 1:
        print("note: energy and power are those of all GPUs")
    if answer.beyond_native_context:
        print("note: some I + O is beyond the context this model was published for")


class Progress:
    """A line on a terminal that says how far a long simulation is; it leaves nothing behind."""

    def __init__(self) -> None:
        """Begin to count the time."""
        self._shown = sys.stderr.isatty()
        self._next_s = monotonic() + 2 * PROGRESS_EVERY_S
        self._width = 0

    def __enter__(self) -> Callable[[int], None]:
        """Return what is to be told how many requests have ended."""
        return self._say

    def __exit__(self, *error: object) -> None:
        """Wipe the line."""
        if self._width:
            print(f"\r{' ' * self._width}\r", end="", file=sys.stderr, flush=True)

    def _say(self, requests: int) -> None:
        if self._shown and monotonic() >= self._next_s:
            self._next_s = monotonic() + PROGRESS_EVERY_S
            text = f"{requests} requests have ended"
            self._width = len(text)
            print(f"\r{text}", end="", file=sys.stderr, flush=True)
