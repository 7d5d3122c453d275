"""Across models: which coefficients of the batch form follow from what a model's config says.

That is asked of the seven terms that are counted, fitted alone: the others are of the board as much
as of the model. Each coefficient is a sum of a few sizes of the model, each times a factor that all
models share. Counting says which sizes (docs/batch-form.md); none was chosen by how well it fits. A
model is predicted from the factors of the others.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from sweetspot.analysis.batch_choice import fit_form
from sweetspot.analysis.batch_fits import ModelBatchFit
from sweetspot.analysis.batch_form import COUNTED_FORMS
from sweetspot.analysis.linear_fit import LinearFit
from sweetspot.catalog import Architecture, load_model, model_ids
from sweetspot.energy_models import Array

LEAST_MODELS = 4
"""Two factors need two models, the one left out makes three, and one more shows an error."""

SIZES: Mapping[str, Callable[[Architecture], float]] = {
    "1": lambda _: 1.0,
    "parameters": lambda a: float(a.parameters),
    "weights of layers": lambda a: float(a.token_weights),
    "layers": lambda a: float(a.layers),
    "layers · attention width": lambda a: float(a.layers * a.query_size),
    "KV bytes per token": lambda a: float(a.kv_bytes_per_token),
}

RULES: Mapping[str, tuple[str, ...]] = {
    "a0": ("parameters", "layers"),  # all weights, the output head among them; norms and the like
    "a1": ("layers · attention width",),  # FLOPs of attention for a pair of tokens
    "a2": ("KV bytes per token",),
    "a3": ("weights of layers",),  # a prompt's token passes layers, and no output head
    "a5": ("1",),
    "w": ("parameters", "layers"),  # weights are read, kernels of each layer launched
    "r": ("1",),
}

_COUNTED = COUNTED_FORMS[0]

ACROSS = [
    *["model", "term", "unit", "value", "std_error", "predicted", "error_percent"],
    "energy_error_percent",
]


def across_models(fits: Mapping[str, ModelBatchFit]) -> pd.DataFrame:
    """Predict the coefficients of each model of the catalog from those of the others.

    Args:
        fits: by model; those count that carry all that is counted, and at least `LEAST_MODELS`.

    Returns:
        One row per model and term: value and standard error as fitted, `predicted` by the factors
        of the other models, how far that is off in %, and `energy_error_percent`: the mean absolute
        error of e over the model's cells with all its coefficients predicted. No rows if there are
        fewer models.
    """
    known = set(model_ids())
    of_catalog = {model: fit for model, fit in fits.items() if model in known}
    used = counted_fits(of_catalog) if len(of_catalog) >= LEAST_MODELS else {}
    if len(used) < LEAST_MODELS:
        return pd.DataFrame(columns=ACROSS)
    values = np.array([fit.values for fit in used.values()])
    architectures = [load_model(model) for model in used]
    predicted = np.column_stack(
        [
            _left_out(_sizes(RULES[term.name], architectures), values[:, place])
            for place, term in enumerate(_COUNTED.terms)
        ]
    )
    rows = []
    for row, (model, fit) in enumerate(used.items()):
        energies = _COUNTED.design_matrix(fits[model].at) @ predicted[row]
        energy_error = float(np.mean(np.abs(energies / fit.observed_j - 1)) * 100)
        rows += [
            {
                "model": model,
                "term": term.name,
                "unit": term.unit,
                "value": fit.values[place],
                "std_error": fit.std_errors[place],
                "predicted": predicted[row, place],
                "error_percent": (predicted[row, place] / fit.values[place] - 1) * 100,
                "energy_error_percent": energy_error,
            }
            for place, term in enumerate(_COUNTED.terms)
        ]
    return pd.DataFrame(rows, columns=ACROSS)


def counted_fits(fits: Mapping[str, ModelBatchFit]) -> dict[str, LinearFit]:
    """Return the fits of what is counted, of the models whose cells carry all of it."""
    found = {
        model: fitted.fit
        if fitted.form is _COUNTED
        else fit_form(_COUNTED, fitted.at, fitted.cells)
        for model, fitted in fits.items()
    }
    return {model: fit for model, fit in found.items() if not isinstance(fit, str)}


def shared_factors(fits: Mapping[str, LinearFit]) -> pd.DataFrame:
    """Return the factors of all these `counted_fits` together: one row per term and size."""
    architectures = [load_model(model) for model in fits]
    rows = []
    for place, term in enumerate(_COUNTED.terms):
        values = np.array([fit.values[place] for fit in fits.values()])
        factors = _factors(_sizes(RULES[term.name], architectures), values)
        rows += [
            {"term": term.name, "size": size, "factor": factor, "unit": term.unit}
            for size, factor in zip(RULES[term.name], factors, strict=True)
        ]
    return pd.DataFrame(rows)


def _sizes(names: tuple[str, ...], architectures: list[Architecture]) -> Array:
    return np.array([[SIZES[name](each) for name in names] for each in architectures])


def _factors(sizes: Array, values: Array) -> Array:
    """Return the factors with the least squares of relative errors."""
    scale = np.linalg.norm(sizes, axis=0)
    scaled = sizes / scale / values[:, None]
    return np.asarray(np.linalg.lstsq(scaled, np.ones_like(values), rcond=None)[0] / scale)


def _left_out(sizes: Array, values: Array) -> Array:
    """Return each model's coefficient by the factors of the others."""
    places = np.arange(len(values))
    return np.array(
        [sizes[each] @ _factors(sizes[places != each], values[places != each]) for each in places]
    )
