"""What users of a server ask for: how long they wait, and what it does when it is busy."""

from collections.abc import Sequence

import numpy as np

from sweetspot.engines.base import Steady
from sweetspot.engines.endpoint.answers import Answer

PERCENTILES = (50, 90, 99)
STEADY_SHARE = 0.9  # of the most answers that were written at once


def latencies(answers: Sequence[Answer]) -> dict[str, float]:
    """Return percentiles in s of time to first token, between tokens, and to the end.

    Between tokens is (last − first) / (O − 1) of a request, of those with more than one token.
    """
    waits = {
        "ttft": [each.chunks_s[0] - each.sent_s for each in answers],
        "tpot": [
            (each.end_s - each.chunks_s[0]) / (each.output_tokens - 1)
            for each in answers
            if each.output_tokens > 1
        ],
        "e2e": [each.end_s - each.sent_s for each in answers],
    }
    return {
        f"{name}_p{percent}_s": float(value)
        for name, values in waits.items()
        if values
        for percent, value in zip(PERCENTILES, np.percentile(values, PERCENTILES), strict=True)
    }


def steady_part(passes: Sequence[Sequence[Answer]]) -> Steady | None:
    """Return the longest time of one pass in which answers were written at (nearly) full rate.

    It begins when `STEADY_SHARE` of the most answers at once are being written for the first time,
    and ends when that is so for the last time. None where no answer has two tokens.
    """
    parts = [part for answers in passes if (part := _steady_of(answers))]
    return max(parts, key=lambda part: part.end_s - part.start_s, default=None)


def _steady_of(answers: Sequence[Answer]) -> Steady | None:
    written = [each for each in answers if each.end_s > each.chunks_s[0]]
    if not written:
        return None
    starts = np.sort([each.chunks_s[0] for each in written])
    ends = np.sort([each.end_s for each in written])
    times = np.concatenate([starts, ends])
    steps = np.concatenate([np.ones(starts.size), -np.ones(ends.size)])
    order = np.argsort(times, kind="stable")
    at_once = np.cumsum(steps[order])
    enough = np.flatnonzero(at_once >= STEADY_SHARE * at_once.max())
    start_s, end_s = float(times[order][enough[0]]), float(times[order][enough[-1] + 1])
    if end_s <= start_s:
        return None
    tokens = 0.0
    for each in written:
        came_s = np.asarray(each.chunks_s)
        inside = int(((came_s > start_s) & (came_s <= end_s)).sum())
        tokens += inside * each.output_tokens / came_s.size
    return Steady(start_s=start_s, end_s=end_s, output_tokens=tokens)
