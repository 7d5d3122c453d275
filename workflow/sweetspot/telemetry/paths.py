"""Where a board's samples lie in IoTDB's tree, written to it or by a broker."""

import re

from sweetspot.telemetry.sample import Source

ROOT = "root.sweetspot"
_ODD = re.compile(r"[^A-Za-z0-9_]")


def device(root: str, source: Source) -> str:
    """Return the path of a board: `root`, node and board, as `root.sweetspot.n01.GPU_1f2e`.

    A simulated run's is below a database of its own, and has no node.

    Args:
        root: the path above, "" for ours.
        source: whose samples.
    """
    root = root or ROOT
    board = node(source.gpu_uuid)
    if source.simulated:
        return f"{root}_simulated.{board}"
    return f"{root}.{node(source.host)}.{board}"


def node(name: str) -> str:
    """Return a name as a node of a path that needs no quotes."""
    clean = _ODD.sub("_", name)
    return clean if clean and not clean[0].isdigit() else f"_{clean}"
