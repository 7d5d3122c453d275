"""Records without a run."""

import pytest

from sweetspot.measure.record import CellRecord


@pytest.fixture
def record_of():
    """Return a function that gives the record of a cell of an H100, as if it had been measured."""

    def build(block, cell, **changes):
        own = ("model", "engine", "input_tokens", "output_tokens", "requests", "max_batch_size")
        known = {name: getattr(cell, name) for name in (*own, "repeat")} | {
            "key": block.key(cell),
            "cell": cell.id,
            "engine_version": "1",
            "gpu": block.settings.gpu.id,
            "status": "ok",
            "simulated": False,
            "beyond_native_context": False,
            "provenance": {"gpu_name": "NVIDIA H100 80GB HBM3", "gpu_uuid": "GPU-0"},
        }
        return CellRecord(**known | changes)

    return build
