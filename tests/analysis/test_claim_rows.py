"""Statements of sections 6 to 8: each is computed from cells, and not answered without them."""

import numpy as np
import pandas as pd
import pytest

from sweetspot import published
from sweetspot.analysis.claim_rows import Found, claim_pairs

MODELS = list(published.table5()["model"])


def found(means, mape=None, alphas=None):
    empty = pd.DataFrame()
    of = {each: empty if frame is None else frame for each, frame in (("m", mape), ("a", alphas))}
    return Found(means=means, mape_percent=of["m"], alphas=of["a"], fitted_over="all")


def cells(energy_per_token_j, **columns):
    return pd.DataFrame(
        {
            "model": "llama-3.2-1b",
            "requests": 1000,
            "max_batch_size": 1024,
            "input_tokens": 64,
            "output_tokens": [64, 256, 4096],
            "simulated": False,
            "energy_per_token_j": energy_per_token_j,
            **columns,
        }
    )


def answers(means, quantity, **frames):
    return [pair for pair in claim_pairs(found(means, **frames)) if pair.quantity == quantity]


def test_peak_shift_compares_the_loads_best_cells():
    falcon = {"model": "falcon-rw-7b"}
    means = pd.concat(
        [
            cells([2.0, 1.0, 3.0], **falcon),
            cells([4.0, 3.0, 2.0], requests=10, **falcon),
        ]
    )
    (pair,) = answers(means, "output length of the best cell, ratio")
    assert (pair.ours, pair.relation, pair.published) == (16.0, ">", 1.0)
    assert "N=10 over N=1000 (O=4096 over O=256)" in pair.condition
    ranges = answers(means, "efficiency, highest over lowest")
    assert [pair.ours for pair in ranges] == [2.0, 3.0]
    assert [pair.published for pair in ranges] == [6.0, 37.56]


def test_batch_limits_are_compared_at_the_same_lengths():
    means = pd.concat(
        [
            cells([0.2, 0.1, 0.4], requests=128, max_batch_size=128),
            cells([0.2, 0.1, 0.5], requests=128, max_batch_size=512),
            cells([0.4, 0.2, 0.4], requests=128, max_batch_size=64),
            cells([0.2, 0.1, 0.4]),
            cells([0.4, 0.3, 0.5], max_batch_size=256),
            cells([0.4, 0.4, 0.6], max_batch_size=64),
        ]
    )
    (above,) = answers(means, "most that max_batch_size above N changes efficiency")
    assert above.ours == pytest.approx(20.0)  # a fifth less at the longest output
    assert above.condition.startswith("N=128, I=64, B=512 over B=128")
    (below,) = answers(means, "highest efficiency, ratio")
    assert below.ours == pytest.approx(0.5)
    gaps = answers(means, "efficiency, ratio")
    assert [gap.ours for gap in gaps] == pytest.approx([4.0, 1.25])
    (shrinks,) = answers(means, "efficiency, ratio of ratios")
    assert shrinks.ours == pytest.approx(1.25 / 3)


def test_counts_of_models_need_all_of_them():
    one_each = [cells([0.2, 0.1, 0.4], model=model) for model in MODELS]
    one_each[0] = cells([0.1, 0.2, 0.4])  # best at an end
    one_each[1] = cells([0.2, 0.1, 0.1], model=MODELS[1])  # of equals the shorter
    quantity = "models with a peak inside the output lengths"
    (pair,) = answers(pd.concat(one_each), quantity)
    assert (pair.ours, pair.model, pair.cells) == (12, "all 13", 39)
    assert answers(pd.concat(one_each[1:]), quantity) == []


def test_ranks_count_from_the_most_efficient():
    energies = np.linspace(1.0, 2.0, 13)
    means = pd.concat([cells(e, model=m) for e, m in zip(energies, MODELS, strict=True)])
    ranks = {pair.model: pair.ours for pair in answers(means, "rank by highest efficiency")}
    assert ranks == {"llama-3.2-1b": 1, "falcon-rw-7b": 1 + MODELS.index("falcon-rw-7b")}


def test_fits_are_counted_against_the_forms_that_they_are_to_beat():
    mape = pd.DataFrame(
        {"baseline1": 9.0, "baseline4": 5.0, "flops": 4.0, "memory_flops": 3.0}, index=MODELS
    )
    mape.loc[MODELS[:2], "flops"] = (2.0, 6.0)
    means = cells([0.2, 0.1, 0.4])
    (beaten,) = answers(means, "models that Eq. 5 fits better than Eq. 4", mape=mape)
    (best,) = answers(means, "models that Eqs. 4 and 5 fit better than all baselines", mape=mape)
    assert (beaten.ours, best.ours) == (12, 12)
    mape.loc[MODELS[0], "flops"] = np.nan
    assert answers(means, "models that Eq. 5 fits better than Eq. 4", mape=mape) == []


def test_paper_s_own_estimates_are_nearest_to_its_observed_spots_for_ten():
    """The number in headline_figures.csv that the paper does not print."""
    table = published.table5().set_index("model")
    alphas = table[[f"alpha{i}" for i in range(6)]]
    observed = pd.concat(
        [
            cells(1.0, model=model, output_tokens=published.GRID[:3]).assign(
                output_tokens=row["observed_output_tokens"]
            )[:1]
            for model, row in table.iterrows()
        ]
    )
    quantity = "models whose estimate is nearest to the observed length"
    (pair,) = answers(observed, quantity, alphas=alphas)
    assert pair.ours == pair.published == 10
