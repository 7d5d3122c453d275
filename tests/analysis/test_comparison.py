"""The comparison copies nothing, leaves out what it cannot compute, and says what is evidence."""

import numpy as np
import pandas as pd
import pytest

from sweetspot import published
from sweetspot.analysis.comparison import COLUMNS, compare
from sweetspot.analysis.fits import fit_forms
from sweetspot.energy_models import form

SEEN = ("published-table5", "published-throughput-llama-3.1-8b")
# What is read of the paper, where it stands there, and columns of it.
READERS = {
    "table3": ("Table 3", ["baseline1", "memory_flops"]),
    "table4": ("Table 4", ["three_stars"]),
    "table5": (
        "Table 5",
        ["alpha0", "alpha5", "observed_output_tokens", "estimated_output_tokens"],
    ),
    "headline": ("ection", ["value"]),
}


@pytest.fixture(scope="module")
def loads(noisy):
    """The noisy grid, and the loads that only headline figures have."""
    falcon = noisy[noisy["model"] == "falcon-rw-7b"]
    llama = noisy[(noisy["model"] == "llama-3.2-1b") & (noisy["input_tokens"] == 64)]
    return pd.concat(
        [
            noisy,
            falcon.assign(requests=10),
            falcon.assign(requests=100),
            llama.assign(max_batch_size=64),
            llama.assign(max_batch_size=256),
            *(llama.assign(requests=128, max_batch_size=limit) for limit in (64, 128, 256)),
        ]
    )


@pytest.fixture(scope="module")
def fits(loads):
    return fit_forms(loads)


@pytest.fixture(scope="module")
def fits_of_grid(noisy):
    return fit_forms(noisy)


@pytest.fixture(scope="module")
def table(loads, fits):
    return compare(loads, fits, seen=SEEN)


def test_every_published_number_has_its_row(table):
    assert tuple(table.columns) == COLUMNS
    counts = table.groupby("where").size()
    assert counts["Table 3"] == 13 * 6 + 12
    assert counts["Table 4"] == 6 * 4
    assert counts["Table 5"] == 13 * (6 + 2 + 1) + 2
    assert counts["Table 5, Eq. 5"] == 13 * 49 + 13 + 1
    assert counts.filter(like="ection").sum() == len(published.headline()) - 12
    assert table["ours"].notna().all()


def test_differences_are_ours_less_published(table):
    row = table[(table["quantity"] == "alpha3") & (table["model"] == "opt-6.7b")].iloc[0]
    assert row["published"] == pytest.approx(1.379572e-02)
    assert row["difference"] == pytest.approx(row["ours"] - row["published"])
    relative = 100 * row["ours"] / row["published"] - 100
    assert row["relative_difference_percent"] == pytest.approx(relative)


def test_ours_does_not_follow_the_published_numbers(loads, table, monkeypatch):
    for reader, (_, columns) in READERS.items():
        original = getattr(published, reader)()
        changed = original.assign(**{column: original[column] * 2 for column in columns})
        monkeypatch.setattr(published, reader, lambda changed=changed: changed)
    again = compare(loads, fit_forms(loads), seen=SEEN)
    for where, _ in READERS.values():
        there = table["where"].str.contains(where)
        assert not again.loc[there, "published"].equals(table.loc[there, "published"]), where
    # Errors against the surface, which is made of Table 5, and counts of agreement may move.
    agreement = "mean error against the surface|whose observed sweet spot"
    own = ~table["quantity"].str.contains(agreement)
    pd.testing.assert_series_equal(again.loc[own, "ours"], table.loc[own, "ours"])


def test_ours_follows_the_cells(loads, table):
    doubled = loads.assign(energy_per_token_j=loads["energy_per_token_j"] * 2)
    again = compare(doubled, fit_forms(doubled), seen=SEEN)
    pd.testing.assert_series_equal(again["published"], table["published"])
    ratio = (again["ours"] / table["ours"]).set_axis(table["unit"])
    assert ratio["tokens/J"].to_numpy() == pytest.approx(np.full(11, 0.5))
    assert ratio["J/token"].to_numpy() == pytest.approx(np.full(13 * 51, 2.0))
    scale_free = table["quantity"].str.contains("MAPE") | (table["unit"] == "tokens")
    assert again.loc[scale_free, "ours"].to_numpy() == pytest.approx(
        table.loc[scale_free, "ours"].to_numpy(), rel=1e-6
    )


def test_headline_figures_are_those_of_their_cells(loads, table):
    row = table[table["condition"] == "N=1000, B=64, I=64"].iloc[0]
    chosen = loads[loads["max_batch_size"] == 64]
    assert row["published"] == pytest.approx(48.90)
    assert row["ours"] == pytest.approx(1 / chosen["energy_per_token_j"].min())
    low = table[(table["condition"] == "N=10, B=1024") & (table["quantity"] == "lowest efficiency")]
    worst = loads.loc[loads["requests"] == 10, "energy_per_token_j"].max()
    assert low["ours"].item() == pytest.approx(1 / worst)


def test_deviation_of_mape_is_that_of_a_population(fits, table):
    """As the paper's printed ones are: divided by 13."""
    quality = fits.quality
    quality = quality[(quality["requests"] == 1000) & (quality["max_batch_size"] == 1024)]
    for form_id in ("baseline1", "memory_flops"):
        mape = quality.loc[quality["form"] == form_id, "mape_percent"]
        assert len(mape) == 13
        quantity = f"standard deviation of MAPE, {form(form_id).title}"
        found = table.loc[table["quantity"] == quantity, "ours"].item()
        assert found == pytest.approx(np.sqrt(np.mean((mape - mape.mean()) ** 2)))


def test_what_the_calibration_saw_is_not_called_independent(table):
    off_grid = table["condition"].str.contains("N=10,|N=10 |N=100 |N=128|B=64|B=256", regex=True)
    assert set(table.loc[off_grid, "evidence"]) == {"independent"}
    assert off_grid.sum() == 4 + 3 + 5
    assert set(table.loc[~off_grid, "evidence"]) == {
        "not independent: the simulator's constants were fitted to Table 5"
    }


@pytest.mark.parametrize(
    ("changes", "seen", "evidence"),
    [
        ({"simulated": False}, SEEN, "independent"),
        ({}, ("published-throughput-llama-3.1-8b",), "independent"),
        ({}, ("published-table5-llama-3.1-8b",), "not independent: the simulator's constants"),
        ({"energy_source": published.SURFACE_SOURCE}, (), "not independent: these cells are Table"),
    ],
)
def test_evidence_depends_on_where_the_cells_come_from(noisy, changes, seen, evidence):
    cells = noisy[noisy["model"].isin(["opt-1.3b", "gemma-2-9b"])].assign(**changes)
    found = compare(cells, fit_forms(cells), seen=seen)["evidence"]
    assert len(found) > 100
    assert found.str.startswith(evidence).all()


def test_what_was_not_the_paper_s_deployment_is_said(noisy, fits_of_grid):
    cells = noisy.assign(calibration="h100-sxm, published numbers; 2 GPUs, FP8 weights")
    found = compare(cells, fits_of_grid)
    assert set(found["calibration"]) == {"h100-sxm, published numbers; 2 GPUs, FP8 weights"}
    assert set(compare(noisy, fits_of_grid)["calibration"]) == {""}


def test_headline_figures_that_were_seen_are_not_independent(loads, fits):
    found = compare(loads, fits, seen=["published-headline"])
    dependent = found["evidence"] != "independent"
    assert set(found.loc[~dependent, "where"]) == {
        "Table 3",
        "Table 4",
        "Table 5",
        "Table 5, Eq. 5",
    }
    assert found.loc[found["where"].str.contains("ection"), "evidence"].str.startswith("not").all()


def test_a_run_with_fewer_models_has_no_averages_over_all(noisy):
    cells = noisy[noisy["model"].isin(["opt-1.3b", "gemma-2-9b"])]
    found = compare(cells, fit_forms(cells))
    assert set(found["model"]) == {"opt-1.3b", "gemma-2-9b"}
    assert "Table 4" not in set(found["where"])


def test_other_lengths_are_told_or_kept_out(noisy):
    cells = noisy[(noisy["model"] == "llama-3.2-1b") & (noisy["output_tokens"] != 4096)]
    best = cells[cells["input_tokens"] == 64].assign(input_tokens=32, energy_per_token_j=1e-4)
    cells = pd.concat([cells, best])
    found = compare(cells, fit_forms(cells))
    mape = found[found["where"] == "Table 3"]["condition"]
    assert set(mape) == {"N=1000, B=1024, 42 of the paper's 49 cells, 6 others"}
    peak = found[found["quantity"] == "highest efficiency"].iloc[0]
    assert peak["ours"] < 1000
    assert peak["condition"] == "N=1000, B=1024, I=64, 6 of the paper's 7 cells"
    assert "N=1000, B=1024, I=64, O=4096" not in set(found["condition"])


def test_error_against_the_surface_is_the_mean_over_cells(surfaces):
    cells = surfaces.assign(
        energy_per_token_j=surfaces["energy_per_token_j"]
        * np.where(surfaces["input_tokens"] == 64, 1.07, 1.0),
        simulated=True,
        energy_source="simulation",
    )
    found = compare(cells, fit_forms(cells))
    errors = found[found["quantity"] == "mean error against the surface"]
    assert errors["ours"].to_numpy() == pytest.approx(np.full(14, 1.0))  # 7 % on one input of 7
    assert errors["published"].isna().all()


def test_statements_hold_or_not_and_have_no_relative_difference(table):
    stated = table[table["claim"] != ""]
    assert set(stated["holds"]) <= {"yes", "no"}
    assert stated["relative_difference_percent"].isna().all()
    shift = stated[stated["claim"] == "> 1"].iloc[0]
    assert (shift["ours"], shift["holds"]) == (1.0, "no")  # all loads of this table are alike
    assert np.isnan(shift["published"])
    spots = stated[stated["quantity"] == "observed sweet spot, output tokens"]
    equal = spots["ours"] == spots["published"]
    assert list(spots["holds"]) == ["yes" if same else "no" for same in equal]
    count = table[table["quantity"] == "models whose observed sweet spot is the paper's"]
    assert count["ours"].item() <= equal.sum()  # the input length has to be equal, too


def test_notes_stand_beside_the_numbers_that_they_are_of(table):
    noted = table[table["quantity"] == "MAPE reduction, Eq. 5 over Eq. 4"]["note"].item()
    assert noted.startswith("cannot be reproduced from the paper: Table 3's rows give 21.2;")
    assert (table["note"] != "").sum() == (published.headline()["note"] != "").sum()


def test_significance_without_noise_is_not_compared(noisy):
    plain = noisy.assign(noise=np.nan)
    assert "Table 4" not in set(compare(plain, fit_forms(plain))["where"])
