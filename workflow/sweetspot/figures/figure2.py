"""Figure 2: energy efficiency of every model against output length, by size family."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from sweetspot.config import FigureStyle
from sweetspot.errors import InputError
from sweetspot.figures.canvas import empty_figure, finish, journal_look, panels
from sweetspot.figures.curves import (
    categorical_looks,
    curve_notes,
    draw_curve,
    dress,
    legend_room,
)
from sweetspot.figures.evidence import evidence_of, provenance
from sweetspot.figures.labels import ModelLabel, family_order, label_of
from sweetspot.figures.selection import (
    common_setting,
    curves,
    efficiency_curve,
    shortest_input,
)


def figure2(
    cells: pd.DataFrame, style: FigureStyle, labels: Mapping[str, ModelLabel] | None = None
) -> Figure:
    """Draw tokens/J against output length at the shortest input, one panel a size family.

    Raises:
        InputError: no input length has several output lengths, or origins are mixed.
    """
    evidence_of(cells)
    varied = curves(cells)
    if varied.empty:
        raise InputError(
            "Figure 2 needs several output lengths at one input length, and no cell table here has "
            "that; add a sweep over `output_tokens` (the paper's: 64 to 4096)"
        )
    drawn = shortest_input(common_setting(varied))
    source = provenance(drawn)
    lengths = sorted(drawn["output_tokens"].unique())
    models = list(drawn["model"].unique())
    label = {model: label_of(model, labels or {}) for model in models}
    families = family_order(label[model].size_family for model in models)
    members = {
        family: [model for model in models if label[model].size_family == family]
        for family in families
    }
    per_row = len(families) if style.columns == 2 else 1
    room = legend_room(
        [label[model].name for model in models],
        most_entries=max(map(len, members.values())),
        per_row=per_row,
        style=style,
    )
    with journal_look(style):
        height_in = room.panel_height_in * -(-len(families) // per_row)
        figure = empty_figure(style.panels_width_in, height_in)
        axes = panels(figure, len(families), per_row)
        for place, (ax, family) in enumerate(zip(axes, families, strict=True)):
            lines = {
                model: efficiency_curve(drawn[drawn["model"] == model]) for model in members[family]
            }
            looks = categorical_looks(style.palette, len(lines))
            for (model, curve), look in zip(lines.items(), looks, strict=True):
                draw_curve(ax, curve, look, label[model].name)
            dress(
                ax,
                lengths,
                room,
                highest=max(curve["high"].max() for curve in lines.values()),
                title=f"{family} models, I = {drawn['input_tokens'].iloc[0]} tokens",
            )
            if place % per_row:
                ax.set_ylabel("")
        return finish(figure, [curve_notes(drawn), source])
