"""How sure answers are, and what their intervals cover: the last section of the accuracy page."""

import numpy as np
import pandas as pd

from sweetspot.markdown import table
from sweetspot.simulator.accuracy.intervals import (
    DATA_SHEET_FACTOR,
    SURFACES,
    Coverage,
    change_coverages,
    class_intervals,
    coverages,
)
from sweetspot.simulator.conformal import NOMINAL_LEVEL
from sweetspot.simulator.constants.intervals import QUANTITIES, Class, Interval, of_ratio


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
    changes = (
        (
            *(*_class(of.of), each.what.replace("_", " "), f"{each.at_most_times:g} times"),
            *(*_interval(each.interval)[:2], each.interval.rests_on),
        )
        for of in known.classes
        for each in of.changes
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
            " and simulated · factor. The factor is a quantile of errors (logarithms of simulated"
            " over measured) of predictions that were held against numbers which no constant was"
            " fitted to, of the same class: what the constants rest on, and whether that was"
            " of the same engine and the same GPU. Cells of a model err alike, so models count, not"
            " cells: a new model is as likely as any other to be the worst of K + 1, and so K"
            f" models promise K / (K + 1) at most, and never more than {NOMINAL_LEVEL:.0%}. The"
            " factor is then that of a new cell of a new model, were models drawn at random, which"
            " they were not.".replace("%", " %"),
            "",
            "Where constants saw nothing of a domain (another engine, another GPU), that is split"
            " conformal, and exact for models that are exchangeable. Where each model is predicted"
            " by a fit to the others (same engine, same GPU), it is the jackknife over models: as"
            " often as it says only so far as a fit hardly changes where one model is left out;"
            " whatever the fit does, not even the wider intervals of the jackknife+ promise more"
            " than 1 − 2α ([arXiv 1905.02928](https://arxiv.org/abs/1905.02928)). Of throughput the"
            " evidence is weaker: three constants of the host are stated within what fits to"
            " NVIDIA's throughput gave.",
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
            "### How sure a difference is",
            "",
            "Two cells of one model on one board share much of their error, and the more the less"
            " they differ: the ratio of their energies per token is off by this factor at most,"
            " where one thing changes and all else stays (every two such cells of a model and a"
            " domain, held out as above). Of two models or of two boards, the errors are taken as"
            " independent: the factor of their ratio is exp(√(ln² f₁ + ln² f₂)), of the factors of"
            f" both. Table 5's surfaces say that this is enough: of each two models' cells of the"
            f" same lengths, {_covered_pairs(held_out)} % lie within it, where"
            f" {NOMINAL_LEVEL:.0%} are promised. A change whose interval holds no change"
            " cannot be told apart from none.".replace("%", " %").replace("  %", " %"),
            "",
            table(
                ("level", "engine", "GPU", "of", "at most", "factor", "holds in", "rests on"),
                changes,
            ),
            "",
            "Intervals that know nothing of a domain hold of its pairs:",
            "",
            table(
                ("domain left out", "level", "engine", "GPU", "of", "pairs", "covered"),
                (
                    (domain, *_class(of), what.replace("_", " "), str(pairs), f"{share:.1%}")
                    for domain, of, what, pairs, share in change_coverages(held_out)
                ),
            ).replace("%", " %"),
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


def _covered_pairs(held_out: pd.DataFrame) -> str:
    """Return how much of what two models differ in is within what independent errors allow."""
    own = held_out[(held_out["domain"] == SURFACES) & held_out["same_gpu"]]
    (known,) = class_intervals(own).classes
    assert known.energy is not None  # noqa: S101 - surfaces are of energy
    errors = own.pivot(index=["input_tokens", "output_tokens"], columns="model", values="log_ratio")
    one, other = np.triu_indices(errors.shape[1], 1)
    apart = np.abs(errors.to_numpy()[:, one] - errors.to_numpy()[:, other])
    most = np.log(of_ratio(known.energy, known.energy).factor)
    return f"{100 * (apart <= most).mean():.1f}"


def _covered(each: Coverage) -> tuple[str, str]:
    return f"{100 * each.covered:.1f} %", str(each.cells)
