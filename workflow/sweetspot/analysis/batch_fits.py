"""The form that knows the batch, fitted to all loads of a model at once."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from sweetspot.analysis.batch_cells import CELL, LOAD, cell_means
from sweetspot.analysis.batch_choice import choose
from sweetspot.analysis.batch_form import MAX_NUM_TOKENS, BatchForm, Loads, loads
from sweetspot.analysis.cells import groups
from sweetspot.analysis.linear_fit import LinearFit
from sweetspot.catalog import gpu as catalog_gpu
from sweetspot.catalog import gpu_ids, load_model, model_ids
from sweetspot.energy_models import Array

_CACHE_SHARE, _BUFFER_BYTES = 0.9, 2e9
ONE_LOAD = "has one load only"


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds an iteration and a batch, beside `max_batch_size`.

    Attributes:
        max_num_tokens: T.
        kv_cache_tokens: K; infinite where nothing is known of it.
        known_from: K's source: "cells" that it bounded, the board's "memory", or "unknown".
    """

    max_num_tokens: float
    kv_cache_tokens: float
    known_from: str


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class ModelBatchFit:
    """One model's fit.

    Attributes:
        cells: means over repeats, one row per load and lengths.
        at: their loads.
        cell_out, load_out: errors of each cell, as a share of what was observed, by a fit without
            it, and by one without all cells of its load, which looks for R anew; NaN where the
            others do not tell the terms apart.
        not_carried: longer forms, each with why it is not the form.
        limits: what other loads are taken to be under.
    """

    model: str
    form: BatchForm
    cells: pd.DataFrame
    at: Loads
    fit: LinearFit
    cell_out: Array
    load_out: Array
    not_carried: Mapping[str, str]
    limits: Limits

    def loads(
        self,
        requests: ArrayLike,
        max_batch_size: ArrayLike,
        input_tokens: ArrayLike,
        output_tokens: ArrayLike,
    ) -> Loads:
        """Return loads under the limits that the cells had."""
        return loads(
            *(requests, max_batch_size, input_tokens, output_tokens),
            kv_cache_tokens=self.limits.kv_cache_tokens,
            max_num_tokens=self.limits.max_num_tokens,
        )

    def energy_per_token_j(
        self,
        requests: ArrayLike,
        max_batch_size: ArrayLike,
        input_tokens: ArrayLike,
        output_tokens: ArrayLike,
    ) -> Array:
        """Return the fitted e at each of n loads, measured or not, in J per output token."""
        at = self.loads(requests, max_batch_size, input_tokens, output_tokens)
        return np.asarray(self.form.design_matrix(at) @ self.fit.values)


def fit_models(
    ok: pd.DataFrame, *, max_num_tokens: float = MAX_NUM_TOKENS
) -> dict[str, ModelBatchFit]:
    """Return `fit_model` of each model that it can be fitted to."""
    found = {
        model: fit_model(model, cells, max_num_tokens=max_num_tokens)
        for (model,), cells in groups(ok, ["model"])
    }
    return {model: fitted for model, fitted in found.items() if not isinstance(fitted, str)}


def fit_model(
    model: str, ok: pd.DataFrame, *, max_num_tokens: float = MAX_NUM_TOKENS
) -> ModelBatchFit | str:
    """Fit the form that the cells of one model carry (`choose`); else return why there is none.

    How many requests are in flight at most is the cells' `max_concurrency`, where they have one;
    else it follows from the batch limit and `kv_cache_of`.
    """
    for column in ("simulated", "engine", "gpu"):
        values = ok[column].unique()
        if len(values) > 1:
            return f"cells with {column} {' and '.join(map(str, values))} are mixed"
    limited = ok.assign(batch_limit=np.minimum(ok["requests"], ok["max_batch_size"]))
    if len(limited.drop_duplicates(LOAD)) < 2:
        return ONE_LOAD
    for name in {"max_concurrency", "max_num_tokens"} & set(limited):  # anybody's columns
        numbers = pd.to_numeric(limited[name], errors="coerce")
        limited[name] = numbers.where((numbers >= 1) & (numbers < np.inf))
    if "max_concurrency" in limited:
        held = limited[["max_concurrency", "batch_limit"]].min(axis="columns", skipna=False)
        limited = limited.assign(max_concurrency=held)
    cells = cell_means(limited)
    memory = kv_cache_of(model, str(ok["gpu"].iloc[0]))
    at, limits = _loads_of(cells, max_num_tokens, memory)
    chosen = choose(at, cells)
    if isinstance(chosen, str):
        return chosen
    fitted, not_carried = chosen
    return ModelBatchFit(
        model=model,
        form=fitted.form,
        cells=cells,
        at=at,
        fit=fitted.fit,
        cell_out=-fitted.fit.cell_out,
        load_out=-fitted.load_out(at, cells),
        not_carried=not_carried,
        limits=limits,
    )


def _loads_of(cells: pd.DataFrame, max_num_tokens: float, memory: float) -> tuple[Loads, Limits]:
    """Return the cells' loads, and the limits that they are under.

    K follows from cells that say that fewer requests than their load has fit at once, to the
    rounding of that number: the largest I + O times it. Where none says so it is `memory`.
    """
    requests, limit, inputs, outputs = (cells[name].to_numpy(float) for name in CELL)
    per_iteration = np.full_like(requests, max_num_tokens)
    if "max_num_tokens" in cells:
        per_iteration = cells["max_num_tokens"].fillna(max_num_tokens).to_numpy(float)
    held = np.maximum(1, np.floor(memory / (inputs + outputs)))
    if "max_concurrency" in cells:
        said = cells["max_concurrency"].to_numpy(float)
        held = np.where(np.isnan(said), held, said)
        bound = said < limit
        if bound.any():
            cache = float((said * (inputs + outputs))[bound].max())
            limits = Limits(float(np.median(per_iteration)), cache, "cells")
            return Loads(requests, np.minimum(limit, held), inputs, outputs, per_iteration), limits
    source = "memory" if np.isfinite(memory) else "unknown"
    limits = Limits(float(np.median(per_iteration)), memory, source)
    return Loads(requests, np.minimum(limit, held), inputs, outputs, per_iteration), limits


def kv_cache_of(model: str, gpu: str) -> float:
    """Return K of a model on a GPU of the catalog, in tokens, to some 5 %; infinite for others.

    Engines keep 0.9 of what weights, their own buffers and activations (some 2 GB) leave of it.
    """
    if model not in model_ids() or gpu not in gpu_ids():
        return float("inf")
    architecture = load_model(model)
    free_bytes = catalog_gpu(gpu).memory_bytes - architecture.weight_bytes - _BUFFER_BYTES
    return max(1.0, _CACHE_SHARE * free_bytes / architecture.kv_bytes_per_token)
