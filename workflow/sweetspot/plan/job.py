"""What a job of a block asks a cluster for: time and memory of the node.

These are ceilings: a cluster ends a job that takes longer, and one that asks for less may start
sooner.
"""

import math

from sweetspot.plan.block import Block

# Simulated throughput of a GPU and engine without a calibration may be 40 % off (docs/accuracy.md).
MARGIN = 2.0

# The rest is assumed; nobody has measured it.
JOB_S = 900.0  # once a job: start of container and Python, compilation, CUDA graphs, data sets
LOAD_S = 60.0  # once a load: libraries, warm-up, the engine's own start
READ_BYTES_PER_S = 0.3e9  # weights from a busy network file system
BUILD_PASSES = 4  # checkpoint read, converted weights written and read, engine written
SIMULATED_CELL_S = 1.0

HOST_MB = 16_000  # Python, CUDA's libraries and pinned buffers, data sets
SIMULATED_MB = 4_000
WEIGHTS_HELD = 2  # in the node's memory at once: the checkpoint's, and as converted


def runtime_min(block: Block, cells: int, busy_s: float) -> int:
    """Return how long a job may take to measure some cells of a block, in minutes.

    `cells` is how many, `busy_s` how long the GPU will be busy with them (`plan.busy`).
    """
    settings = block.settings
    if settings.metering is None:
        return math.ceil((JOB_S + SIMULATED_CELL_S * cells) / 60)
    read_s = settings.model.weight_bytes / READ_BYTES_PER_S
    builds = settings.engine == "tensorrt-llm"
    # trtllm-bench loads the engine for every cell
    loads = cells if settings.options.get("mode") == "bench" else 1
    total_s = JOB_S + MARGIN * busy_s + loads * (LOAD_S + read_s)
    return math.ceil((total_s + builds * BUILD_PASSES * read_s) / 60)


def memory_mb(block: Block) -> int:
    """Return how much of a node's memory a job needs, in MB."""
    if block.settings.metering is None:
        return SIMULATED_MB
    return HOST_MB + math.ceil(WEIGHTS_HELD * block.settings.model.weight_bytes / 1e6)
