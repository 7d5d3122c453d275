"""How sure answers are, and what their intervals cover: the last section of the accuracy page."""

import pandas as pd

from sweetspot.markdown import table
from sweetspot.simulator.accuracy.intervals import (
    DATA_SHEET_FACTOR,
    Coverage,
    class_intervals,
    coverages,
)
from sweetspot.simulator.conformal import NOMINAL_LEVEL
from sweetspot.simulator.constants.intervals import QUANTITIES, Class, Interval


def intervals_section(held_out: pd.DataFrame) -> str:
    """Return the section.

    Args:
        held_out: as of `held_out_ratios`.
    """
    known = class_intervals(held_out)
    classes = (
        (*_class(each.of), quantity, *_interval(found), found.rests_on)
        for each in known.classes
        for quantity in QUANTITIES
        if (found := getattr(each, quantity)) is not None
    )
    rows = (
        (each.domain, *_class(each.of), each.quantity, *_interval(each.interval), *_covered(each))
        for each in coverages(held_out)
    )
    return "\n".join(
        [
            "## How sure an answer is",
            "",
            "Every answer has an interval: a measured number is expected between simulated / factor"
            " and simulated · factor. The factor is that of predictions which were held against"
            " numbers that no constant was fitted to (split conformal on the logarithm of simulated"
            " over measured), of the same class: what the constants rest on, and whether that was"
            " of the same engine and the same GPU. Cells of a model err alike, so models count, not"
            " cells: a new model is as likely as any other to be the worst of K + 1, and so K"
            f" models promise K / (K + 1) at most, and never more than {NOMINAL_LEVEL:.0%}. The"
            " factor is then that of a new cell of a new model, were models drawn at random, which"
            " they were not.".replace("%", " %"),
            "",
            "A class of which nothing is known has the interval of the next one that asks less, and"
            " says so. Models of experts, and other power limits and clocks than a board's own,"
            " have the widest; so has energy of several GPUs and of quantized models. Where a data"
            f" sheet is all there is, no factor is below {DATA_SHEET_FACTOR:g}. A calibration to"
            " cells of one's own has the interval of its own held-out cells.",
            "",
            table(
                ("level", "engine", "GPU", "of", "factor", "holds in", "models", "rests on"),
                classes,
            ),
            "",
            "### What these intervals cover, one domain left out",
            "",
            "The interval is that of all other domains, of a wider class where the class has no"
            " others. Where fewer cells are covered than it says, a new domain is unlike the old"
            " ones.",
            "",
            table(
                (
                    *("domain left out", "level", "engine", "GPU", "of", "factor", "says"),
                    *("models", "covered", "cells"),
                ),
                rows,
            ),
            "",
        ]
    )


def _class(of: Class) -> tuple[str, str, str]:
    same = {True: "same", False: "another"}
    return of.level, same[of.same_engine], same[of.same_gpu]


def _interval(found: Interval) -> tuple[str, str, str]:
    return f"{found.factor:.3f}", f"{100 * found.level:.0f} %", str(found.models)


def _covered(each: Coverage) -> tuple[str, str]:
    return f"{100 * each.covered:.1f} %", str(each.cells)
