"""What a test of accuracy gives, and the numbers and fits that tests share."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from sweetspot import published
from sweetspot.catalog import Gpu, gpu
from sweetspot.simulator.calibration.fit import (
    Fit,
    Identifiability,
    Target,
    fit_constants,
    fit_from_several,
)
from sweetspot.simulator.calibration.layout import BoolArray, Taken
from sweetspot.simulator.calibration.to_published import surface_target, throughput_target
from sweetspot.simulator.constants.calibration_file import Search, Starts
from sweetspot.simulator.constants.constants import REFERENCE_GPU, Constants, stated_on
from sweetspot.simulator.constants.intervals import Level
from sweetspot.simulator.cost.work import FloatArray


@dataclass(frozen=True, slots=True)
class Figure:
    """One number: an absolute relative error in %, or a power in W, and what it is to be."""

    name: str
    value: float
    unit: str = "%"
    at_most: float | None = None
    at_least: float | None = None

    @property
    def met(self) -> bool:
        """Whether it is within its target; True where there is none."""
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)

    @property
    def target(self) -> str:
        """What it is to be, in words; empty where it has no target."""
        if self.at_least is not None:
            return f"{self.at_least:g} to {self.at_most:g} {self.unit}"
        return "" if self.at_most is None else f"at most {self.at_most:g} {self.unit}"

    @property
    def decimals(self) -> int:
        """How many decimals are worth printing."""
        return 2 if self.unit == "%" else 0


@dataclass(frozen=True, slots=True)
class Row:
    """One test.

    Attributes:
        test: in a few words.
        level: what kind of calibration it is.
        seen: what the constants were fitted to, or chosen in view of.
        predicted: whether the figures are of numbers that no fit of the row was fitted to.
        by_model: errors in %, for tests that have one per model.
        identifiability: of the fit; None where nothing, or more than one thing, was fitted.
        searches: how each fit of the row ended.
        starts: what searches from other starts found; None where there were none.
    """

    test: str
    level: Level
    seen: tuple[str, ...]
    predicted: bool
    figures: tuple[Figure, ...]
    by_model: Mapping[str, float] = field(default_factory=dict)
    identifiability: Identifiability | None = None
    searches: tuple[Search, ...] = ()
    starts: Starts | None = None

    @property
    def met(self) -> bool:
        """Whether all figures are within their targets."""
        return all(figure.met for figure in self.figures)

    @property
    def evidence(self) -> str:
        """What the figures are worth."""
        return "prediction" if self.predicted else "error of a fit, no evidence"


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The tests on one GPU; runs are laid out, and the joint fit is made, once for all of them."""

    board: Gpu = field(default_factory=lambda: gpu(REFERENCE_GPU))

    @cached_property
    def surfaces(self) -> Target:
        """Energy per token of Table 5's cells."""
        return surface_target(self.board)

    @cached_property
    def throughput(self) -> Target:
        """Published throughput."""
        return throughput_target(self.board)

    @cached_property
    def models(self) -> list[str]:
        """The model of each cell of `surfaces`."""
        return [model for model in self.names for _ in range(len(published.GRID) ** 2)]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The models of `surfaces`, in order."""
        return tuple(published.table5()["model"])

    @cached_property
    def joint(self) -> Fit:
        """The fit to both, from several starts."""
        return fit_from_several(self.board, self.targets(self.names))

    @cached_property
    def left_out(self) -> dict[str, Fit]:
        """The fit to all models but one, by the name of that one."""
        return {
            left_out: fit_constants(
                self.board, self.targets(name for name in self.names if name != left_out)
            )
            for left_out in self.names
        }

    def of(self, models: Iterable[str]) -> BoolArray:
        """Return which cells of `surfaces` are of these models."""
        chosen: BoolArray = np.isin(self.models, list(models))
        return chosen

    def targets(self, models: Iterable[str]) -> list[Target]:
        """Return all cells of these models and the throughput, as a fit takes them."""
        return [self._quick_surfaces.only(self.of(models)), self._quick_throughput]

    def error_beyond(self, models: Iterable[str], fit: Fit) -> float:
        """Return a fit's mean error on the surfaces of all but these models, in %."""
        errors = self._surface_errors_percent(fit.constants)[~self.of(models)]
        return round(float(errors.mean()), 3)

    def by_model(self, constants: Constants) -> dict[str, float]:
        """Return each model's mean error on its surface, in %."""
        errors = self._surface_errors_percent(constants)
        return {model: float(errors[self.of([model])].mean()) for model in self.names}

    def _surface_errors_percent(self, constants: Constants) -> FloatArray:
        return 100 * np.abs(self.surfaces.ratios_of(self._surfaces_taken(constants)) - 1)

    @cached_property
    def _surfaces_taken(self) -> Callable[[Constants], Taken]:
        """What all cells take, by fits to some: a hundred times."""
        return self.surfaces.runs.on(self.board, stated_on(self.board).kernels)

    @cached_property
    def _quick_surfaces(self) -> Target:
        return self.surfaces.condensed()

    @cached_property
    def _quick_throughput(self) -> Target:
        return self.throughput.condensed()
