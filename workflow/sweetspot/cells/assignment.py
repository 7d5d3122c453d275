"""The columns of one table, each taken for the quantity that its name or its owner says."""

import re
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from sweetspot.cells.columns import ACCEPTED, CANONICAL, TEXTS, GivenColumns, Match, recognise
from sweetspot.cells.separated import AGAIN
from sweetspot.cells.units import take_apart
from sweetspot.errors import InputError, nearest
from sweetspot.units import J_PER_KWH

_SHOWN_COLUMNS = 20
_NO_NAMES = ("gpu", "engine")  # a column of numbers is no name: of a GPU it is its index


@dataclass(frozen=True, eq=False, slots=True)
class Taken:
    """One quantity of a table, in our unit.

    Attributes:
        column: what it is called in the table; empty of a number that is the same for all rows.
        note: how it was understood, in words; empty where it is called as we call it.
    """

    quantity: str
    column: str
    values: "pd.Series"
    note: str = ""


class Assignment:
    """What the columns of a table are; asked by our names."""

    def __init__(self, table: pd.DataFrame, given: GivenColumns, where: str) -> None:
        """Look at the names of all columns.

        Args:
            table: texts and numbers under the names of the file.
            given: the column of a quantity, or a number for all rows, as its owner says it.
            where: what the table is called in messages.

        Raises:
            InputError: a name of `given` is no quantity, or its column is not in the table.
        """
        self.table, self.where, self.said = table, where, given
        self.given = {}
        for name, column in given.items():
            meant = self._meant(name)
            self.given[meant.quantity] = self._of_given(meant, column)
        taken = {each.column for each in self.given.values()}
        self._candidates: dict[str, list[tuple[str, Match]]] = {}
        for column in table.columns:
            match = self._recognised(column)
            if match and column not in taken and match.quantity not in self.given:
                self._candidates.setdefault(match.quantity, []).append((column, match))

    def has(self, quantity: str) -> bool:
        """Whether some column may be this quantity."""
        return quantity in self.given or quantity in self._candidates

    def take(self, quantity: str) -> Taken | None:
        """Return a quantity; None where no column is it.

        Raises:
            InputError: several columns may be it, and they disagree.
        """
        if quantity in self.given:
            return self.given[quantity]
        candidates = self._candidates.get(quantity, [])
        best = min((match.rank for _, match in candidates), default=0)
        found = [self._taken(*each) for each in candidates if each[1].rank == best]
        if not found:
            return None
        for other in found[1:]:
            if not _agree(found[0].values, other.values):
                names = " and ".join(repr(each.column) for each in found)
                raise InputError(
                    f"{self.where}: {names} may both be {quantity}, and they differ; say which: "
                    f"{self.said.advice({quantity: found[0].column})}"
                )
        return found[0]

    def lacks(self, **quantities: str) -> InputError:
        """Return the error for what no column is: what was found, what may be given.

        Args:
            quantities: what is lacking, and the quantity that would do.
        """
        for column in self.table.columns:
            match = recognise(column)
            lacks = match is not None and match.quantity in quantities.values()
            if lacks and not self._numbers(column)[0].notna().any():
                return InputError(f"{self.where}: {column!r} holds no number in any row")
        names = [str(column) for column in self.table.columns]
        more = f" and {len(names) - _SHOWN_COLUMNS} more" * (len(names) > _SHOWN_COLUMNS)
        timed = any(self.has(each) for each in ("throughput_tokens_per_s", "duration_s"))
        advice = [self.said.advice(dict.fromkeys(quantities.values(), "COLUMN"))]
        if "energy" in quantities and timed:
            power = self.said.advice({"mean_power_w": "450"})
            advice.append(f"or the mean power of all rows: {power}")
        elif "energy" in quantities and self.has("mean_power_w"):
            rate = self.said.advice({"throughput_tokens_per_s": "COLUMN"})
            advice.append(f"or, as power is there, the output tokens per second: {rate}")
        one = len(quantities) == 1
        return InputError(
            f"{self.where} has no column{'' if one else 's'} for {', '.join(quantities)}; found: "
            f"{', '.join(names[:_SHOWN_COLUMNS])}{more}; recognised are names such as "
            f"{'; '.join(ACCEPTED[what] for what in quantities)}; or say which "
            f"{'one it is' if one else 'they are'}: {', '.join(advice)}"
        )

    def _meant(self, name: str) -> Match:
        match = recognise(name)
        if match is None:
            near = nearest(name, CANONICAL)
            hint = f"did you mean {near!r}? " if near else ""
            raise InputError(
                f"{self.said.option}: {name!r} is no quantity; {hint}known: {', '.join(CANONICAL)}"
            )
        return match

    def _of_given(self, meant: Match, column: str) -> Taken:
        names = list(self.table.columns)
        quantity, plain = meant.quantity, {_plain(name): name for name in names}
        column = column if column in names else plain.get(_plain(column), column)
        if column in names:
            said = recognise(column)
            if said is not None and said.quantity == quantity and not said.assumed:
                if meant.factor not in (1, said.factor):
                    raise InputError(
                        f"{self.said.option}: {column!r} says by its name that it is in"
                        f" {said.unit}, not in {meant.unit}; rename it, or leave the unit out: "
                        f"{self.said.advice({quantity: column})}"
                    )
                return self._taken(column, said)
            # its owner says what it is; what its unit is, its own name may still say
            name = take_apart(column)
            factor, unit = (
                (name.measure.factor, name.unit) if name.measure else (meant.factor, meant.unit)
            )
            return self._taken(column, Match(quantity, 0, factor, unit))
        constant = _constant(quantity, column)
        if constant is None:
            found = ", ".join(map(str, names[:_SHOWN_COLUMNS]))
            raise InputError(
                f"{self.said.option}: {self.where} has no column {column!r}; found: {found}"
            )
        series = pd.Series(constant, index=self.table.index)
        return Taken(quantity, "", series, f"{quantity} is {column} in all rows, as given")

    def _recognised(self, column: str) -> Match | None:
        first = re.sub(AGAIN, "", column)
        match = recognise(first if first in self.table else column)
        if match is None or (match.unit == "min" and self._is_minimum(column)):
            return None
        if match.quantity in TEXTS or match.quantity in ("simulated", "cell"):
            named = match.quantity not in _NO_NAMES or not self._numbers(column)[0].notna().all()
            return match if named else None
        if not self._numbers(column)[0].notna().any():
            return None  # a time of day, or the prompt itself
        if match.quantity == "energy_j" and match.assumed and "emissions" in self.table:
            # Source: CodeCarbon's documentation of emissions.csv, energies in kWh
            return Match(match.quantity, match.rank, J_PER_KWH, "kWh")
        return match

    def _is_minimum(self, column: str) -> bool:
        """Whether latency_min stands beside latency_max, and so is no latency in minutes."""
        others = ("max", "mean", "avg", "median", "p99")
        return any(
            re.sub("min", other, column, flags=re.IGNORECASE) in self.table.columns
            for other in others
        )

    def _taken(self, column: str, match: Match) -> Taken:
        if match.quantity in TEXTS or match.quantity in ("simulated", "cell"):
            texts = self.table[column]
            return Taken(match.quantity, column, texts, _renamed(match, column))
        values, factors = self._numbers(column)
        converted = values * factors.fillna(match.factor)
        return Taken(match.quantity, column, converted, _note(match, column, factors))

    def _numbers(self, column: str) -> "tuple[pd.Series, pd.Series]":
        return numbers(self.table[column])


def numbers(values: "pd.Series") -> "tuple[pd.Series, pd.Series]":
    """Return numbers, NaN for what is none, and the factors of units that stand behind them.

    Thousands may be separated ("1,024", "1 024"), decimals may have a comma ("0,05"), and units
    may follow ("250.1 W", "0.05 J/token").
    """
    nothing = pd.Series(np.nan, index=values.index)
    if pd.api.types.is_bool_dtype(values):
        return nothing, nothing
    if pd.api.types.is_numeric_dtype(values):
        return values.astype(float), nothing
    try:
        parsed = pd.to_numeric(values, errors="coerce").astype(float)
    except OverflowError:  # an integer beyond all floats, which as text is infinite
        parsed = pd.to_numeric(values.astype(str), errors="coerce").astype(float)
    left = values[parsed.isna() & values.notna()].astype(str)
    if left.empty:
        return parsed, nothing
    of = {text: _number(text) for text in left.unique()}
    factors = nothing.copy()
    parsed[left.index] = left.map({text: number for text, (number, _) in of.items()})
    factors[left.index] = left.map({text: factor for text, (_, factor) in of.items()})
    return parsed, factors


@cache
def _number(text: str) -> tuple[float, float]:
    found = re.fullmatch(
        r"([-+]?\d[\d.,'\s]*?(?:[eE][-+]?\d+)?)\s*([^\W\d_].*)?", text.strip().replace("\xa0", " ")
    )
    if not found:
        return np.nan, np.nan
    digits, suffix = re.sub(r"['\s]", "", found[1]), found[2] or ""
    factor = np.nan
    if suffix:
        name = take_apart(suffix)
        if name.measure is None and set(name.words) - {"tokens", "token", "tok", "requests"}:
            return np.nan, np.nan
        factor = name.measure.factor if name.measure else np.nan
    if "," in digits and "." in digits:
        decimal = max(",.", key=digits.rindex)
        digits = digits.replace("." if decimal == "," else ",", "").replace(decimal, ".")
    elif re.fullmatch(r"[-+]?[1-9]\d{0,2}(,\d{3})+", digits):
        digits = digits.replace(",", "")
    else:
        digits = digits.replace(",", ".")
    try:
        return float(digits), factor
    except ValueError:
        return np.nan, np.nan


def _constant(quantity: str, text: str) -> float | bool | None:
    if quantity == "simulated" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return float(text) if quantity not in TEXTS else None
    except ValueError:
        return None


def _agree(one: "pd.Series", other: "pd.Series") -> bool:
    if not pd.api.types.is_numeric_dtype(one) or not pd.api.types.is_numeric_dtype(other):
        return bool((one.fillna("") == other.fillna("")).all())
    both = one.notna() & other.notna()
    return bool(np.allclose(one[both], other[both], rtol=1e-3, atol=0))


def _renamed(match: Match, column: str) -> str:
    return "" if column == match.quantity else f"{match.quantity} is {column!r}"


def _note(match: Match, column: str, factors: "pd.Series") -> str:
    """Say how a column of numbers was understood."""
    if column == match.quantity and factors.isna().all():
        return ""
    ours = CANONICAL[match.quantity]
    if factors.notna().any():
        how = " (units stand behind its numbers)"
    elif match.assumed:
        how = f" (no unit named: {match.assumed})"
    elif ours and match.factor != 1:
        how = f" × {match.factor:.6g}"
    else:
        how = ""
    if match.quantity == "duration_s" and match.rank > 1:
        how += ", as the time of the whole run"
    return f"{match.quantity} is {column!r}{how}"


def _plain(name: object) -> str:
    return re.sub(r"\s+", " ", str(name)).strip().lower()
