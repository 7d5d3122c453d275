"""What all workers do alike with a cell: read its requests, and run them until it is enough.

Needs only what every Python has; the workers lie beside it.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any


def read_prompts(order: Mapping[str, Any], vocabulary: int) -> tuple[list[list[int]], list[str]]:
    """Return the token ids of a cell's requests, and what is to be said of them.

    A data set is one for all models; ids that a model does not have are taken modulo its
    vocabulary.

    Raises:
        ValueError: the data set holds other requests than the cell.
    """
    with Path(order["dataset"]).open(encoding="utf-8") as file:
        prompts = [json.loads(line)["input_ids"] for line in islice(file, order["requests"])]
    lengths = {len(prompt) for prompt in prompts}
    if len(prompts) != order["requests"] or lengths != {order["input_tokens"]}:
        raise ValueError(
            f"the data set {order['dataset']} holds {len(prompts)} requests of {sorted(lengths)}"
            f" tokens instead of {order['requests']} of {order['input_tokens']}"
        )
    if max(map(max, prompts)) < vocabulary:
        return prompts, []
    prompts = [[token % vocabulary for token in prompt] for prompt in prompts]
    return prompts, [f"token ids are taken modulo the model's vocabulary of {vocabulary}"]


def measured(one_pass: Callable[[], Sequence[int]], order: Mapping[str, Any]) -> dict[str, Any]:
    """Run passes back to back until they last `min_window_s`; return the window and its counts.

    A pass runs all requests, and returns how many tokens each was answered with when the last
    answer is there.
    """
    passes = requests = output_tokens = 0
    start_s = end_s = time.monotonic()
    while not passes or end_s - start_s < order["min_window_s"]:
        lengths = one_pass()
        end_s = time.monotonic()
        passes += 1
        requests += len(lengths)
        output_tokens += sum(lengths)
    return {
        "start_s": start_s,
        "end_s": end_s,
        "passes": passes,
        "requests": requests,
        "input_tokens": requests * order["input_tokens"],
        "output_tokens": output_tokens,
    }
