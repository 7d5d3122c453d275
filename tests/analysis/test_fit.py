"""A fit of one's own: what it finds, falls back to, predicts and doubts."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from sweetspot.analysis.batch_tables import batch_fit
from sweetspot.analysis.fit import fit
from sweetspot.analysis.fit_warnings import fit_warnings
from sweetspot.energy_models import form
from sweetspot.errors import InputError

ALPHAS = [0.02, 2e-8, 1e-5, 1.5e-4, 6e-6, 0.6]
INPUTS, OUTPUTS = [64, 256, 1024, 4096], [64, 128, 256, 512, 1024]


def surface(model="mine", *, repeats=1, noise=0.0, inputs=INPUTS, outputs=OUTPUTS):
    """Return cells of Eq. 5 with ALPHAS."""
    rng = np.random.default_rng(3)
    lengths = [(i, o) for i in inputs for o in outputs] * repeats
    i, o = np.array(lengths).T
    exact = form("memory_flops").energy_per_token_j(ALPHAS, i, o)
    energy = exact * (1 + noise * rng.standard_normal(len(i)))
    return pd.DataFrame({"model": model, "isl": i, "osl": o, "J/token": energy})


BENT = surface(repeats=3, noise=1e-3)
BENT["J/token"] *= 1 + 0.2 * (BENT["isl"] == 1024)


@pytest.fixture(scope="module")
def noisy():
    return fit(surface(repeats=3, noise=0.02))


def test_fit_finds_the_surface_within_its_intervals(noisy):
    (group,) = noisy.groups()
    assert (group.best.form.id, group.best.weights) == ("memory_flops", "relative")
    assert (group.count, group.best.observations) == (20, 60)
    assert np.all((group.best.low < ALPHAS) & (group.best.high > ALPHAS))
    assert group.best.pure_error == pytest.approx(0.02, rel=0.2)


def test_prediction_has_an_interval_and_says_whether_it_extrapolates(noisy):
    found = noisy.predict([64, 64, 8192], [100, 4096, 100])
    exact = form("memory_flops").energy_per_token_j(ALPHAS, [64, 64, 8192], [100, 4096, 100])
    assert list(found["inside"]) == [True, False, False]
    assert ((found["low"] < exact) & (exact < found["high"])).all()
    assert len(noisy.predict(64, [100, 200])) == 2


def test_sweet_spot_has_an_interval_at_any_input_length(noisy):
    (spot,) = noisy.sweet_spot(300).to_dict("records")
    exact = math.sqrt((ALPHAS[1] * 300**2 + ALPHAS[3] * 300 + ALPHAS[5]) / ALPHAS[4])
    assert spot["estimated_low"] < exact < spot["estimated_high"]
    assert spot["fieller_low"] < exact < spot["fieller_high"]


def test_equal_weights_are_the_papers():
    cells = surface(noise=0.02)
    equal, relative = (fit(cells, weights=each) for each in ("equal", "relative"))
    of_least_squares = np.linalg.lstsq(
        form("memory_flops").design_matrix(cells["isl"], cells["osl"]), cells["J/token"], rcond=None
    )
    np.testing.assert_allclose(equal.groups()[0].best.values, of_least_squares[0], rtol=1e-6)
    assert set(relative.forms["weights"]) == {"relative"}


@pytest.mark.parametrize(
    ("inputs", "outputs", "best", "reason"),
    [
        (INPUTS, OUTPUTS, "memory_flops", ""),
        (INPUTS[:2], OUTPUTS, "flops", "over 3 input and 3 output lengths"),
        (INPUTS[:2], OUTPUTS[:2], "baseline2", "has 4 over 2 and 2"),
        (INPUTS[:1], OUTPUTS, "baseline1", "has 5 over 1 and 5"),
        (INPUTS, OUTPUTS[:1], "baseline1", "has 4 over 4 and 1"),
    ],
)
def test_cells_fall_back_to_the_forms_that_they_carry(inputs, outputs, best, reason):
    found = fit(surface(inputs=inputs, outputs=outputs, noise=0.02))
    (group,) = found.groups()
    assert group.best.form.id == best
    assert reason in group.no_eq5
    assert len(found.predict(64, 64)) == 1
    if group.no_eq5:
        with pytest.raises(InputError, match=r"no sweet spot, as that takes Eq\. 5, and it needs"):
            found.sweet_spot(64)
        assert "no sweet spot, as that takes Eq. 5, and it needs" in found.summary()


def test_constant_energy_has_no_sweet_spot():
    found = fit(surface().assign(**{"J/token": 0.05}))
    (group,) = found.groups()
    assert group.best.form.id == "baseline1"
    assert found.sweet_spots["estimated_output_tokens"].isna().all()
    assert "the energy is the same in all cells" in found.summary()


@pytest.mark.parametrize("factor", [0.3, 7.0, 31.0, 100.0])
@pytest.mark.parametrize(
    "energy_j", [lambda i, o, k: (i + k) / o, lambda i, o, k: 1e-4 * k * o + 1e-3 * i]
)
def test_rounding_makes_no_sweet_spot_and_no_negative_cost(energy_j, factor):
    cells = surface()
    (group,) = fit(
        cells.assign(**{"J/token": energy_j(cells["isl"], cells["osl"], factor)})
    ).groups()
    assert group.best.is_exact
    assert group.sweet_spots["estimated_output_tokens"].isna().all()
    assert not any("negative" in said for said in fit_warnings(group))


def test_exact_surface_has_its_sweet_spots():
    (group,) = fit(surface()).groups()
    assert group.best.is_exact
    assert group.sweet_spots["estimated_output_tokens"].notna().all()


def test_groups_are_asked_by_model():
    found = fit(pd.concat([surface("a", noise=0.02), surface("b", noise=0.02)]))
    assert [group.model for group in found.groups()] == ["a", "b"]
    assert list(found.predict(64, 64, model="b")["model"]) == ["b"]
    assert list(found.sweet_spot(64)["model"]) == ["a", "b"]
    assert "\nb\n" not in found.summary(model="a")
    with pytest.raises(InputError, match=r"unknown model of these measurements 'c'; .*known: a, b"):
        found.summary(model="c")
    with pytest.raises(InputError, match="output_tokens must be positive numbers, not"):
        found.predict(64, 0)


@pytest.mark.parametrize(
    ("cells", "doubt"),
    [
        (surface(noise=0.02), "no repeats: "),
        (surface(noise=0.02), "leverage above 0.5: 4096/64 ("),
        (surface(noise=0.02, outputs=OUTPUTS[:3], inputs=INPUTS[:3]), "3 degrees of freedom: "),
        (surface(noise=0.1, outputs=OUTPUTS[:3], inputs=INPUTS[:3]), "negative coefficient"),
        (surface(noise=1e-4, outputs=[512, 1024, 2048]), "outside the measured output lengths"),
        (surface(noise=0.02).assign(simulated=True), "simulated cells without noise: "),
        (surface(noise=0.02).assign(simulated=True, noise=0.0), "simulated cells without noise: "),
        (surface(noise=0.3, outputs=OUTPUTS[:3], inputs=INPUTS[:3]), "predicts cells left out"),
        (surface(noise=0.02).assign(simulated=True, noise=0.02), "with the noise that was asked"),
        (surface(), "the form meets every cell exactly"),
        (BENT, "lack of fit: "),
    ],
)
def test_what_is_to_be_doubted_is_said(cells, doubt):
    (group,) = fit(cells).groups()
    assert any(doubt in said for said in fit_warnings(group))


def test_well_measured_cells_are_not_doubted():
    outputs = [64, 128, 256, 512, 1024, 2048]
    cells = surface(repeats=3, noise=0.01, inputs=[64, 128, 256, 512, 1024, 2048], outputs=outputs)
    (group,) = fit(cells).groups()
    assert [said for said in fit_warnings(group) if not said.startswith("leverage")] == []


def test_values_are_json_and_say_what_the_tables_say(noisy):
    values = json.loads(json.dumps(noisy.values(), allow_nan=False))
    (group,) = values["groups"]
    assert (group["model"], group["best_form"]) == ("mine", "memory_flops")
    assert len(group["coefficients"]) == len(noisy.fits.coefficients)
    spot = noisy.sweet_spots["estimated_low"]
    assert [each["estimated_low"] for each in group["sweet_spots"]] == list(spot)


def test_summary_fits_a_screen_of_110_columns_and_has_everything(noisy):
    text = noisy.summary()
    assert max(map(len, text.splitlines())) <= 110
    for word in ("cell out", "I out", "O out", "cond.", "AIC", "BIC", "HC3 SE", "VIF", "Fieller"):
        assert word in text
    assert "20 cells over 4 input and 5 output lengths from 60 rows; relative weights" in text
    assert "N = 1" not in text  # nobody said so


def test_summary_and_values_say_where_the_cells_come_from():
    found = fit(surface(noise=0.02).assign(engine="vLLM 0.9", GPU="NVIDIA H200"))
    assert "\n  measured, vLLM 0.9 on NVIDIA H200\n" in str(found)
    assert found.values()["groups"][0]["origin"] == "measured, vLLM 0.9 on NVIDIA H200"
    assert repr(found) == "<fit of 20 cells of 1 model; summary() says what was found>"


def test_groups_of_a_few_cells_are_named_beside_larger_ones():
    few = surface(inputs=[64], outputs=[64, 128], noise=0.02)
    text = fit(pd.concat([surface(noise=0.02).assign(N=8), few.assign(N=1)])).summary()
    assert "too few cells for more than a constant (N/max_batch_size): mine: 2 cells at 1/1" in text


def test_several_loads_also_have_the_form_that_knows_the_batch():
    loads = [
        surface(noise=0.01).assign(N=n, **{"J/token": lambda c, n=n: c["J/token"] + 0.5 / n})
        for n in (1, 8, 64)
    ]
    found = fit(pd.concat(loads).assign(max_num_batched_tokens=2048))
    assert found.batch.quality["loads"].tolist() == [3]
    assert found.batch.quality["max_num_tokens"].tolist() == [2048]
    w = found.batch.coefficients.set_index("term").loc["w", "value"]
    assert w == pytest.approx(0.5, rel=0.05)
    text = found.summary(model="mine")
    assert "mine, all loads at once" in text
    values = json.loads(json.dumps(found.values(), allow_nan=False))
    assert len(values["groups"]) == 3
    assert {row["term"] for row in values["batch"]["coefficients"]} >= {"a0", "w"}


@pytest.mark.parametrize("tokens", [0, 0.5, -1, np.nan, np.inf])
def test_iteration_without_tokens_is_refused_before_any_reading_or_fitting(tokens, monkeypatch):
    observations = fit(surface(noise=0.01)).observations
    monkeypatch.setattr("sweetspot.analysis.fit.fit_forms", None)
    for refused in (
        lambda: fit("nowhere.csv", max_num_tokens=tokens),
        lambda: batch_fit(observations.cells, max_num_tokens=tokens),
    ):
        with pytest.raises(InputError, match=f"max_num_tokens must be .* not {tokens:g}"):
            refused()
