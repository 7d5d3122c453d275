"""What an experiment will take, before anything is started."""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_args

from sweetspot.config import DesignName, Experiment, parse_experiment
from sweetspot.errors import InputError
from sweetspot.measure.work import Work, records_of, work_of
from sweetspot.plan.block import Block
from sweetspot.plan.busy import Busy, Estimate, busy, busy_s
from sweetspot.plan.dataset import RequestSpec, dataset_bytes
from sweetspot.plan.plan import plan
from sweetspot.reading import as_mapping, read_yaml
from sweetspot.units import HOUR_S, J_PER_KWH
from sweetspot.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What a model, or all of them, take.

    Attributes:
        model: its id; "total" of all.
        cells_left: those without a record.
        busy: time and energy of these on a GPU.
    """

    model: str
    blocks: int
    cells: int
    cells_left: int
    busy: Busy

    @property
    def gpu_hours(self) -> Estimate:
        """How long a GPU is busy with the cells that are left."""
        return self.busy.duration_s.over(HOUR_S)

    @property
    def kwh(self) -> Estimate:
        """What its board takes meanwhile."""
        return self.busy.energy_j.over(J_PER_KWH)

    def values(self) -> dict[str, Any]:
        """Return it by names with units."""
        return {
            "model": self.model,
            "blocks": self.blocks,
            "cells": self.cells,
            "cells_left": self.cells_left,
            **_named("gpu_hours", self.gpu_hours),
            **_named("kwh", self.kwh),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEstimate:
    """What an experiment takes; by the simulator, but for what is counted.

    Attributes:
        models: one share each, in the experiment's order.
        total: the sum; its intervals are as if all cells were wrong to the same side.
        gpus: how many work at it.
        finish_hours: when these are done: each block is one job, which one GPU takes whole, and
            the longest is begun first.
        longest: the id of the block that takes longest.
        longest_hours: how long.
        datasets: files of requests, which all models share; 0 for the simulator.
        dataset_bytes: their size.
        rests_on: what the intervals rest on, in words, those of energy and of time.
    """

    experiment: Experiment
    models: tuple[Share, ...]
    total: Share
    gpus: int
    finish_hours: Estimate
    longest: str
    longest_hours: float
    datasets: int
    dataset_bytes: float
    rests_on: tuple[str, ...]

    @property
    def simulated(self) -> bool:
        """Whether it needs no GPU: time and energy are 0 then."""
        return self.experiment.engine == "simulator"

    @property
    def in_words(self) -> str:
        """All of it in one line."""
        total = self.total
        left = f"{total.cells_left} of {total.cells} cells to do"
        if self.simulated:
            return f"{left}; simulated: no GPU hours, no kWh"
        gpus = counted(self.gpus, "GPU")
        return (
            f"{left}: {total.gpu_hours.in_words} GPU hours, {total.kwh.in_words} kWh; {gpus}"
            f" done after {self.finish_hours.in_words} h, without building and loading engines"
        )

    def values(self) -> dict[str, Any]:
        """Return it by names with units, as `sweetspot plan --json` prints it."""
        return {
            "run": self.experiment.run,
            "engine": self.experiment.engine,
            "gpu": self.experiment.gpu,
            "simulated": self.simulated,
            **{name: value for name, value in self.total.values().items() if name != "model"},
            "gpus": self.gpus,
            **_named("finish_hours", self.finish_hours),
            "longest_block": self.longest,
            "longest_block_hours": self.longest_hours,
            "datasets": self.datasets,
            "dataset_bytes": round(self.dataset_bytes),
            "rests_on": list(self.rests_on),
            "models": [share.values() for share in self.models],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Affordable:
    """What of an experiment a budget of GPU hours pays for, its models taken in their order.

    Attributes:
        design: `measure.design`.
        models: those that fit, whole; one that does not is passed over.
        of_models: how many there are.
        cells: of these models, without a record; of the adaptive design those expected.
        gpu_hours: what they take.
    """

    design: DesignName
    models: tuple[str, ...]
    of_models: int
    cells: int
    gpu_hours: float


def affordable(experiment: Experiment | str | Path, gpu_hours: float) -> list[Affordable]:
    """Return what a budget pays for by each design.

    Args:
        experiment: as of `estimate`.
        gpu_hours: that all GPUs have together, loads of engines not counted.

    Raises:
        InputError: as of `estimate`, or the experiment is simulated.
    """
    experiment = _experiment(experiment)
    if experiment.engine == "simulator":
        raise InputError("a simulated experiment takes no GPU hours: a budget decides nothing")
    found = []
    for design in get_args(DesignName):
        measure = replace(experiment.measure, design=design, block="model")
        shares = estimate(replace(experiment, measure=measure)).models
        taken, spent_h = [], 0.0
        for share in shares:
            if spent_h + share.gpu_hours.expected <= gpu_hours:
                taken.append(share)
                spent_h += share.gpu_hours.expected
        found.append(
            Affordable(
                design=design,
                models=tuple(share.model for share in taken),
                of_models=len(shares),
                cells=sum(share.cells_left for share in taken),
                gpu_hours=spent_h,
            )
        )
    return found


def estimate(experiment: Experiment | str | Path, *, gpus: int = 1) -> RunEstimate:
    """Return what an experiment takes: cells, GPU hours, energy, time on some GPUs, disk.

    Cells whose records are in `results/<run>/records` of this folder are done. Of an adaptive
    design as many others count as are expected to be needed. Nothing is started.

    Args:
        experiment: a file, such as config.yaml, or what `parse_experiment` gives.
        gpus: how many share the work.

    Raises:
        InputError: the experiment cannot be read or planned, or there is no GPU.
    """
    if gpus < 1:
        raise InputError(f"gpus must be 1 or more, not {gpus}")
    experiment = _experiment(experiment)
    blocks = plan(experiment).blocks
    records = Path("results", experiment.run, "records")
    work = {block.id: work_of(block, records, experiment.measure.remeasure) for block in blocks}
    found = {block.id: busy(block, work[block.id].left) for block in blocks}
    return estimate_of(experiment, blocks, work, found, gpus=gpus)


def next_of(experiment: Experiment | str | Path) -> list[str]:
    """Return in lines what an adaptive design measures next in each block, why, and for how long.

    Args:
        experiment: as of `estimate`.

    Raises:
        InputError: as of `estimate`, or the design is not adaptive.
    """
    from sweetspot.measure.adaptive import decisions  # loads numpy, which planning does without

    experiment = _experiment(experiment)
    if experiment.measure.design != "adaptive":
        raise InputError(
            f"measure.design is {experiment.measure.design}, which measures all of its cells; what"
            " comes next is only decided where it is adaptive"
        )
    lines = []
    for block in plan(experiment).blocks:
        records = Path("results", experiment.run, "records")
        done = work_of(block, records, experiment.measure.remeasure).done
        known = records_of(block, done, records)
        for each in decisions(block, known):
            lines.append(each.in_words)
            for cell in each.cells[: each.needed]:
                taken_s = busy_s(block, [cell])
                time = f"  {taken_s:.0f} s" if block.settings.metering else ""
                lines.append(f"  {cell.id}{time}")
    return lines


def _experiment(given: Experiment | str | Path) -> Experiment:
    if isinstance(given, Experiment):
        return given
    where = f"experiment {given}"
    return parse_experiment(as_mapping(read_yaml(Path(given), "experiment"), where), where)


def estimate_of(
    experiment: Experiment,
    blocks: Sequence[Block],
    work: Mapping[str, Work],
    found: Mapping[str, Busy],
    *,
    gpus: int,
) -> RunEstimate:
    """Return the same of an experiment's blocks.

    `work` has the cells of each block, by its id, and `found` how long those that are left keep a
    GPU busy.
    """

    def share(name: str, of: Iterable[Block]) -> Share:
        of = list(of)
        together = Busy()
        for block in of:
            together = together.plus(found[block.id])
        return Share(
            model=name,
            blocks=len(of),
            cells=sum(len(work[block.id].cells) for block in of),
            cells_left=sum(len(work[block.id].left) for block in of),
            busy=together,
        )

    hours = {block: each.duration_s.over(HOUR_S) for block, each in found.items()}
    longest = max(hours, key=lambda block: hours[block].expected)
    datasets = {} if experiment.engine == "simulator" else _datasets(experiment, work)
    return RunEstimate(
        experiment=experiment,
        models=tuple(
            share(name, (block for block in blocks if block.settings.model.id == name))
            for name in dict.fromkeys(block.settings.model.id for block in blocks)
        ),
        total=share("total", blocks),
        gpus=gpus,
        finish_hours=Estimate(
            *(finish_time(each, gpus) for each in zip(*hours.values(), strict=True))
        ),
        longest=longest,
        longest_hours=hours[longest].expected,
        datasets=len(datasets),
        dataset_bytes=sum(datasets.values()),
        rests_on=_rests_on(blocks),
    )


def finish_time(jobs: Iterable[float], gpus: int) -> float:
    """Return when jobs of these durations are done, in their unit of time.

    The longest is begun first, each whole on the GPU that is free first.

    Source: Graham, "Bounds on Multiprocessing Timing Anomalies", SIAM J. Appl. Math. 17 (1969): at
    most 4/3 - 1/(3 GPUs) of the best there is.
    """
    free_at = [0.0] * gpus
    for job in sorted(jobs, reverse=True):
        heapq.heapreplace(free_at, free_at[0] + job)
    return max(free_at)


def _datasets(
    experiment: Experiment, work: Mapping[str, Work]
) -> dict[tuple[int, int, int], float]:
    """Return the size of each data set in bytes, by requests and lengths."""
    lengths = {
        (cell.requests, cell.input_tokens, cell.output_tokens)
        for each in work.values()
        for cell in each.cells
    }
    return {
        (requests, inputs, outputs): dataset_bytes(
            RequestSpec(
                requests=requests,
                input_tokens=inputs,
                output_tokens=outputs,
                **asdict(experiment.dataset),
            )
        )
        for requests, inputs, outputs in lengths
    }


def _rests_on(blocks: Iterable[Block]) -> tuple[str, ...]:
    known = [block.settings.deployment.intervals for block in blocks]
    return tuple(
        dict.fromkeys(
            f"interval of {what}: {getattr(each, of).in_full}"
            for what, of in (("energy", "energy"), ("time", "throughput"))
            for each in known
        )
    )


def _named(name: str, found: Estimate) -> dict[str, float]:
    return {name: found.expected, f"{name}_low": found.low, f"{name}_high": found.high}
