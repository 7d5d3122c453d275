"""Runs laid out so that all of them are costed in one go, and condensed so that a fit is quick."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from sweetspot.catalog import Gpu
from sweetspot.config import Limits, Precision, Traits
from sweetspot.simulator.constants.constants import Constants
from sweetspot.simulator.constants.kernels import KernelConstants
from sweetspot.simulator.cost.dual import Dual, concatenated, mapped, value_of
from sweetspot.simulator.cost.kernel_times import at_ceilings
from sweetspot.simulator.cost.roofline import Cost, cost, cost_of
from sweetspot.simulator.cost.work import FloatArray, Work, concatenate, work
from sweetspot.simulator.deployment.deployment import Deployment, deploy
from sweetspot.simulator.schedule.identical import schedule

# Segments of one run whose FLOPs and bytes lie in the same bins of a logarithmic scale, this wide,
# are condensed into one. Energies of the paper's cells change by 2e-4 at most and 2e-6 on average,
# durations by 7e-4 and 7e-6.
BIN_WIDTH = 0.4
# Segments that are costed at once: with derivatives, more would not stay in a processor's cache.
AT_ONCE = 8000
_ALIKE = ("gemm_flops", "prompt_flops", "prompt_bytes", "kv_bytes", "logits")

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


class Taken(NamedTuple):
    """What runs take; arrays of shape (runs,).

    `energy_j` is that of all GPUs together, `clock_share` the mean clock of iterations as a share
    of the board's highest.
    """

    energy_j: FloatArray
    duration_s: FloatArray
    clock_share: FloatArray


@dataclass(frozen=True, eq=False, slots=True)
class Runs:
    """Simulated runs.

    Attributes:
        work: segments of all runs, one run behind the other.
        run: (segments,) to which run a segment belongs.
        total_output_tokens: (runs,) N·O.
        gpus: how many share the model, in every run.
    """

    work: Work
    run: IntArray
    total_output_tokens: FloatArray
    gpus: int = 1

    def taken(self, board: Gpu, constants: Constants) -> Taken:
        """Return what each run takes."""
        return self._taken([cost(part, board, constants) for part in self._parts()], constants)

    def on(
        self, board: Gpu, kernels: KernelConstants, *, clock_slopes: bool = True
    ) -> Callable[[Constants], Taken]:
        """Return what says what each run takes, of one set of constants after the other.

        Args:
            board: the GPU.
            kernels: what they reach there, whatever the other constants: so what kernels take is
                worked out once and kept, some 200 B a segment.
            clock_slopes: whether `clock_share` needs its derivatives; else it is plain.
        """
        parts = [
            [times.kept() for times in at_ceilings(part, board, kernels)] for part in self._parts()
        ]

        def taken(constants: Constants) -> Taken:
            costs = [cost_of(part, constants, clock_slopes=clock_slopes) for part in parts]
            return self._taken(costs, constants)

        return taken

    def _parts(self) -> Iterator[Work]:
        for first in range(0, self.run.size, AT_ONCE):
            yield self.work.only(slice(first, first + AT_ONCE))

    def _taken(self, parts: Sequence[Cost], constants: Constants) -> Taken:
        runs = self.total_output_tokens.size
        energy_j, duration_s, full_clock_s = (
            _sums(self.run, concatenated([getattr(part, name) for part in parts]), runs)
            for name in ("energy_j", "duration_s", "full_clock_s")
        )
        engine = constants.engine
        overhead_j = engine.run_overhead_s * engine.run_overhead_w
        return Taken(
            self.gpus * (energy_j + overhead_j),
            duration_s + engine.run_overhead_s,
            full_clock_s / (duration_s if isinstance(full_clock_s, Dual) else value_of(duration_s)),
        )

    def only(self, kept: BoolArray) -> "Runs":
        """Return some of the runs; `kept` has one value per run."""
        of_segments = kept[self.run]
        return Runs(
            self.work.only(of_segments),
            (np.cumsum(kept) - 1)[self.run[of_segments]],
            self.total_output_tokens[kept],
            self.gpus,
        )


def deployments_of(
    cells: pd.DataFrame,
    board: Gpu,
    limits: Limits,
    precision: Precision | None = None,
    traits: Traits | None = None,
) -> list[Deployment]:
    """Return what serves each of these cells.

    Args:
        cells: with a column model, of names or of architectures; a column max_batch_size takes the
            place of the limits' own.
        board: the GPU of all of them.
        limits: of the engine.
        precision: None for the checkpoints' 16 bits.
        traits: None for the paper's engine.

    Raises:
        InputError: one of them cannot be served so.
    """
    batches = cells.get("max_batch_size", [limits.max_batch_size] * len(cells))
    return [
        deploy(
            model,
            board,
            limits=replace(limits, max_batch_size=int(batch)),
            precision=precision,
            traits=traits,
        )
        for model, batch in zip(cells["model"], batches, strict=True)
    ]


def lay_out(cells: pd.DataFrame, deployments: Sequence[Deployment]) -> Runs:
    """Return the runs of cells with columns requests, input_tokens and output_tokens.

    Args:
        cells: one a run.
        deployments: what serves each, all of them on as many GPUs.
    """
    lengths = cells[["requests", "input_tokens", "output_tokens"]].astype(int)
    parts: list[Work] = []
    for deployment, (requests, input_tokens, output_tokens) in zip(
        deployments, lengths.itertuples(index=False), strict=True
    ):
        segments = schedule(
            requests=int(requests),
            input_tokens=int(input_tokens),
            output_tokens=int(output_tokens),
            limits=deployment.bounds,
        )
        parts.append(work(deployment.part, segments, deployment.bounds.graphs))
    segments_of_each = [part.iterations.size for part in parts]
    tokens = (cells["requests"] * cells["output_tokens"]).to_numpy(np.float64)
    (gpus,) = {deployment.part.gpus for deployment in deployments}
    run = np.repeat(np.arange(len(parts)), segments_of_each)
    return Runs(concatenate(parts), run, tokens, gpus)


def joined(parts: Sequence[Runs]) -> Runs:
    """Return all of several runs, each on as many GPUs."""
    sizes = [part.total_output_tokens.size for part in parts]
    before = np.cumsum(sizes) - sizes
    return Runs(
        concatenate([part.work for part in parts]),
        np.concatenate([part.run + first for part, first in zip(parts, before, strict=True)]),
        np.concatenate([part.total_output_tokens for part in parts]),
        parts[0].gpus,
    )


def condensed(runs: Runs, bin_width: float = BIN_WIDTH) -> Runs:
    """Return the runs with far fewer segments, and nearly the same energies and durations.

    Long segments are cut where the KV cache they read has grown by a bin, each piece stands as its
    middle iteration, and pieces of one run that are alike become their mean. For a fit only, which
    costs the same runs a thousand times.
    """
    pieces, run = _cut(runs, bin_width)
    logs = [np.log1p(getattr(pieces, name)) for name in _ALIKE]
    key = np.stack([run, *(np.rint(log / bin_width).astype(np.int64) for log in logs)])
    order = np.lexsort(key)
    new = np.any(np.diff(key[:, order], axis=1) != 0, axis=0)
    group = np.empty(run.size, dtype=np.int64)
    group[order] = np.concatenate([[0], np.cumsum(new)])
    groups = int(group.max()) + 1
    iterations = _sums(group, pieces.iterations, groups)
    means = _each(
        pieces, lambda values: _sums(group, pieces.iterations * values, groups) / iterations
    )
    of_group = np.empty(iterations.size, dtype=np.int64)
    of_group[group] = run
    return replace(runs, work=replace(means, iterations=iterations), run=of_group)


def _cut(runs: Runs, bin_width: float) -> tuple[Work, IntArray]:
    """Return pieces of segments without growth, and to which run each belongs."""
    found = runs.work
    count = found.iterations
    with np.errstate(divide="ignore", invalid="ignore"):
        grown = np.log1p(np.nan_to_num(count * found.kv_bytes_growth / found.kv_bytes))
    pieces = np.clip(np.ceil(grown / bin_width), 1, count).astype(np.int64)
    segment = np.repeat(np.arange(count.size), pieces)
    place = np.arange(segment.size) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    steps, log_growth = count[segment], grown[segment]

    def edge(index: IntArray) -> FloatArray:
        share = index / pieces[segment]
        with np.errstate(divide="ignore", invalid="ignore"):
            geometric = np.expm1(log_growth * share) / np.expm1(log_growth)
        place_of_edge: FloatArray = np.rint(steps * np.where(log_growth > 0, geometric, share))
        return place_of_edge

    first, last = edge(place), edge(place + 1)
    kept = last > first
    segment, first, last = segment[kept], first[kept], last[kept]
    middle = (first + last - 1) / 2
    cut = _each(found, lambda values: values[segment])
    none = np.zeros(segment.size)
    whole = replace(
        cut,
        iterations=last - first,
        kv_bytes=cut.kv_bytes + middle * cut.kv_bytes_growth,
        kv_bytes_growth=none,
        decode_flops=cut.decode_flops + middle * cut.decode_flops_growth,
        decode_flops_growth=none,
    )
    return whole, runs.run[segment]


def _sums(group: IntArray, values: Any, groups: int) -> Any:
    def sums(each: FloatArray) -> FloatArray:
        return np.bincount(group, each, groups).astype(np.float64)

    return mapped(sums, values)


def _each(found: Work, change: Callable[[FloatArray], FloatArray]) -> Work:
    return Work(**{f.name: change(getattr(found, f.name)) for f in fields(Work)})
