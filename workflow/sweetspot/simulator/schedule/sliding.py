"""What sliding layers read in a run of identical requests, added to its segments.

Prompts are processed one behind the other, so that tokens processed so far say which of them a
segment has. A group of requests that begins decode together fills its windows at one iteration;
there, segments are cut.
"""

import numpy as np
import numpy.typing as npt

from sweetspot.simulator.deployment.windows import Windows

IntArray = npt.NDArray[np.int64]
Columns = dict[str, IntArray]


def with_sliding_layers(
    columns: Columns, windows: Windows, input_tokens: int, output_tokens: int
) -> Columns:
    """Return the columns of a `Schedule`, cut where windows are full, and those of sliding layers.

    Args:
        columns: iterations, decodes, decode_context and so on, of all segments.
        windows: those of the model.
        input_tokens: of each prompt.
        output_tokens: of each answer.
    """
    ends = np.cumsum(columns["iterations"])
    starts = ends - columns["iterations"]
    groups = columns["prompts_finished"]
    begin = ends[groups > 0]
    requests = groups[groups > 0]
    end = begin + output_tokens - 1
    full = np.minimum(begin + max(0, windows.tokens - input_tokens - 1), end)
    cut = np.union1d(starts, full[full < ends[-1]])
    segment = np.searchsorted(starts, cut, side="right") - 1
    found = {name: values[segment] for name, values in columns.items()}
    found["iterations"] = np.diff(cut, append=ends[-1])
    found["decode_context"] += (cut - starts[segment]) * found["decodes"]

    def changes(at: IntArray, by: IntArray) -> IntArray:
        """Return what changes at the beginning of each segment; whole numbers, exact in float64."""
        within = at < ends[-1]
        place = np.searchsorted(cut, at[within])
        return np.bincount(place, by[within], cut.size).astype(np.int64)

    filling = np.cumsum(changes(begin, requests) - changes(full, requests))
    first, last = (windows.seen(input_tokens + n) for n in (1, output_tokens))
    jumps = changes(begin, requests * first) - changes(end, requests * last)
    grown = np.cumsum(filling * found["iterations"])
    found["sliding_context"] = np.cumsum(jumps) + np.concatenate([[0], grown[:-1]])
    found["sliding_decodes"] = filling
    return found | _prompts(found["prompt_tokens"], windows, input_tokens)


def _prompts(tokens: IntArray, windows: Windows, input_tokens: int) -> Columns:
    """Return the pairs of prompts in a sliding layer, and what chunks read from earlier ones."""
    after = np.cumsum(tokens)
    before = after - tokens
    done = np.where(tokens > 0, before % input_tokens, 0)

    def pairs(processed: IntArray) -> IntArray:
        part = processed % input_tokens
        rising = np.minimum(part, windows.tokens)
        of_part = rising * (rising + 1) // 2 + (part - rising) * windows.tokens
        summed: IntArray = processed // input_tokens * windows.pairs(0, input_tokens) + of_part
        return summed

    return {
        "sliding_pairs": pairs(after) - pairs(before),
        "sliding_prompt_context": np.minimum(done, windows.tokens - 1),
    }
