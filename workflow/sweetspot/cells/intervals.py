"""How sure the numbers of simulated cells are, in words that tables and figures carry."""

from math import sqrt

import pandas as pd

_NEEDED = ["energy_per_token_low_j", "energy_per_token_high_j", "interval_level", "interval_models"]


def interval_in_words(cells: pd.DataFrame) -> str:
    """Return the widest interval of energy that these cells have; empty where none has one.

    Measured cells have none, nor have simulated ones of tables from before there were any.
    """
    if any(name not in cells for name in _NEEDED):
        return ""
    known = cells[_NEEDED].apply(pd.to_numeric, errors="coerce").dropna()
    if known.empty:
        return ""
    low_j, high_j, level, models = known.loc[
        (known["energy_per_token_high_j"] / known["energy_per_token_low_j"]).idxmax()
    ]
    of = f"{models:.0f} model{'s' * (models > 1)}"
    return f"energy within a factor of {sqrt(high_j / low_j):.2f} ({100 * level:.0f} %, {of})"
