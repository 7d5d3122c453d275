"""Two runs side by side: common cells by their lengths and load, ratios, and how sure they are."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sweetspot.analysis.beside import compare_runs
from sweetspot.errors import InputError
from sweetspot.tables.beside_table import beside_table

LENGTHS = [(i, o) for i in (64, 256) for o in (64, 256, 1024)]


def cells(factor=1.0, *, energies=None, **columns):
    inputs, outputs = np.array(LENGTHS).T
    energy = 0.01 + inputs / outputs / 100 if energies is None else energies
    table = {
        "model": "mine",
        "gpu": "h100",
        "requests": 10,
        "max_batch_size": 8,
        "input_tokens": inputs,
        "output_tokens": outputs,
        "energy_per_token_j": factor * np.asarray(energy),
    }
    return pd.DataFrame({**table, **columns})


def repeats(factor, seed):
    rng = np.random.default_rng(seed)
    tables = [cells(factor * np.exp(0.03 * rng.standard_normal(6))) for _ in range(4)]
    return pd.concat(tables)


def test_ratios_are_b_over_a_of_the_cells_in_both():
    other = cells(1.25)
    other = other[other["output_tokens"] > 64]
    beside = compare_runs(cells(), other)
    assert len(beside.ratios) == 4
    assert beside.ratios["ratio"].to_numpy() == pytest.approx(np.full(4, 1.25))
    assert beside.by_model["ratio"].item() == pytest.approx(1.25)
    assert "4 cells in both; ratios are B over A" in beside.summary()


def test_names_of_one_model_are_one_model():
    beside = compare_runs(cells(model="meta-llama/Llama-3.1-8B"), cells(model="llama-3.1-8b"))
    assert list(beside.by_model["model"]) == ["llama-3.1-8b"]


def test_interval_of_repeats_is_welch_s():
    a, b = repeats(1.0, 1), repeats(1.2, 2)
    first = compare_runs(a, b).ratios.iloc[0]
    sides = [
        side.loc[
            (side["input_tokens"] == first["input_tokens"])
            & (side["output_tokens"] == first["output_tokens"]),
            "energy_per_token_j",
        ]
        for side in (a, b)
    ]
    # Welch's interval of a difference of means, each divided by its mean: the delta method
    scaled = stats.ttest_ind(*(each / each.mean() for each in sides), equal_var=False)
    half = scaled.confidence_interval(0.95).high
    assert np.log(first["high"] / first["ratio"]) == pytest.approx(half)
    assert first["low"] * first["high"] == pytest.approx(first["ratio"] ** 2)
    assert (first["level"], first["interval_from"]) == (0.95, "repeats of A and B")


def test_intervals_of_cells_and_of_models_cover_at_their_level():
    """100 pairs of tables at once, each as a model of its own."""
    names = [f"m{seed}" for seed in range(100)]
    beside = compare_runs(
        pd.concat([repeats(1.0, 2 * n).assign(model=name) for n, name in enumerate(names)]),
        pd.concat([repeats(1.2, 2 * n + 1).assign(model=name) for n, name in enumerate(names)]),
    )
    for rows in (beside.ratios, beside.by_model):
        covered = ((rows["low"] < 1.2) & (rows["high"] > 1.2)).mean()
        assert 0.91 < covered < 0.99


def test_simulated_beside_measured_is_labelled_and_as_sure_as_the_simulator():
    energy = cells()["energy_per_token_j"]
    simulated = cells(
        simulated=True,
        engine="simulator",
        energy_per_token_low_j=energy / 1.1,
        energy_per_token_high_j=energy * 1.1,
        interval_level=0.9,
    )
    beside = compare_runs(simulated, cells(2.0, simulated=False))
    row = beside.ratios.iloc[0]
    assert (row["low"], row["high"]) == pytest.approx((2 / 1.1, 2 * 1.1))
    assert row["level"] == 0.9
    assert row["interval_from"] == "simulator of A, one value of B"
    assert (row["simulated_a"], row["simulated_b"]) == (True, False)
    assert ": simulated, simulator on h100, 6 cells" in beside.sides[0]
    assert ": measured, h100, 6 cells" in beside.sides[1]
    both = compare_runs(simulated, simulated).ratios.iloc[0]
    assert np.log(both["high"]) == pytest.approx(np.sqrt(2) * np.log(1.1))


@pytest.mark.parametrize("a", [cells(), pd.concat([cells(), cells(repeat=1)])])
def test_interval_without_two_sources_is_unknown_and_not_zero(a):
    """Repeats that are all the same say nothing either: a simulator without noise."""
    beside = compare_runs(a, repeats(1.2, 1))
    assert beside.ratios[["low", "high", "level"]].isna().all(axis=None)
    assert set(beside.ratios["interval_from"]) == {"unknown, one value of A, repeats of B"}
    assert "Intervals of cells: unknown, one value of A, repeats of B" in beside.summary()
    assert "nan" not in beside.summary()


def test_throughput_and_power_stand_beside_where_both_have_them():
    a = cells(throughput_tokens_per_s=100.0, mean_power_w=500.0)
    both = compare_runs(a, cells(0.5, throughput_tokens_per_s=300.0))
    assert both.by_model["throughput_ratio"].item() == pytest.approx(3.0)
    assert np.isnan(both.by_model["power_ratio"].item())
    assert "; throughput 3.00" in both.summary()
    titles = [column.title for column in beside_table(both).columns]
    assert "Throughput, B / A" in titles
    assert "Power, B / A" not in titles


def test_several_models_have_a_row_each():
    tables = [pd.concat([cells(f), cells(2 * f, model="other")]) for f in (1.0, 1.5)]
    beside = compare_runs(*tables)
    texts = beside_table(beside).texts
    assert list(texts["Energy per token, B / A"]) == ["1.50 (1.50 to 1.50)"] * 2


def test_one_model_on_each_side_is_compared_whatever_it_is_called():
    beside = compare_runs(cells(model="a"), cells(2.0, model="b"))
    assert list(beside.by_model["model"]) == ["b / a"]
    assert beside.notes[0].startswith("A has the model a, B b: other names")
    several = pd.concat([cells(), cells(model="more")])
    with pytest.raises(InputError, match="model is mine, more in A and other in B"):
        compare_runs(several, cells(model="other"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"requests": 100}, "requests is 10 in A and 100 in B; first_columns"),
        ({"output_tokens": 7}, "output_tokens is 64, 256, 1024 in A and 7 in B"),
    ],
)
def test_tables_without_a_common_cell_are_refused_with_the_difference(changes, message):
    with pytest.raises(InputError, match=f"no cell in common: {message}"):
        compare_runs(cells(), cells(**changes))


def test_tables_that_never_agree_in_all_quantities_are_refused():
    half = cells()["input_tokens"] == 64
    with pytest.raises(InputError, match="but never all at once"):
        compare_runs(cells()[half], pd.concat([cells()[~half], cells(requests=9)[half]]))
