"""How accurate the simulator is: one function per test, each with its figures and their targets.

What a calibration saw stands beside every figure: a figure on those numbers is the error of a fit,
all others are predictions.
"""

from collections.abc import Callable, Iterator

import numpy as np

from sweetspot.simulator.constants import stated_constants
from sweetspot.simulator.evaluation import Evaluation, Figure, Row
from sweetspot.simulator.fitting import Fit, fit_constants
from sweetspot.simulator.headline import headline_ratios
from sweetspot.simulator.identifiability import identifiability
from sweetspot.simulator.published_fit import SURFACES, THROUGHPUT, THROUGHPUT_MODEL
from sweetspot.simulator.serving_check import fp8_throughput, shared_throughput

# One of each kind of attention: heads of 80 that pad, none of them shared; shared heads of 128, and
# the model whose throughput is known; shared heads of 256.
THREE_MODELS = ("opt-2.7b", THROUGHPUT_MODEL, "gemma-2-2b")


def all_models_shared(e: Evaluation) -> Row:
    """Errors of the joint fit on the surfaces that it saw."""
    errors = e.by_model(e.joint.constants)
    return _row(
        "one set of constants for all 13 models, on the surfaces",
        [SURFACES, THROUGHPUT],
        False,
        [
            Figure("mean", float(np.mean(list(errors.values()))), at_most=2.2),
            Figure(
                f"worst model ({max(errors, key=errors.__getitem__)})",
                max(errors.values()),
                at_most=4.5,
            ),
        ],
        e.joint,
    )


def leave_one_model_out(e: Evaluation) -> Row:
    """Each model predicted by a fit to the other twelve and the throughput."""
    errors = {}
    for model in e.names:
        left_out = e.of([model])
        found = e.fit(~left_out).constants
        errors[model] = e.surfaces.only(left_out).mean_error_percent(e.board, found)
    return _row(
        "leave one model out, 13 times",
        [f"{SURFACES}: the other twelve", THROUGHPUT],
        True,
        [
            Figure("mean", float(np.mean(list(errors.values()))), at_most=3.0),
            Figure(
                f"worst model ({max(errors, key=errors.__getitem__)})",
                max(errors.values()),
                at_most=7.0,
            ),
        ],
    )


def from_one_model(e: Evaluation) -> Row:
    """The other twelve, predicted by a fit to Llama 3.1 8B's surface and throughput."""
    return _from(e, (THROUGHPUT_MODEL,), 5.0)


def from_three_models(e: Evaluation) -> Row:
    """The other ten, predicted by a fit to three models' surfaces and one's throughput."""
    return _from(e, THREE_MODELS, 4.0)


def headline_figures(e: Evaluation) -> Row:
    """Numbers of the paper's text that neither Table 5 nor the throughput hold."""
    ratios = headline_ratios(e.board, e.joint.constants)
    return _row(
        "headline figures that Table 5 does not hold",
        [SURFACES, THROUGHPUT],
        True,
        [
            Figure(str(name), 100 * abs(ratio - 1), at_most=limit)
            for name, (ratio, limit) in ratios.items()
        ],
    )


def throughput_from_data_sheet(e: Evaluation) -> Row:
    """Throughput with the constants that kernel tables and data sheets state."""
    error = e.throughput.mean_error_percent(e.board, stated_constants())
    return Row(
        "throughput of Llama 3.1 8B, nothing fitted",
        "data sheet",
        (),
        True,
        (Figure("mean", error, at_most=10.0),),
    )


def energy_from_data_sheet(e: Evaluation) -> Row:
    """Energy with the constants that kernel tables and data sheets state; no target."""
    error = e.surfaces.mean_error_percent(e.board, stated_constants())
    return Row(
        "energy on the surfaces, nothing fitted", "data sheet", (), True, (Figure("mean", error),)
    )


def throughput_from_half(e: Evaluation) -> Row:
    """Each half of the throughput cells, predicted by a fit to the other half alone."""
    first = np.arange(e.throughput.values.size) % 2 == 0
    errors = []
    for seen in (first, ~first):
        found = fit_constants(e.board, [e.throughput.only(seen, weight=1.0)]).constants
        errors.append(e.throughput.only(~seen).errors_percent(e.board, found))
    return _row(
        "throughput of Llama 3.1 8B, fitted to every other cell, on the rest; both ways",
        [f"{THROUGHPUT}: half"],
        True,
        [Figure("mean", float(np.concatenate(errors).mean()), at_most=3.0)],
    )


def joint_calibration(e: Evaluation) -> Row:
    """The calibration that ships, on all that it saw, and the power of its cells."""
    found = e.joint.constants
    energy, throughput = (
        target.mean_error_percent(e.board, found) for target in (e.surfaces, e.throughput)
    )
    energy_j, duration_s = e.surfaces.runs.energy_and_duration(e.board, found)
    power_w = energy_j / duration_s
    limit_w = e.board.power_limit_w
    return _row(
        "joint: surfaces and throughput at once",
        [SURFACES, THROUGHPUT],
        False,
        [
            Figure("surfaces, mean", energy, at_most=2.5),
            Figure("throughput, mean", throughput, at_most=3.0),
            Figure("lowest mean power", float(power_w.min()), "W", limit_w, 150.0),
            Figure("highest mean power", float(power_w.max()), "W", limit_w, 150.0),
        ],
        e.joint,
    )


TESTS: tuple[Callable[[Evaluation], Row], ...] = (
    all_models_shared,
    leave_one_model_out,
    from_one_model,
    from_three_models,
    headline_figures,
    throughput_from_data_sheet,
    energy_from_data_sheet,
    throughput_from_half,
    joint_calibration,
    fp8_throughput,
    shared_throughput,
)


def evaluate() -> Iterator[Row]:
    """Yield every test's row, as soon as it is there."""
    evaluation = Evaluation()
    for test in TESTS:
        yield test(evaluation)


def _from(e: Evaluation, models: tuple[str, ...], at_most: float) -> Row:
    seen = e.of(models)
    fit = e.fit(seen)
    error = e.surfaces.only(~seen).mean_error_percent(e.board, fit.constants)
    return _row(
        f"calibrated on {', '.join(models)}, on the other {len(e.names) - len(models)}",
        [f"{SURFACES}: {', '.join(models)}", THROUGHPUT],
        True,
        [Figure("mean", error, at_most=at_most)],
        fit,
    )


def _mean_and_worst(errors: dict[str, float], mean: float, worst: float) -> list[Figure]:
    name = max(errors, key=errors.__getitem__)
    return [
        Figure("mean", float(np.mean(list(errors.values()))), at_most=mean),
        Figure(f"worst model ({name})", errors[name], at_most=worst),
    ]


def _row(
    test: str, seen: list[str], predicted: bool, figures: list[Figure], fit: Fit | None = None
) -> Row:
    found = None if fit is None else identifiability(fit)
    return Row(test, "published numbers", tuple(seen), predicted, tuple(figures), found)
