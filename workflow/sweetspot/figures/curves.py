"""Lines of energy efficiency over output length, a panel for as many as can be told apart."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sweetspot.figures.heat import OUTPUT_LABEL
from sweetspot.figures.labels import ModelLabel, label_of, size_order
from sweetspot.figures.selection import beyond_context, gaps_note
from sweetspot.figures.style import LineLook, length_ticks, plain_look
from sweetspot.palettes import family_of

EFFICIENCY_LABEL = "Energy efficiency (tokens/J)"
PEAK_NOTE = "Ring: best cell run (most tokens/J of the line)."
CONTEXT_NOTE = "White marker: I + O beyond the model's native context."
REPEATS_NOTE = "Error bars: lowest and highest repeat."

PANEL_HEIGHT_IN = 2.0
MODELS_OF_A_PANEL = 8
"""More lines than these cannot be followed."""
LEGEND_LINE_IN = 0.13
MODELS_OF_A_LEGEND = 24
"""More than these need a legend in each panel."""


def draw_curve(ax: Axes, curve: pd.DataFrame, look: LineLook, label: str) -> Line2D:
    """Draw one line of `selection.efficiency_curve`: gaps stay gaps, the peak wears a ring."""
    (line,) = ax.plot(
        curve.index.to_numpy(),
        curve["mean"],
        color=look.color,
        linestyle=look.dashes,
        linewidth=look.width_pt,
        marker=look.marker,
        markersize=look.marker_pt,
        label=label,
    )
    beyond = curve.loc[curve["beyond_context"], "mean"]
    ax.plot(
        beyond.index.to_numpy(),
        beyond,
        color=look.color,
        linestyle="none",
        marker=look.marker,
        markersize=look.marker_pt,
        markerfacecolor="white",
    )
    spread = curve[curve["high"] > curve["low"]]
    if len(spread):
        below, above = spread["mean"] - spread["low"], spread["high"] - spread["mean"]
        ax.errorbar(
            spread.index.to_numpy(),
            spread["mean"],
            yerr=[below, above],
            fmt="none",
            ecolor=look.color,
            elinewidth=0.8,
            capsize=2,
        )
    means = curve["mean"].dropna()
    if len(means):
        peak = int(means.argmax())
        ax.plot(
            means.index[[peak]].to_numpy(),
            means.iloc[[peak]],
            linestyle="none",
            marker="o",
            markersize=8,
            markerfacecolor="none",
            markeredgecolor="black",
            markeredgewidth=0.7,
        )
    return line


def dress(ax: Axes, lengths: Sequence[int], *, highest: float, title: str) -> None:
    """Give a panel of curves its axes, units and grid."""
    ax.set_xscale("log", base=2)
    length_ticks(ax.xaxis, lengths)
    # NaN, where every cell of the panel failed, still gives it an axis
    ax.set_ylim(0.0, 1.1 * highest if highest > 0 else 1.0)
    ax.set_xlabel(OUTPUT_LABEL)
    ax.set_ylabel(EFFICIENCY_LABEL)
    ax.set_title(title)
    plain_look(ax)


def model_panels(
    models: Sequence[str], labels: Mapping[str, ModelLabel]
) -> list[tuple[str, list[str]]]:
    """Return titles of panels and the models of each: by size family, and few enough for one."""
    sizes = {model: label_of(model, labels).size_family for model in models}
    found = []
    for size in size_order(sizes.values()):
        members = [model for model in models if sizes[model] == size]
        parts = -(-len(members) // MODELS_OF_A_PANEL)
        each = -(-len(members) // parts)
        for part in range(parts):
            count = f" ({part + 1} of {parts})" if parts > 1 else ""
            title = f"{size} models{count}" if len(sizes) > 1 else ""
            found.append((title, members[part * each : (part + 1) * each]))
    return found


def by_family(entries: Mapping[str, Line2D], names: Mapping[str, str]) -> dict[str, Line2D]:
    """Return entries of a legend, by the names of models, with those of a family together."""
    order = sorted(names, key=lambda model: (family_of(model), list(names).index(model)))
    return {names[model]: entries[names[model]] for model in order}


def curve_notes(drawn: pd.DataFrame) -> str:
    """Return how to read a figure of curves, as far as its cells need it."""
    beyond = beyond_context(drawn).any()
    repeated = drawn["repeat"].nunique() > 1
    notes = [
        PEAK_NOTE,
        CONTEXT_NOTE if beyond else "",
        REPEATS_NOTE if repeated else "",
        gaps_note(drawn, "Gap in a line"),
    ]
    return " ".join(filter(None, notes))
