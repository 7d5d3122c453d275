"""GPUs by their data sheets."""

import re
import reprlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from sweetspot.catalog.packaged import read_packaged
from sweetspot.catalog.plausible import implausible
from sweetspot.errors import InputError, unknown_name
from sweetspot.reading import as_mapping, read_yaml

MIB = 2**20
LOWEST_CLOCK_SHARE = 0.1
"""Of the highest clock; data sheets say no lowest one, and an H100's is 210 of 1980 MHz."""

SHORT_NAMES = {"h100": "h100-sxm", "h200": "h200-sxm"}
"""What people mean by a name that several boards begin with."""
KERNELS_OF = "h100-sxm"
"""Whose kernels a board of one's own has whose file does not say: the reference's, as the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU board; numbers from its data sheet, dense (no sparsity).

    Attributes:
        nvml_name: what nvmlDeviceGetName answers for it; empty where a user's file does not say.
        memory_bytes: memory that the driver shows as total.
        bandwidth_bytes_per_s: peak memory bandwidth.
        fp16_flops: peak FP16/BF16 tensor-core FLOP/s, FP32 accumulation.
        fp8_flops: peak FP8 tensor-core FLOP/s; None where the GPU has no FP8.
        power_limit_w: default board power limit.
        nvlink_bytes_per_s: NVLink, both directions together, between any two of eight GPUs; None
            where a board has none or only a bridge to one neighbour.
        pcie_bytes_per_s: PCIe, both directions together.
        max_clock_mhz: highest clock of the multiprocessors.
        clock_share: highest clock that it may run at, as a share of what it can.
        full_power_limit_w: the data sheet's power limit, where a lower one is set; None where none
            is (`set_to`).
        kernels_of: board of the catalog whose kernels a user's board is taken to have; empty for
            one of the catalog.
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
    max_clock_mhz: float = 0.0
    clock_share: float = 1.0
    full_power_limit_w: float | None = None
    kernels_of: str = ""
    source: str = ""

    def is_called(self, nvml_name: str) -> bool:
        """Return whether the driver calls a board so; those of other variants have other names."""
        return bool(self.nvml_name) and _key(nvml_name) == _key(self.nvml_name)

    def set_to(self, power_limit_w: float | None = None, clock_mhz: float | None = None) -> Self:
        """Return the board with a lower power limit, or locked at a clock; None leaves it alone.

        Raises:
            InputError: the limit is above the data sheet's, or the board has no such clock.
        """
        changed: dict[str, Any] = {}
        if power_limit_w is not None and power_limit_w != self.power_limit_w:
            if not 0 < power_limit_w < self.power_limit_w:
                raise InputError(
                    f"power_limit_w must be at most the {self.power_limit_w:g} W of {self.id}'s"
                    f" data sheet, and above 0, not {power_limit_w:g}"
                )
            changed |= {"power_limit_w": power_limit_w, "full_power_limit_w": self.power_limit_w}
        if clock_mhz is not None and clock_mhz != self.max_clock_mhz:
            lowest_mhz = LOWEST_CLOCK_SHARE * self.max_clock_mhz
            if not lowest_mhz <= clock_mhz < self.max_clock_mhz:
                raise InputError(
                    f"clock_mhz must be from {lowest_mhz:g} to {self.max_clock_mhz:g} MHz, the"
                    f" clocks of {self.id}, not {clock_mhz:g}; choose one of them"
                )
            changed["clock_share"] = clock_mhz / self.max_clock_mhz
        return replace(self, **changed) if changed else self

    @property
    def settings(self) -> str:
        """What of this is not as the data sheet has it, in words; empty if nothing is."""
        words = []
        if self.full_power_limit_w is not None:
            words.append(f"power limit {self.power_limit_w:g} W")
        if self.clock_mhz is not None:
            words.append(f"clock {self.clock_mhz:g} MHz")
        return ", ".join(words)

    @property
    def clock_mhz(self) -> float | None:
        """The clock that it is locked at; None where it is free to run at its highest."""
        return None if self.clock_share == 1 else self.clock_share * self.max_clock_mhz

    @property
    def link_bytes_per_s(self) -> float:
        """Peak of what GPUs send one another with, in one direction."""
        return (self.nvlink_bytes_per_s or self.pcie_bytes_per_s) / 2


# Keys of an entry, and how many of the board's unit each counts. What may be null is None then.
_NUMBERS = {
    "memory_mib": ("memory_bytes", MIB),
    "bandwidth_gb_per_s": ("bandwidth_bytes_per_s", 1e9),
    "fp16_tflops": ("fp16_flops", 1e12),
    "fp8_tflops": ("fp8_flops", 1e12),
    "power_limit_w": ("power_limit_w", 1.0),
    "nvlink_gb_per_s": ("nvlink_bytes_per_s", 1e9),
    "pcie_gb_per_s": ("pcie_bytes_per_s", 1e9),
    "max_clock_mhz": ("max_clock_mhz", 1.0),
}
_FLOATS = 1e30  # beyond are whole numbers that are no floats
_NULLABLE = ("fp8_tflops", "nvlink_gb_per_s")
_TEXTS = ("name", "nvml_name", "source")


@lru_cache(maxsize=1)
def _gpus() -> dict[str, Gpu]:
    return {gpu_id: _board(gpu_id, row) for gpu_id, row in read_packaged("gpus.yaml").items()}


def _board(gpu_id: str, row: Mapping[str, Any]) -> Gpu:
    """Return the board that an entry describes.

    Raises:
        InputError: a key is missing, unknown, or holds what no board has.
    """
    unknown = [key for key in row if key not in _NUMBERS and key not in _TEXTS]
    if unknown:
        raise InputError(
            f"unknown key {unknown[0]!r}; known: {', '.join((*_TEXTS, *_NUMBERS, 'kernels_of'))}"
        )
    missing = [key for key in _NUMBERS if key not in row]
    if missing:
        raise InputError(f"{missing[0]!r} is missing (docs/models.md)")
    values: dict[str, Any] = {}
    for key, (field, unit) in _NUMBERS.items():
        value = row[key]
        if value is None and key in _NULLABLE:
            values[field] = None
            continue
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or abs(value) > _FLOATS:
            null = " or null" if key in _NULLABLE else ""
            raise InputError(f"{key!r} must be a number{null}, not {reprlib.repr(value)}")
        values[field] = value * unit
    if wrong := implausible({key: row[key] for key in _NUMBERS if row[key] is not None}):
        raise InputError(wrong)
    for key in _TEXTS:
        if not isinstance(row.get(key, ""), str):
            raise InputError(f"{key!r} must be text, not {reprlib.repr(row[key])}")
    values["memory_bytes"] = int(values["memory_bytes"])
    return Gpu(
        id=gpu_id,
        name=row.get("name", gpu_id),
        nvml_name=row.get("nvml_name", ""),
        source=row.get("source", ""),
        **values,
    )


def is_gpu_file(name: str) -> bool:
    """Return whether a name of a GPU is that of a file."""
    return name.endswith((".yaml", ".yml"))


def _own(path: Path) -> Gpu:
    """Return the board that a user's file describes, called as the file is.

    Raises:
        InputError: it cannot be read, or has the name of a board of the catalog.
    """
    gpu_id = _key(path.stem)
    if not gpu_id or gpu_id in _gpus():
        raise InputError(
            f"GPU file {path}: a board of one's own needs a name that no other has, made of letters"
            " and digits; rename the file"
        )
    row = dict(as_mapping(read_yaml(path, "GPU file"), f"GPU file {path}"))
    try:
        kernels_of = _kernels_of(row.pop("kernels_of", KERNELS_OF))
        return replace(_board(gpu_id, row), kernels_of=kernels_of)
    except InputError as error:
        raise InputError(f"GPU file {path}: {error}") from error


def _kernels_of(name: object) -> str:
    """Return the id of the board that a GPU file names.

    Raises:
        InputError: the catalog has none of this name.
    """
    try:
        if not isinstance(name, str) or is_gpu_file(name):
            raise InputError(f"not {reprlib.repr(name)}")
        return gpu(name).id
    except InputError as error:
        raise InputError(f"'kernels_of' must be a GPU of the catalog: {error}") from error


def gpu_ids() -> tuple[str, ...]:
    """Return the ids of all known GPUs, in the order of the catalog file."""
    return tuple(_gpus())


def gpu(name: str) -> Gpu:
    """Return the GPU of this name, or of this file.

    A name that ends in .yaml is a file with the keys of an entry of gpus.yaml. Any other is an id;
    what NVML and nvidia-smi call the board, such as `NVIDIA H100 80GB HBM3`; or the parts that an
    id begins with, where they are of one board alone or in `SHORT_NAMES`. Case, and what stands
    between the parts, do not matter.

    Raises:
        InputError: no GPU has this name, several have, or the file cannot be read.
    """
    if isinstance(name, str) and is_gpu_file(name):
        return _own(Path(name).expanduser())
    key = _key(name) if isinstance(name, str) else ""
    found = _names().get(SHORT_NAMES.get(key, key), ())
    if not found:
        kin = _names().get(key.partition("-")[0], ())  # H100 NVL is nearer to h100-sxm than to a100
        raise unknown_name("GPU", str(name), kin or gpu_ids())
    if len(found) > 1:
        *others, last = map(repr, found)
        raise InputError(f"GPU {name!r} can be {', '.join(others)} or {last}; name one of them")
    return _gpus()[found[0]]


def known_gpu(nvml_names: Sequence[str], described_by: str) -> Gpu:
    """Return the first of a node's GPUs that the catalog has.

    Args:
        nvml_names: what the driver calls them.
        described_by: how a file that describes one is named to the command that asks.

    Raises:
        InputError: it has none: what to do.
    """
    for name in nvml_names:
        with suppress(InputError):
            return gpu(name)
    raise InputError(
        f"this node's GPU is not of the catalog: {' and '.join(map(repr, nvml_names))}; describe it"
        f" in a file, and name that: {described_by} (docs/models.md)"
    )


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
