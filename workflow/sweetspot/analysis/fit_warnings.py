"""What to doubt in one fit, in sentences."""

import numpy as np
import pandas as pd

from sweetspot.analysis.cells import has_noise
from sweetspot.analysis.group_fit import GroupFit
from sweetspot.analysis.least_squares import FormFit
from sweetspot.energy_models import form

_LEVERAGE = 0.5
_DF = 10
_LACK_OF_FIT = 0.05
_BETTER = 0.8
_SHOWN = 3


def fit_warnings(group: GroupFit) -> list[str]:
    """Return the reasons to doubt a group's best fit or what is read from it, one sentence each."""
    if group.best is None:
        return []
    missing = f"no sweet spot, as that takes Eq. 5, and it {group.no_eq5}"
    return [
        *([missing] if group.no_eq5 else []),
        *_of_origin(group.cells),
        *_of_cells(group.best),
        *_of_other_forms(group.best, group.forms),
        *_of_coefficients(group.best),
        *_of_sweet_spots(group.sweet_spots),
    ]


def _of_origin(rows: pd.DataFrame) -> list[str]:
    if not rows["simulated"].any():
        return []
    if has_noise(rows):
        return ["simulated cells, with the noise that was asked for"]
    return [
        "simulated cells without noise: standard errors and intervals measure how far the form is "
        "from the simulator, not chance"
    ]


def _of_cells(fit: FormFit) -> list[str]:
    found = []
    if fit.df < _DF:
        plural = "degree" if fit.df == 1 else "degrees"
        found.append(f"{fit.df} {plural} of freedom: measure {_DF - fit.df} more cells for {_DF}")
    if fit.observations == len(fit.leverage):
        found.append("no repeats: what is noise and what the form lacks cannot be told apart")
    elif fit.lack_of_fit_p < _LACK_OF_FIT:
        found.append(
            f"lack of fit: cells are further from the form than repeats from each other "
            f"(F {fit.lack_of_fit_f:.3g}, p {fit.lack_of_fit_p:.2g})"
        )
    if np.isnan(fit.r_squared):
        found.append("the energy is the same in all cells: lengths make no difference to it")
    elif fit.is_exact:
        found.append("the form meets every cell exactly, so nothing can be tested")
    heavy = np.flatnonzero(fit.leverage > _LEVERAGE)
    if len(heavy):
        order = heavy[np.argsort(-fit.leverage[heavy])]
        cells = [
            f"{fit.input_tokens[at]:.0f}/{fit.output_tokens[at]:.0f} ({fit.leverage[at]:.2f})"
            for at in order[:_SHOWN]
        ]
        more = f" and {len(order) - _SHOWN} more" * (len(order) > _SHOWN)
        found.append(
            f"leverage above {_LEVERAGE}: {', '.join(cells)}{more}; the fit follows these cells "
            "(I/O) whatever they say, so repeat them"
        )
    return found


def _of_other_forms(best: FormFit, forms: pd.DataFrame) -> list[str]:
    """Say which form with fewer terms predicts cells left out clearly better, if one does."""
    own = best.leave_one_cell_out_percent
    errors = forms.set_index("form")["leave_one_cell_out_percent"].dropna()
    if errors.empty or best.is_exact or not errors.min() < _BETTER * own:
        return []
    other = str(errors.idxmin())
    return [
        f"{form(other).title} predicts cells left out better ({errors[other]:.1f} % off against"
        f" {own:.1f} %): the cells are too few, or scatter too much, for the terms of"
        f" {best.form.title}"
    ]


def _of_coefficients(fit: FormFit) -> list[str]:
    values = zip(fit.form.terms, fit.without_rounding, strict=True)
    negative = [term.name for term, value in values if value < 0]
    if not negative:
        return []
    said = "coefficients" if len(negative) > 1 else "coefficient"
    return [
        f"negative {said} {', '.join(negative)}: no cost is negative, so the cells do not tell the "
        "terms apart; add lengths, or repeats"
    ]


def _of_sweet_spots(spots: pd.DataFrame) -> list[str]:
    found = []
    none = spots[spots["estimated_output_tokens"].isna()]
    outside = spots[~spots["estimate_inside_range"] & spots["estimated_output_tokens"].notna()]
    if len(none):
        found.append(f"no sweet spot at I {_some(none)}: the fitted energy has no minimum there")
    if len(outside):
        one = len(outside) == 1
        found.append(
            f"sweet spot{'' if one else 's'} at I {_some(outside)} outside the measured output "
            f"lengths: {'it is' if one else 'they are'} extrapolated"
        )
    return found


def _some(spots: pd.DataFrame) -> str:
    lengths = [f"{length:.0f}" for length in spots["input_tokens"]]
    more = f" and {len(lengths) - _SHOWN} more" * (len(lengths) > _SHOWN)
    return ", ".join(lengths[:_SHOWN]) + more
