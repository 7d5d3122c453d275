"""Figure 2: energy efficiency of every model against output length, by size family."""

from collections import Counter
from collections.abc import Mapping

import pandas as pd

from sweetspot.config import FigureStyle
from sweetspot.errors import InputError
from sweetspot.figures.canvas import (
    Drawing,
    empty_figure,
    finish,
    legend_above,
    legend_below,
    panels,
)
from sweetspot.figures.curves import (
    LEGEND_LINE_IN,
    MODELS_OF_A_LEGEND,
    MODELS_OF_A_PANEL,
    PANEL_HEIGHT_IN,
    by_family,
    curve_notes,
    draw_curve,
    dress,
    model_panels,
)
from sweetspot.figures.evidence import evidence_of, provenance
from sweetspot.figures.labels import ModelLabel, label_of
from sweetspot.figures.selection import (
    common_setting,
    curves,
    efficiency_curve,
    shortest_input,
)
from sweetspot.figures.style import journal_look, model_looks, stamp
from sweetspot.figures.words import at_lengths, quantity
from sweetspot.words import counted, listed

_SCALES_NOTE = "Vertical scales differ."


def figure2(
    cells: pd.DataFrame, style: FigureStyle, labels: Mapping[str, ModelLabel] | None = None
) -> Drawing:
    """Draw tokens/J against output length at the shortest input, one panel a size family.

    Raises:
        InputError: no input length has several output lengths, or origins are mixed.
    """
    evidence = evidence_of(cells)
    varied = curves(cells)
    if varied.empty:
        raise InputError(
            "Figure 2 needs several output lengths at one input length, and no cell table here has "
            "that; add a sweep over `output_tokens` (the paper's: 64 to 4096)"
        )
    drawn = shortest_input(common_setting(varied))
    source = provenance(drawn)
    input_tokens = int(drawn["input_tokens"].iloc[0])
    lines = {
        str(model): efficiency_curve(of_model)
        for model, of_model in drawn.groupby("model", sort=False)
    }
    names = {model: label_of(model, labels or {}).name for model in lines}
    subjects = model_panels(list(lines), labels or {})
    looks = model_looks(style.palette, list(lines))
    own_legends = len(lines) > MODELS_OF_A_LEGEND
    per_row = min(3, len(subjects)) if style.columns == 2 else 1
    with journal_look(style):
        panel_in = PANEL_HEIGHT_IN + own_legends * MODELS_OF_A_PANEL * LEGEND_LINE_IN
        width_in = style.panels_width_in if len(subjects) > 1 else style.single_width_in
        figure = empty_figure(width_in, panel_in * -(-len(subjects) // per_row))
        axes = panels(figure, len(subjects), per_row)
        entries = {}
        for place, (ax, (title, members)) in enumerate(zip(axes, subjects, strict=True)):
            for model in members:
                entries[names[model]] = draw_curve(ax, lines[model], looks[model], names[model])
            dress(
                ax,
                sorted(drawn["output_tokens"].unique()),
                highest=max(lines[model]["high"].max() for model in members),
                title=", ".join(filter(None, [title, f"I = {input_tokens} tokens"])),
            )
            stamp(ax, evidence.stamp)
            if place % per_row:
                ax.set_ylabel("")
            if own_legends:
                legend_below(ax, columns=1)
        if not own_legends:
            legend_above(figure, by_family(entries, names), style.font_size_pt)
        notes = [curve_notes(drawn), _SCALES_NOTE if len(subjects) > 1 else ""]
        alt_text = " ".join(
            [
                "Energy efficiency in tokens per joule against output length,"
                f" {counted(len(lines), 'model')}, at {input_tokens} input tokens.",
                evidence.sentence,
                _found({names[model]: curve["mean"].dropna() for model, curve in lines.items()}),
            ]
        )
        return finish(figure, [" ".join(filter(None, notes)), source], alt_text)


def _found(means: Mapping[str, "pd.Series[float]"]) -> str:
    """Return where the lines peak, by name where they are few."""
    peaks = {name: curve for name, curve in means.items() if len(curve)}
    at = {name: int(curve.index[int(curve.argmax())]) for name, curve in peaks.items()}
    best = max(peaks, key=lambda name: peaks[name].max())
    most = f"The most is {quantity(peaks[best].max())} tokens/J: {best} at O = {at[best]}."
    if len(peaks) == 1:
        return most
    counts = Counter(at.values())
    spread = at_lengths({length: counts[length] for length in sorted(counts)}, "model")
    if len(peaks) > MODELS_OF_A_LEGEND:
        return f"Most tokens/J {spread}. {most}"
    where = listed(f"{quantity(c.max())} of {n} at O = {at[n]}" for n, c in peaks.items())
    return f"Most tokens/J {spread}. {most} By model: {where}."
