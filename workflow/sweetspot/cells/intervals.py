"""How sure the numbers of simulated cells are, in words that tables, figures and pages carry."""

from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd

from sweetspot.cells.sure import ASSUMED, often

_NEEDED = ["energy_per_token_low_j", "energy_per_token_high_j", "interval_level", "interval_models"]
_RESTS_ON = "interval_rests_on"


@dataclass(frozen=True, slots=True)
class Known:
    """How sure the energies of cells are.

    Attributes:
        factor: a measured one is expected between simulated / factor and simulated · factor.
        level: with which probability.
        models: on how many models that rests.
        rests_on: the same in words; empty in tables from before it was said.
    """

    factor: float
    level: float
    models: int
    rests_on: str

    @property
    def assumed(self) -> bool:
        """Whether nothing like these cells was ever compared with a measurement."""
        return ASSUMED in self.rests_on

    @property
    def words(self) -> str:
        """How wide and how often."""
        how_often = often(self.level, self.models, self.rests_on)
        return f"energy within a factor of {self.factor:.2f} ({how_often})"


def widest_interval(cells: pd.DataFrame) -> Known | None:
    """Return the widest interval of energy that these cells have; None where none has one.

    Measured cells have none, nor have simulated ones of tables from before there were any.
    """
    if any(name not in cells for name in _NEEDED):
        return None
    numbers = np.array(
        [
            pd.to_numeric(cells[name], errors="coerce").to_numpy(float, na_value=np.nan)
            for name in _NEEDED
        ]
    )
    (known,) = np.nonzero(~np.isnan(numbers).any(axis=0))
    if not known.size:
        return None
    low_j, high_j, *_ = numbers[:, known]
    widest = known[np.argmax(high_j / low_j)]
    low_j, high_j, level, models = numbers[:, widest].tolist()
    said = cells[_RESTS_ON].iloc[widest] if _RESTS_ON in cells else ""
    return Known(sqrt(high_j / low_j), level, int(models), said if isinstance(said, str) else "")


def interval_in_words(cells: pd.DataFrame) -> str:
    """Return the widest interval of energy that these cells have; empty where none has one."""
    known = widest_interval(cells)
    return "" if known is None else known.words
