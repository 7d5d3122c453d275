"""One fit of one's own as text for a screen, and as data for JSON."""

import math
from collections.abc import Iterable, Sequence
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd

from sweetspot.analysis.batch_tables import BatchFit
from sweetspot.analysis.cells import GROUP, origin_in_words
from sweetspot.analysis.fit_warnings import fit_warnings
from sweetspot.analysis.group_fit import GroupFit
from sweetspot.analysis.least_squares import FormFit
from sweetspot.energy_models import form
from sweetspot.words import counted

_WIDTH = 100
_SHOWN_SPOTS = 12
_FEW = 4  # beside others, a group of fewer cells is named only
_MISSING = "–"


def summary(notes: Sequence[str], found: Sequence[GroupFit], batch: BatchFit) -> str:
    """Return how the measurements were understood, and every group's fits and sweet spots.

    Of models with several loads, also the form that knows the batch, fitted to all of them.
    """
    parts = ["\n".join(_wrapped(note, "- ", "  ") for note in notes)]
    few = _FEW if any(group.count >= _FEW for group in found) else 0
    too_small: dict[str, list[str]] = {}
    for group in found:
        if group.best is None or group.count < few:
            too_small.setdefault(group.model, []).append(_named(group))
            continue
        parts += [
            _heading(group),
            _forms(group.forms),
            _coefficients(group, group.best),
            _sweet_spots(group.sweet_spots),
            "\n".join(_wrapped(said, "  ! ", "    ") for said in fit_warnings(group)),
        ]
    if too_small:
        of_models = "; ".join(f"{model}: {', '.join(cells)}" for model, cells in too_small.items())
        said = f"too few cells for more than a constant (N/max_batch_size): {of_models}"
        parts.append(_wrapped(said, "", "  "))
    parts.append("\n".join(batch.summary_lines()))
    return "\n\n".join(filter(None, parts))


def values(notes: Sequence[str], found: Sequence[GroupFit], batch: BatchFit) -> dict[str, Any]:
    """Return the same as mappings and lists."""
    groups = [
        {
            **{name: getattr(group, name) for name in GROUP},
            "origin": origin_in_words(group.cells),
            "best_form": group.best.form.id if group.best else None,
            **{
                name: getattr(group, name).drop(columns=GROUP).to_dict("records")
                for name in ("forms", "coefficients", "sweet_spots")
            },
            "warnings": fit_warnings(group),
        }
        for group in found
    ]
    of_batch = {
        name: getattr(batch, name).to_dict("records")
        for name in ("quality", "coefficients", "per_load", "spots")
    }
    return {"notes": list(notes), "groups": _plain(groups), "batch": _plain(of_batch)}


def _named(group: GroupFit) -> str:
    """Return a group of few cells among others of its model."""
    cells = counted(group.count, "cell")
    return f"{cells} at {group.requests}/{group.max_batch_size}" if group.load_is_given else cells


def _heading(group: GroupFit) -> str:
    quality = group.forms.iloc[0]
    rows, left = int(quality["observations"]), int(quality["cells_left_out"])
    left_out = f", {counted(left, 'row')} left out"
    inputs, outputs = (group.cells[f"{end}_tokens"].nunique() for end in ("input", "output"))
    return (
        f"{group.title}\n"
        f"  {origin_in_words(group.cells)}\n"
        f"  {group.count} cells over {inputs} input and {outputs} output lengths"
        f"{f' from {rows} rows' if rows > group.count else ', no repeats'}"
        f"{left_out if left else ''}; {quality['weights']} weights"
    )


def _forms(rows: pd.DataFrame) -> str:
    relative = rows["weights"].iloc[0] == "relative"
    header = ["form", "df", f"sigma {'%' if relative else 'J'}", "R²", "AIC", "BIC", "cond."]
    header += ["error %", "cell out", "I out", "O out", "worst cell"]
    fitted = rows[rows["status"] == "ok"]
    body = [
        [
            form(str(row["form"])).title,
            f"{row['df']:.0f}",
            f"{row['sigma'] * (100 if relative else 1):.3g}",
            _number(row["r_squared"], ".5f").replace("-0.00000", "0.00000"),
            *(_number(value, ".1f") for value in (row["aic"], row["bic"])),
            _number(row["condition_number"], ".3g"),
            *(
                _number(value, ".2f")
                for value in (
                    row["mape_percent"],
                    row["leave_one_cell_out_percent"],
                    row["leave_one_input_out_percent"],
                    row["leave_one_output_out_percent"],
                )
            ),
            f"{row['worst_cell']} {_number(row['worst_cell_percent'], '.1f')}".strip(),
        ]
        for row in _rows(fitted)
    ]
    lines = [_table(header, body)] if body else []
    for reason, missing in rows[rows["status"] != "ok"].groupby("reason", sort=False):
        titles = ", ".join(form(str(name)).title for name in missing["form"])
        lines.append(_wrapped(f"not fitted: {titles}: {reason}", "  ", "    "))
    return "\n".join(lines)


def _coefficients(group: GroupFit, best: FormFit) -> str:
    rows = group.coefficients[group.coefficients["form"] == best.form.id]
    units = {term.name: term.unit for term in best.form.terms}
    body = [
        [
            str(row["term"]),
            *(f"{value:.4e}" for value in (row["value"], row["std_error"], row["hc3_std_error"])),
            f"{row['low']:.3e} to {row['high']:.3e}",
            "no noise" if row["stars"] == "no noise" else _p_value(row["p_value"]),
            _number(row["vif"], ".1f"),
            units[str(row["term"])],
        ]
        for row in _rows(rows)
    ]
    header = ["term", "value", "SE", "HC3 SE", "95 % interval", "p", "VIF", "unit"]
    title = f"  {best.form.title} ({best.form.source}): e = {best.form.formula}"
    lines = [title, _table(header, body, left=(0, len(header) - 1))]
    quality = group.forms[group.forms["form"] == best.form.id].iloc[0]
    f_value, p_value = quality["f_over_eq4"], quality["f_p_value"]  # of Eq. 5 alone
    if not math.isnan(f_value):
        lines.append(f"  over Eq. 4: F {f_value:.3g}, p {_p_value(p_value)}")
    if not math.isnan(best.pure_error):
        error = 100 * best.pure_error if best.weights == "relative" else best.pure_error
        lines.append(
            f"  repeats scatter by {error:.3g} {'%' if best.weights == 'relative' else 'J'}; lack "
            f"of fit: F {_number(best.lack_of_fit_f, '.3g')}, p {_p_value(best.lack_of_fit_p)}"
        )
    return "\n".join(lines)


def _sweet_spots(spots: pd.DataFrame) -> str:
    if spots.empty:
        return ""
    spots = spots.sort_values("input_tokens")
    shown = np.unique(np.linspace(0, len(spots) - 1, _SHOWN_SPOTS).round().astype(int))
    body = [
        [
            f"{row['input_tokens']:.0f}",
            f"{row['observed_output_tokens']:.0f}",
            _number(row["estimated_output_tokens"], ".0f"),
            _interval(row["estimated_low"], row["estimated_high"]),
            _interval(row["fieller_low"], row["fieller_high"]),
            _number(row["estimated_tokens_per_j"], ".4g"),
            _interval(row["range2_low"], row["range2_high"]),
            _number(row["lost_at_observed_percent"], ".2f"),
        ]
        for row in _rows(spots.iloc[shown])
    ]
    header = ["I", "best O measured", "O* (Eq. 6)", "95 % (delta)", "95 % (Fieller)"]
    header += ["tokens/J", "within 2 %", "lost %"]
    more = len(spots) - len(shown)
    rest = f"\n  and {more} input lengths more" if more else ""
    return f"  Sweet spots\n{_table(header, body)}{rest}"


def _rows(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    return frame.to_dict("records")


def _number(value: Any, spec: str) -> str:
    return format(value, spec) if value is not None and math.isfinite(value) else _MISSING


def _p_value(value: float) -> str:
    if math.isnan(value):
        return _MISSING
    return "< 1e-4" if value < 1e-4 else f"{value:.2g}"


def _interval(low: float, high: float) -> str:
    if math.isnan(low):
        return _MISSING
    return f"{low:.0f} to {'any' if math.isinf(high) else f'{high:.0f}'}"


def _table(header: Sequence[str], body: Sequence[Sequence[str]], left: Iterable[int] = (0,)) -> str:
    """Return columns side by side, numbers aligned right."""
    sides = ["<" if place in set(left) else ">" for place in range(len(header))]
    lines = [header, *body]
    widths = [max(len(line[place]) for line in lines) for place in range(len(header))]
    return "\n".join(
        "  "
        + "  ".join(f"{t:{s}{w}}" for t, s, w in zip(line, sides, widths, strict=True)).rstrip()
        for line in lines
    )


def _wrapped(text: str, first: str, others: str) -> str:
    """Return a sentence over as many lines as it needs."""
    return fill(
        text,
        _WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _plain(value: Any) -> Any:
    """Return data that JSON can hold: numbers of Python, None for what is none."""
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
