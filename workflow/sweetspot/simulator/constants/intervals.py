"""How far measured numbers lie from simulated ones: an interval for every class of calibration.

A class is what an answer's constants rest on: the level of their evidence, and whether it was of
the same engine and of the same GPU. Intervals are made of predictions that were held against
numbers which no constant was fitted to (`simulator/accuracy/intervals.py`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import product
from math import sqrt
from pathlib import Path
from typing import Annotated, Literal

from sweetspot.cells.sure import digits, factor_of_ratio, often
from sweetspot.reading import parse_as
from sweetspot.schema.keys import Range

Level = Literal["data sheet", "published numbers", "own measurements"]
LEVELS: tuple[Level, ...] = ("data sheet", "published numbers", "own measurements")
"""From the weakest to the strongest."""
Quantity = Literal["energy", "throughput"]
QUANTITIES: tuple[Quantity, ...] = ("energy", "throughput")
Change = Literal["input_tokens", "output_tokens", "requests"]
CHANGES: tuple[Change, ...] = ("input_tokens", "output_tokens", "requests")
"""What one deployment can be asked differently: lengths, and how many requests there are."""


def ends(low: float, high: float) -> str:
    """Return both ends of an interval as a text has them: to three digits, without exponents."""
    return " to ".join(digits(end, ".3g") for end in (low, high))


@dataclass(frozen=True, slots=True)
class Interval:
    """How far from a simulated number the measured one is, at most, with some probability.

    Attributes:
        factor: measured is between simulated / factor and simulated · factor.
        level: probability of that for a new cell of a new model, were models drawn at random.
        models: how many the interval rests on.
        cells: how many of them.
        rests_on: which these are, in words.
    """

    factor: Annotated[float, Range(ge=1, finite=True)]
    level: Annotated[float, Range(gt=0, lt=1)]
    models: Annotated[int, Range(ge=1)]
    cells: Annotated[int, Range(ge=1)]
    rests_on: str

    def around(self, value: float) -> tuple[float, float]:
        """Return the lowest and the highest measured number that a simulated one stands for."""
        return value / self.factor, value * self.factor

    @property
    def words(self) -> str:
        """How wide, and how often; whether that was judged or is assumed."""
        how_often = often(self.level, self.models, self.rests_on)
        return f"within a factor of {self.factor:.2f} ({how_often})"

    @property
    def in_full(self) -> str:
        """How wide, how often, and on what it rests."""
        return f"{self.words}: {self.rests_on}"


def of_ratio(one: Interval, other: Interval) -> Interval:
    """Return how far the ratio of two simulated numbers is from that of two measured ones.

    As of two models, or of two boards, whose errors say nothing of one another.
    """
    factor = factor_of_ratio(one.factor, other.factor)
    both = one.rests_on if one.rests_on == other.rests_on else f"{one.rests_on} | {other.rests_on}"
    level, models = min(one.level, other.level), min(one.models, other.models)
    return Interval(factor, level, models, min(one.cells, other.cells), both)


@dataclass(frozen=True, slots=True)
class Class:
    """What constants rest on: evidence of a level, of the same engine and GPU or of others."""

    level: Level
    same_engine: bool
    same_gpu: bool

    @property
    def words(self) -> str:
        """The class in words."""
        engine = "same" if self.same_engine else "another"
        gpu = "same" if self.same_gpu else "another"
        return f"{self.level}, {engine} engine, {gpu} GPU"

    def wider(self) -> Iterator["Class"]:
        """Yield the class and those that ask less, the nearest first; engines are kept longest."""
        for level in reversed(LEVELS[: LEVELS.index(self.level) + 1]):
            for same_engine, same_gpu in product((True, False), repeat=2):
                if self.same_engine >= same_engine and self.same_gpu >= same_gpu:
                    yield Class(level, same_engine, same_gpu)


WIDEST = Class("data sheet", same_engine=False, same_gpu=False)


@dataclass(frozen=True, slots=True)
class Intervals:
    """Those of an answer, and what its constants rest on."""

    of: Class
    energy: Interval
    throughput: Interval

    def without(self, energy_of: Sequence[str], throughput_of: Sequence[str]) -> "Intervals":
        """Return these, but the widest class's of what was never measured of some kinds.

        Own measurements stay: they were of what their owner runs.
        """
        if self.of.level == LEVELS[-1]:
            return self
        widest = shipped_intervals().of(WIDEST)
        energy, throughput = self.energy, self.throughput
        if energy_of:
            energy = unmeasured(widest.energy, "energy", energy_of)
        if throughput_of:
            throughput = unmeasured(widest.throughput, "throughput", throughput_of)
        return Intervals(self.of, energy, throughput)

    def bounds(self, energy_per_token_j: float, throughput_tokens_per_s: float) -> "Bounds":
        """Return what is said beside these two numbers."""
        low_j, high_j = self.energy.around(energy_per_token_j)
        low, high = self.throughput.around(throughput_tokens_per_s)
        return Bounds(
            energy_per_token_low_j=low_j,
            energy_per_token_high_j=high_j,
            interval_level=self.energy.level,
            interval_models=self.energy.models,
            interval_rests_on=self.energy.rests_on,
            throughput_low_tokens_per_s=low,
            throughput_high_tokens_per_s=high,
            throughput_interval_level=self.throughput.level,
            throughput_interval_models=self.throughput.models,
            throughput_interval_rests_on=self.throughput.rests_on,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """An answer's intervals, as every table and JSON object names them.

    Attributes:
        energy_per_token_low_j: lowest measured J per output token that the answer stands for.
        energy_per_token_high_j: the highest.
        interval_level: probability that a measured one lies between.
        interval_models: on how many models that rests.
        interval_rests_on: how many cells these are, and which.
        throughput_low_tokens_per_s: as of energy, and so are the others.
    """

    energy_per_token_low_j: float
    energy_per_token_high_j: float
    interval_level: float
    interval_models: int
    interval_rests_on: str
    throughput_low_tokens_per_s: float
    throughput_high_tokens_per_s: float
    throughput_interval_level: float
    throughput_interval_models: int
    throughput_interval_rests_on: str

    def beside(self, name: str, value: float) -> str:
        """Return the interval of one of the answer's numbers, in brackets as a text has it.

        It is empty for numbers without one.
        """
        if name == "throughput_tokens_per_s":
            low, high = self.throughput_low_tokens_per_s, self.throughput_high_tokens_per_s
            level, models = self.throughput_interval_level, self.throughput_interval_models
            rests_on = self.throughput_interval_rests_on
        elif name.endswith(("energy_per_token_j", "tokens_per_j")):
            low, high = self.energy_per_token_low_j, self.energy_per_token_high_j
            level, models, rests_on = (
                self.interval_level,
                self.interval_models,
                self.interval_rests_on,
            )
        else:
            return ""
        factor = sqrt(high / low)
        return f" ({ends(value / factor, value * factor)}, {often(level, models, rests_on)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class OfChange:
    """How far the ratio of two energies per token is off, of one model on one board.

    Two cells share most of their error where only one thing differs, and the more so the less it
    does.

    Attributes:
        what: differs, all else equal.
        at_most_times: how many times as long, or as many, the larger one is.
        interval: of the ratio; its cells are pairs of cells.
    """

    what: Change
    at_most_times: Annotated[float, Range(gt=1, finite=True)]
    interval: Interval


@dataclass(frozen=True, kw_only=True)
class ClassIntervals:
    """A class, and what is known of it; None of a quantity that was never measured.

    Attributes:
        of: the class.
        energy, throughput: intervals of a number.
        changes: of energy, where one thing changes.
    """

    of: Class
    energy: Interval | None = None
    throughput: Interval | None = None
    changes: list[OfChange] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class IntervalsFile:
    """The intervals as they lie on disk."""

    schema_version: Literal[1] = 1
    classes: list[ClassIntervals]

    def of(self, asked: Class) -> Intervals:
        """Return the intervals of a class; where nothing is known of it, the next wider one's."""
        energy, throughput = (self.nearest(asked, quantity) for quantity in QUANTITIES)
        if energy is None or throughput is None:
            raise ValueError("the widest class has no interval of energy or none of throughput")
        return Intervals(asked, energy, throughput)

    def nearest(self, asked: Class, quantity: Quantity) -> Interval | None:
        """Return the interval of one quantity; None where no wider class has any."""
        known = {each.of: each for each in self.classes}
        for wider in asked.wider():
            found: Interval | None = getattr(known.get(wider), quantity, None)
            if found is not None:
                return found if wider == asked else _standing_in(found, wider, asked)
        return None

    def of_change(self, asked: Class, what: Change, times: float) -> Interval | None:
        """Return the interval of a ratio of two energies of a class, or of the next wider one.

        Args:
            asked: what both rest on.
            what: differs between the two.
            times: how many times as much the larger one is.

        Returns:
            None where no two cells were ever that far apart.
        """
        known = {each.of: each for each in self.classes}
        for wider in asked.wider():
            for each in known[wider].changes if wider in known else ():
                if each.what == what and times <= each.at_most_times:
                    found = each.interval
                    return found if wider == asked else _standing_in(found, wider, asked)
        return None


def unmeasured(widest: Interval, what: str, kinds: Sequence[str]) -> Interval:
    """Return an interval that stands in for what was never measured of some kinds."""
    words = f"{widest.rests_on}; no {what} of {' or '.join(kinds)} was measured"
    return replace(widest, rests_on=words)


def _standing_in(found: Interval, of: Class, instead: Class) -> Interval:
    words = f"{found.rests_on}; of the class ({of.words}), as nothing is known of ({instead.words})"
    return replace(found, rests_on=words)


@lru_cache(maxsize=1)
def shipped_intervals() -> IntervalsFile:
    """Return the intervals that ship with the package."""
    file = Path(__file__).with_name("intervals.json")
    return parse_as(IntervalsFile, file.read_bytes(), file.name)
