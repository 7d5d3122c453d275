"""The samples that a run or a campaign keeps: a trace beside the record of each cell."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sweetspot.errors import InputError
from sweetspot.measure.record import CellRecord
from sweetspot.metering.energy import PAPER_STEP_S
from sweetspot.metering.meter import Readings
from sweetspot.metering.samples import CHANNELS, Samples
from sweetspot.metering.trace import PowerTrace, read_trace
from sweetspot.reading import read_as
from sweetspot.telemetry.sample import COLUMNS, Sample, Source, stamped

SIMULATED_UTC_S = 946_684_800.0
"""When a simulated trace begins in a store: as 2000 did, whoever simulates it, and whenever."""


@dataclass(frozen=True, eq=False)
class Kept:
    """A cell's record, its trace's file, and when and where a store has the samples.

    Attributes:
        record: its energies, and the window.
        path: of the trace.
        source: whose samples they are.
        first_utc_s: when the first of them was, in s since 1970.
    """

    record: CellRecord
    path: Path
    source: Source
    first_utc_s: float

    def readings(self) -> Readings:
        """Return what the file holds; raises InputError where it is no trace."""
        return readings_of(*read_trace(self.path))

    def samples(self, readings: Readings, unit_ns: int) -> list[Sample]:
        """Return them as a store has them that counts time in such units.

        Power is what each look read of it, as a meter sends it (`power_w`): what a trace has in
        place of a reading that failed is in no store.
        """
        trace, samples = readings.trace, readings.samples
        if samples is None:
            columns = [trace.t_s.tolist(), trace.power_w.tolist()]
            columns += [[np.nan] * trace.t_s.size] * (len(COLUMNS) - 2)
        else:
            instant_w, average_w = samples.power_instant_w, samples.power_average_w
            power_w = np.where(np.isnan(instant_w), average_w, instant_w)
            columns = [trace.t_s.tolist(), power_w.tolist()]
            columns += [getattr(samples, name).tolist() for name in CHANNELS[1:]]
        return stamped(zip(*columns, strict=True), self.first_utc_s, unit_ns)


def readings_of(trace: PowerTrace, samples: Samples | None) -> Readings:
    """Return what was sampled as a window is worked out of."""
    counter_j = None if samples is None else samples.complete("counter_j")
    return Readings(trace, counter_j=counter_j, samples=samples, interval_s=PAPER_STEP_S)


@dataclass(frozen=True, slots=True)
class Folder:
    """What lies in the folder of a run or a campaign.

    Attributes:
        path: the folder.
        kept: cells whose samples have a place in time.
        unplaced: cells that earlier versions measured, which did not note when that was.
        without_trace: cells with an energy whose trace is not there.
    """

    path: Path
    kept: list[Kept] = field(default_factory=list)
    unplaced: list[str] = field(default_factory=list)
    without_trace: list[str] = field(default_factory=list)

    @property
    def remarks(self) -> Iterator[str]:
        """What of it has no samples to send or to compare, in words."""
        if self.unplaced:
            yield (
                f"{len(self.unplaced)} cells, such as {self.unplaced[0]}, have no place in time:"
                " earlier versions did not note when a trace began"
            )
        if self.without_trace:
            yield (
                f"{len(self.without_trace)} cells, such as {self.without_trace[0]}, have lost"
                " their trace"
            )


def read_folder(folder: Path) -> Folder:
    """Return the cells that a run or a campaign keeps samples of, by the names of their files.

    A failed cell has none, and counts nowhere.

    Raises:
        InputError: it is the folder of neither, or a record cannot be read.
    """
    places = [folder / "records", *sorted(folder.glob("*/records"))]
    places = [place for place in places if place.is_dir()]
    if not places and (folder / "records.jsonl").is_file():
        raise InputError(
            f"{folder} holds a campaign's data, not its samples: traces.csv.gz there has means of"
            " power between them; give the folder of the campaign itself, which has records/"
        )
    if not places:
        raise InputError(
            f"{folder} is no run or campaign with cells: there is no records/ in it; give a folder"
            " such as results/paper"
        )
    found = Folder(folder)
    for path in (path for place in places for path in sorted(place.rglob("*.json"))):
        record = read_as(CellRecord, path, "cell record")
        if record.energy_j is None:
            continue
        trace = path.with_suffix(".trace.csv.gz")
        if not trace.is_file():
            found.without_trace.append(record.cell)
        elif record.simulated:
            source = Source(
                gpu_uuid=f"SIM-{record.key}", gpu_name=record.gpu, host="", simulated=True
            )
            found.kept.append(Kept(record, trace, source, SIMULATED_UTC_S))
        elif record.trace_utc_s is None:
            found.unplaced.append(record.cell)
        else:
            facts = record.provenance
            source = Source(
                gpu_uuid=facts.get("gpu_uuid", ""),
                gpu_name=facts.get("gpu_name", ""),
                host=facts.get("host", ""),
            )
            found.kept.append(Kept(record, trace, source, record.trace_utc_s))
    return found
