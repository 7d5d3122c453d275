"""What a probe left: probe.json, one entry a step, and a trace of each in samples/."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from sweetspot.catalog import Gpu
from sweetspot.catalog import gpu as board_of
from sweetspot.files import write_text_atomic
from sweetspot.probe.steps import Kind, Precision
from sweetspot.reading import parse_as, read_bytes_if_there
from sweetspot.schema.keys import FiniteFloat, Matching, Range
from sweetspot.schema.writing import json_text

FILE = "probe.json"
Positive = Annotated[float, Range(gt=0, finite=True)]
Amount = Annotated[float, Range(ge=0, finite=True)]


@dataclass(frozen=True, kw_only=True)
class Taken:
    """One step, as it went.

    Attributes:
        status: `ok`; `invalid` where its window is not to be trusted, or `failed`: `reason`.
        flops, bytes, kv_bytes: of one pass.
        duration_s: of the window; passes in it.
        energy_j: of the window, by `energy_source`.
        mean_sm_mhz: of the multiprocessors; max_sm_mhz is the board's highest.
    """

    id: Annotated[str, Matching(r"^[a-z0-9][a-z0-9-]{0,60}$")]
    kind: Kind
    tells: str
    sizes: dict[str, int] = field(default_factory=dict)
    data: Literal["normal", "zeros"]
    precision: Precision = "bf16"
    compiled: bool = False
    duty: Annotated[float, Range(gt=0, le=1)]
    status: Literal["ok", "invalid", "failed"]
    reason: str = ""
    flops: Amount = 0.0
    bytes: Amount = 0.0
    kv_bytes: Amount = 0.0
    queries_per_kv_head: Positive = 1.0
    start_s: FiniteFloat | None = None
    duration_s: Positive | None = None
    passes: Annotated[int, Range(ge=0)] = 0
    energy_j: Positive | None = None
    energy_source: str = ""
    mean_sm_mhz: Amount | None = None
    max_sm_mhz: Amount | None = None
    power_cap_share: Amount | None = None
    temperature_start_c: FiniteFloat | None = None
    temperature_end_c: FiniteFloat | None = None
    remarks: list[str] = field(default_factory=list)

    @property
    def power_w(self) -> float:
        """Mean power of the window, in W; 0 where there is none."""
        return self.energy_j / self.duration_s if self.energy_j and self.duration_s else 0.0

    @property
    def per_s(self) -> float:
        """Passes in a second."""
        return self.passes / self.duration_s if self.duration_s else 0.0

    @property
    def clock_share(self) -> float | None:
        """Mean clock as a share of the board's highest."""
        if not self.mean_sm_mhz or not self.max_sm_mhz:
            return None
        return min(1.0, self.mean_sm_mhz / self.max_sm_mhz)


@dataclass(frozen=True, kw_only=True)
class Probed:
    """A board, what ran on it, and the steps so far.

    Attributes:
        gpu: id of the board.
        described: the board where it is one of a user's file, which others do not have.
        facts: of the board and its driver, and of the program; a change of board is refused.
        on_cpu: the kernels ran on the CPU: the path was tried, and no number means anything.
    """

    schema_version: Literal[1] = 1
    gpu: str
    described: Gpu | None = None
    measured_utc: str
    facts: dict[str, str] = field(default_factory=dict)
    on_cpu: bool = False
    steps: list[Taken] = field(default_factory=list)

    @property
    def board(self) -> Gpu:
        """What ran the kernels; raises InputError where nobody knows it."""
        return self.described or board_of(self.gpu)

    def having(self, taken: Taken) -> "Probed":
        """Return it with a step, in place of what there was of it."""
        others = [each for each in self.steps if each.id != taken.id]
        return replace(self, steps=[*others, taken])

    def write(self, folder: Path) -> None:
        """Write it into its folder.

        Raises:
            InputError: it cannot be written.
        """
        write_text_atomic(folder / FILE, json_text(self, indent=1) + "\n")


def read_probed(folder: Path) -> Probed | None:
    """Return what a probe left in a folder; None where nothing is.

    Raises:
        InputError: it is not what a probe leaves, or of a GPU that nobody knows.
    """
    path = folder / FILE
    content = read_bytes_if_there(path, "probe")
    if content is None:
        return None
    found = parse_as(Probed, content, f"probe {path}", "a probe of another version?")
    _ = found.board
    return found
