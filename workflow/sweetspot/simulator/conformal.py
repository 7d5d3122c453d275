"""Intervals from the errors of predictions that were held out, in clusters: cells of some models.

Cells of one model err alike, so there are as many independent errors as models, not as cells. What
a quantile of such errors promises hangs on how they were held out:

- where the constants saw none of the numbers, it is split conformal, and holds as often as it says
  where models are exchangeable;
- where each model is predicted by a fit to the others, it is the jackknife over models. A new model
  is predicted by a fit to all of them, and nothing is promised unless leaving a model out hardly
  changes what a fit says of others. The jackknife+, which widens intervals by how much it does,
  promises 1 - 2 alpha at all events.

Source: Barber, Candes, Ramdas, Tibshirani: Predictive inference with the jackknife+ (arXiv
    1905.02928).
"""

from collections.abc import Mapping, Sequence
from math import exp

from sweetspot.simulator.constants.intervals import Interval
from sweetspot.words import counted

NOMINAL_LEVEL = 0.9
"""How often an interval is to hold, if there are models enough."""
_ROUNDING = 1e-9


def supported_level(clusters: int, nominal: float = NOMINAL_LEVEL) -> float:
    """Return how often an interval of so many clusters may be said to hold: at most K / (K + 1).

    A new cluster is as likely as any other to be the worst of K + 1, and then nothing bounds it.
    """
    return min(nominal, clusters / (clusters + 1))


def radius(scores: Mapping[str, Sequence[float]], level: float) -> float:
    """Return what the score of a new cell of a new cluster does not exceed, with probability level.

    Each of K clusters has the weight 1 / (K + 1), shared by its scores, and what is left is that of
    the new one, beyond all bounds. Exact where clusters are exchangeable, scores of the new one's
    too, and so are the cells of one: as they are of one predictor that saw none of them.

    Args:
        scores: errors without their signs, by cluster.
        level: at most `supported_level` of so many clusters.

    Raises:
        ValueError: there are too few clusters for this level.

    Source: Lee, Barber, Willett: Distribution-free inference with hierarchical data (arXiv
        2306.06342), section 3; Dunn, Wasserman, Ramdas (arXiv 1809.07441).
    """
    clusters = len(scores)
    if level > clusters / (clusters + 1) + _ROUNDING:
        raise ValueError(f"{clusters} clusters support no level of {level:g}")
    weighted = sorted(
        (score, 1 / (len(each) * (clusters + 1))) for each in scores.values() for score in each
    )
    reached = 0.0
    for score, weight in weighted:
        reached += weight
        if reached >= level - _ROUNDING:
            return score
    return weighted[-1][0]


def interval(
    log_ratios: Mapping[str, Sequence[float]],
    rests_on: str,
    at_least: float = 1.0,
    what: str = "cell",
) -> Interval:
    """Return the interval that predictions of numbers held out give, at the highest level.

    Args:
        log_ratios: logarithms of simulated over measured, by model.
        rests_on: which numbers these are.
        at_least: no factor is below this.
        what: there is a logarithm of each.
    """
    scores = {model: [abs(each) for each in ratios] for model, ratios in log_ratios.items()}
    level = supported_level(len(scores))
    cells = sum(map(len, scores.values()))
    return Interval(
        factor=max(at_least, round(exp(radius(scores, level)), 4)),
        level=round(level, 4),
        models=len(scores),
        cells=cells,
        rests_on=f"{counted(cells, what)} of {counted(len(scores), 'model')}: {rests_on}",
    )
