"""What a server counts of itself, by its page /metrics.

Sources: vLLM 0.24.0 to 0.32.0, vllm/v1/metrics/loggers.py; SGLang,
python/sglang/srt/metrics/collector.py at 00ae9c1 and
managers/scheduler_runtime_checker_mixin.py at 008e7b8; text-generation-inference v3.3.7,
backends/v3/src and router/src; llama.cpp, tools/server/README.md.
"""

import re
from collections import defaultdict
from dataclasses import dataclass

_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{.*\})?\s+(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Names:
    """What one kind of server calls its numbers; a count that it lacks is "".

    Attributes:
        late_s: how long it may go on saying that requests run when none does any more.
    """

    kind: str
    running: str
    waiting: str
    input_tokens: str
    output_tokens: str
    cached_tokens: str = ""
    late_s: float = 0.0


KINDS = (
    Names(
        kind="vLLM",
        running="vllm:num_requests_running",
        waiting="vllm:num_requests_waiting",
        input_tokens="vllm:prompt_tokens_total",
        output_tokens="vllm:generation_tokens_total",
        cached_tokens="vllm:prefix_cache_hits_total",
    ),
    Names(
        kind="SGLang",
        running="sglang:num_running_reqs",
        waiting="sglang:num_queue_reqs",
        input_tokens="sglang:prompt_tokens_total",
        output_tokens="sglang:generation_tokens_total",
        cached_tokens="sglang:cached_tokens_total",
        late_s=30.0,  # of an idle scheduler, numbers of requests are renewed as often
    ),
    Names(
        kind="llama.cpp",
        running="llamacpp:requests_processing",
        waiting="llamacpp:requests_deferred",
        input_tokens="llamacpp:prompt_tokens_total",
        output_tokens="llamacpp:tokens_predicted_total",
    ),
    Names(
        kind="TGI",
        running="tgi_batch_current_size",
        waiting="tgi_queue_size",
        input_tokens="tgi_request_input_length_sum",
        output_tokens="tgi_request_generated_tokens_sum",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """A server's numbers at one moment; tokens are counted since it started.

    Attributes:
        kind: the server's software.
        running, waiting: requests in flight.
        input_tokens, output_tokens: of all requests.
        cached_tokens: of prompts, found in the prefix cache; None where they are not counted, or
            none was found yet.
        late_s: how long requests may still be in flight here that no longer are.
    """

    kind: str
    running: int
    waiting: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int | None
    late_s: float = 0.0

    @property
    def in_flight(self) -> int:
        """All requests that the server has."""
        return self.running + self.waiting


def parse_metrics(page: str) -> Counts | None:
    """Return what a page in Prometheus' text format counts; None where it is of no known server.

    Samples of one name, such as those of several engines, are added.
    """
    totals: dict[str, float] = defaultdict(float)
    for name, value in _SAMPLE.findall(page):
        try:
            totals[name] += float(value)
        except ValueError:
            return None
    for names in KINDS:
        if names.running in totals:

            def whole(name: str) -> int:
                number = totals.get(name, 0.0)
                return round(number) if abs(number) < float("inf") else 0

            return Counts(
                kind=names.kind,
                running=whole(names.running),
                waiting=whole(names.waiting),
                input_tokens=whole(names.input_tokens),
                output_tokens=whole(names.output_tokens),
                cached_tokens=whole(names.cached_tokens) if names.cached_tokens in totals else None,
                late_s=names.late_s,
            )
    return None
