"""GPUs by their data sheets."""

import re
from dataclasses import dataclass
from functools import lru_cache

from sweetspot.catalog.packaged import read_packaged
from sweetspot.errors import InputError, unknown_name

MIB = 2**20

SHORT_NAMES = {"h100": "h100-sxm"}
"""What people mean by a name that several boards begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU board; numbers from its data sheet, dense (no sparsity).

    Attributes:
        nvml_name: what nvmlDeviceGetName answers for it (the start of it, where variants exist).
        memory_bytes: memory that the driver shows as total.
        bandwidth_bytes_per_s: peak memory bandwidth.
        fp16_flops: peak FP16/BF16 tensor-core FLOP/s, FP32 accumulation.
        fp8_flops: peak FP8 tensor-core FLOP/s; None where the GPU has no FP8.
        power_limit_w: default board power limit.
        nvlink_bytes_per_s: NVLink, both directions together, between any two of eight GPUs; None
            where a board has none or only a bridge to one neighbour.
        pcie_bytes_per_s: PCIe, both directions together.
        source: the data sheet, and where memory_bytes comes from.
    """

    id: str
    name: str
    nvml_name: str
    memory_bytes: int
    bandwidth_bytes_per_s: float
    fp16_flops: float
    fp8_flops: float | None
    power_limit_w: float
    nvlink_bytes_per_s: float | None = None
    pcie_bytes_per_s: float = 0.0
    source: str = ""

    @property
    def link_bytes_per_s(self) -> float:
        """Peak of what GPUs send one another with, in one direction."""
        return (self.nvlink_bytes_per_s or self.pcie_bytes_per_s) / 2


@lru_cache(maxsize=1)
def _gpus() -> dict[str, Gpu]:
    return {
        gpu_id: Gpu(
            id=gpu_id,
            name=row["name"],
            nvml_name=row["nvml_name"],
            memory_bytes=row["memory_mib"] * MIB,
            bandwidth_bytes_per_s=row["bandwidth_gb_per_s"] * 1e9,
            fp16_flops=row["fp16_tflops"] * 1e12,
            fp8_flops=None if row["fp8_tflops"] is None else row["fp8_tflops"] * 1e12,
            power_limit_w=float(row["power_limit_w"]),
            nvlink_bytes_per_s=(
                None if row["nvlink_gb_per_s"] is None else row["nvlink_gb_per_s"] * 1e9
            ),
            pcie_bytes_per_s=row["pcie_gb_per_s"] * 1e9,
            source=row["source"],
        )
        for gpu_id, row in read_packaged("gpus.yaml").items()
    }


def gpu_ids() -> tuple[str, ...]:
    """Return the ids of all known GPUs, in the order of the catalog file."""
    return tuple(_gpus())


def gpu(name: str) -> Gpu:
    """Return the GPU of this name.

    A name is an id; what NVML and nvidia-smi call the board, such as `NVIDIA H100 80GB HBM3`; or
    the parts that an id begins with, where they are of one board alone or in `SHORT_NAMES`. Case,
    and what stands between the parts, do not matter.

    Raises:
        InputError: no GPU has this name, or several have.
    """
    key = _key(name) if isinstance(name, str) else ""
    found = _names().get(SHORT_NAMES.get(key, key), ())
    if not found:
        kin = _names().get(key.partition("-")[0], ())  # H100 NVL is nearer to h100-sxm than to a100
        raise unknown_name("GPU", str(name), kin or gpu_ids())
    if len(found) > 1:
        raise InputError(f"GPU {name!r} can be {' or '.join(map(repr, found))}; name one of them")
    return _gpus()[found[0]]


@lru_cache(maxsize=1)
def _names() -> dict[str, tuple[str, ...]]:
    """Return the ids of the boards that go by each name."""
    found: dict[str, tuple[str, ...]] = {}
    for gpu_id, board in _gpus().items():
        parts = gpu_id.split("-")
        beginnings = {"-".join(parts[: i + 1]) for i in range(len(parts))}
        for name in {*beginnings, _key(board.nvml_name)}:
            found[name] = (*found.get(name, ()), gpu_id)
    return found


def _key(name: str) -> str:
    """Return what of a name counts; drivers before R510 report it without the maker's."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-").removeprefix("nvidia-")
