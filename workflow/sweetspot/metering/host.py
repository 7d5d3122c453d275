"""Energy of the host beside its GPUs: the counters of CPU packages and of their memory.

Two drivers of Linux have them as files, in µJ: powercap (RAPL, of Intel's and AMD's CPUs) and, on
AMD's with no powercap, the hwmon driver `amd_energy`. They count for the whole node, whoever uses
it. Other meters of hosts (of Grace, of a BMC, of a wall socket) are not read.

Source: powercap/powercap.rst and hwmon/amd_energy.rst of the kernel's documentation.
"""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sweetspot.metering.samples import Samples

SYSFS = Path("/sys")
J_PER_UJ = 1e-6


@dataclass(slots=True)
class Counter:
    """One counter that only grows, but for its wrap.

    Attributes:
        what: "package" or "dram".
        path: the file that has it.
        range_uj: where it begins anew; infinite where it does not in a lifetime.
    """

    what: str
    path: Path
    range_uj: float
    _file: int = field(init=False)
    _last_uj: int = field(init=False)
    _counted_uj: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        """Open it; raises OSError or ValueError where it cannot be read."""
        self._file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._last_uj = self._now_uj()
        except BaseException:
            self.close()
            raise

    def read_j(self) -> float:
        """Return what it has counted since it was opened; raises OSError or ValueError.

        It is read far more often than it wraps: once a minute at most, at all that a socket draws.
        """
        now_uj = self._now_uj()
        step_uj = now_uj - self._last_uj
        if step_uj < 0 and math.isinf(self.range_uj):
            raise ValueError(f"{self.path} fell")
        self._counted_uj += step_uj if step_uj >= 0 else step_uj + self.range_uj
        self._last_uj = now_uj
        return self._counted_uj * J_PER_UJ

    def close(self) -> None:
        """Close its file."""
        os.close(self._file)

    def _now_uj(self) -> int:
        return int(os.pread(self._file, 32, 0))


class Host:
    """All counters of a node, read as one.

    Attributes:
        scope: what they count, in words; "" where there is none.
        remark: why one that is there is not read, and what opens it; "" where all are.
    """

    def __init__(self, sysfs: Path = SYSFS) -> None:
        """Open what the node has; never fails."""
        self._counters: list[Counter] = []
        self.remark = ""
        for what, path, limit in _found(sysfs):
            try:
                range_uj = float(limit.read_text()) if limit else math.inf
                self._counters.append(Counter(what, path, range_uj))
            except PermissionError:
                self.remark = (
                    f"the host's energy is not read: {path} is not for this user; root opens it"
                    f" until the next start by: chmod a+r {_all_like(path)}"
                )
            except (OSError, ValueError) as error:
                self.remark = f"the host's energy is not read: {path}: {error}"
        if self.remark:  # a sum without one of its parts would pass for the whole
            self.close()
        self.scope = _scope([each.what for each in self._counters])

    def read_j(self) -> float:
        """Return J since the counters were opened, all together; NaN where they do not answer."""
        if not self._counters:
            return math.nan
        try:
            return sum(each.read_j() for each in self._counters)
        except (OSError, ValueError):
            return math.nan

    def close(self) -> None:
        """Close the counters; afterwards there are none."""
        for each in self._counters:
            each.close()
        self._counters = []


def host_energy_j(samples: Samples | None, start_s: float, end_s: float) -> float | None:
    """Return what a node's counters say of [start_s, end_s], in J, linear between looks.

    The looks span it. None where one of them has no such reading.
    """
    counter_j = None if samples is None else samples.complete("host_counter_j")
    if samples is None or counter_j is None:
        return None
    at_start_j, at_end_j = np.interp((start_s, end_s), samples.t_s, counter_j)
    return float(at_end_j - at_start_j)


def _found(sysfs: Path) -> Iterator[tuple[str, Path, Path | None]]:
    """Yield what each counter counts, its file and that of its range.

    Of powercap's zones those of one tree: `intel-rapl-mmio` has the packages once more, and a zone
    "psys" all of a board that packages are a part of. "core" and "uncore" are parts of packages.
    """
    packages = 0
    for zone in sorted((sysfs / "class/powercap").glob("intel-rapl:*")):
        name = _text(zone / "name")
        what = "package" if name.startswith("package") else name
        if what in ("package", "dram"):
            packages += what == "package"
            yield what, zone / "energy_uj", zone / "max_energy_range_uj"
    if packages:
        return
    for device in sorted((sysfs / "class/hwmon").glob("hwmon*")):
        if _text(device / "name") == "amd_energy":
            for label in sorted(device.glob("energy*_label")):
                if _text(label).startswith("Esocket"):
                    yield "package", label.with_name(f"{label.name[:-6]}_input"), None


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


def _all_like(path: Path) -> str:
    """Return a pattern of a shell for all counters of the same driver."""
    if path.name == "energy_uj":
        return f"{path.parent.parent}/intel-rapl:*/energy_uj"
    return f"{path.parent}/energy*_input"


def _scope(counted: Sequence[str]) -> str:
    packages, memories = counted.count("package"), counted.count("dram")
    if not packages:
        return ""
    of_packages = "1 CPU package" if packages == 1 else f"{packages} CPU packages"
    if not memories:
        return f"{of_packages} of the node"
    return f"{of_packages} of the node, and memory of {memories}"
