"""How accurate the simulator is: one function per test, each with its figures and their targets.

What the constants were fitted to, or chosen in view of, stands beside every figure: a figure on
these numbers is the error of a fit, all others are predictions.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations

import numpy as np

from sweetspot.errors import unknown_name
from sweetspot.simulator.accuracy.evaluation import Evaluation, Figure, Row
from sweetspot.simulator.accuracy.headline import headline_ratios
from sweetspot.simulator.accuracy.latency import served_latency
from sweetspot.simulator.accuracy.measured import Measured, measured_tests
from sweetspot.simulator.accuracy.throughput import (
    STATED_AFTER,
    fp8_throughput,
    shared_throughput,
)
from sweetspot.simulator.calibration.fit import Fit, fit_constants, fit_from_several, misfit
from sweetspot.simulator.calibration.to_published import SURFACES, THROUGHPUT, THROUGHPUT_MODEL
from sweetspot.simulator.constants.calibration_file import load_calibration
from sweetspot.simulator.constants.constants import stated_on

# One of each kind of attention: heads of 80 that pad, none of them shared; shared heads of 128, and
# the model whose throughput is known; shared heads of 256.
THREE_MODELS = ("opt-2.7b", THROUGHPUT_MODEL, "gemma-2-2b")


def all_models_shared(e: Evaluation) -> Row:
    """Errors of the joint fit on the surfaces, which it was fitted to."""
    errors = e.by_model(e.joint.constants)
    return _row(
        "one set of constants for all 13 models, on the surfaces",
        [SURFACES, THROUGHPUT],
        False,
        _mean_and_worst(errors, 2.2, 4.5),
        [e.joint],
        errors,
    )


def leave_one_model_out(e: Evaluation) -> Row:
    """Each model predicted by a fit to the other twelve and the throughput."""
    errors = {
        model: e.error_beyond([name for name in e.names if name != model], fit)
        for model, fit in e.left_out.items()
    }
    return _row(
        "leave one model out, 13 times",
        [f"{SURFACES}: the other twelve", THROUGHPUT],
        True,
        _mean_and_worst(errors, 2.6, 5.5),
        list(e.left_out.values()),
        errors,
    )


def from_one_model(e: Evaluation) -> Row:
    """The other twelve, predicted by a fit to Llama 3.1 8B's surface and throughput."""
    return _from(e, (THROUGHPUT_MODEL,), 5.0)


def from_three_models(e: Evaluation) -> Row:
    """The other ten, predicted by a fit to three models' surfaces and one's throughput."""
    return _from(e, THREE_MODELS, 4.0)


def from_each_model(e: Evaluation) -> Row:
    """As `from_one_model`, with each of the 13 in its place; no target: was one choice lucky?"""
    fits = {model: fit_constants(e.board, e.targets([model])) for model in e.names}
    errors = {model: e.error_beyond([model], fit) for model, fit in fits.items()}
    return _row(
        "calibrated on one model, on the other twelve, 13 times",
        [f"{SURFACES}: one model", THROUGHPUT],
        True,
        _mean_and_worst(errors, None, None),
        list(fits.values()),
        errors,
    )


def from_every_three(e: Evaluation) -> Row:
    """As `from_three_models`, with every pair beside Llama 3.1 8B; no target."""
    pairs = combinations([name for name in e.names if name != THROUGHPUT_MODEL], 2)
    errors, fits = {}, []
    for pair in pairs:
        models = [THROUGHPUT_MODEL, *pair]
        fits.append(fit_constants(e.board, e.targets(models)))
        errors[pair] = e.error_beyond(models, fits[-1])
    worst = max(errors, key=errors.__getitem__)
    within = sum(error <= 4 for error in errors.values())
    return _row(
        f"calibrated on {THROUGHPUT_MODEL} and two others, on the other ten, {len(errors)} times",
        [f"{SURFACES}: three models", THROUGHPUT],
        True,
        [
            Figure("mean", float(np.mean(list(errors.values())))),
            Figure(f"worst ({' and '.join(worst)})", errors[worst]),
            Figure("sets within 4 %", within, f"of {len(errors)}"),
        ],
        fits,
    )


def headline_figures(e: Evaluation) -> Row:
    """Numbers of the paper's text that neither Table 5 nor the throughput hold."""
    ships = load_calibration(e.board)
    ratios = headline_ratios(e.board, ships.constants)
    return Row(
        "headline figures that Table 5 does not hold, by the calibration that ships",
        ships.level,
        ships.seen,
        True,
        tuple(
            Figure(str(name), 100 * abs(ratio - 1), at_most=limit)
            for name, (ratio, limit) in ratios.items()
        ),
    )


def throughput_from_data_sheet(e: Evaluation) -> Row:
    """Throughput with the constants that kernel tables and data sheets state."""
    error = e.throughput.mean_error_percent(e.board, stated_on(e.board))
    return Row(
        "throughput of Llama 3.1 8B, by what is stated",
        "data sheet",
        (STATED_AFTER,),
        True,
        (Figure("mean", error, at_most=3.0),),
    )


def energy_from_data_sheet(e: Evaluation) -> Row:
    """Energy with the constants that kernel tables and data sheets state; no target."""
    error = e.surfaces.mean_error_percent(e.board, stated_on(e.board))
    return Row(
        "energy on the surfaces, nothing fitted", "data sheet", (), True, (Figure("mean", error),)
    )


def throughput_from_half(e: Evaluation) -> Row:
    """Each half of the throughput cells, predicted by a fit to the other half alone."""
    first = np.arange(e.throughput.values.size) % 2 == 0
    errors, fits = [], []
    for half in (first, ~first):
        fits.append(fit_constants(e.board, [e.throughput.only(half, weight=1.0)]))
        errors.append(e.throughput.only(~half).errors_percent(e.board, fits[-1].constants))
    return _row(
        "throughput of Llama 3.1 8B, fitted to every other cell, on the rest; both ways",
        [f"{THROUGHPUT}: half"],
        True,
        [Figure("mean", float(np.concatenate(errors).mean()), at_most=3.0)],
        fits,
    )


def joint_calibration(e: Evaluation) -> Row:
    """The joint fit on all that it was fitted to, and the power of its cells."""
    found = e.joint.constants
    energy, throughput = (
        target.mean_error_percent(e.board, found) for target in (e.surfaces, e.throughput)
    )
    taken = e.surfaces.runs.taken(e.board, found)
    power_w = taken.energy_j / taken.duration_s
    limit_w = e.board.power_limit_w
    ships, targets = load_calibration(e.board).constants, e.targets(e.names)
    cost_percent = 100 * (misfit(e.board, targets, e.joint, ships) / e.joint.objective - 1)
    apart = [t.ratios(e.board, ships) / t.ratios(e.board, found) - 1 for t in targets]
    return _row(
        "joint: surfaces and throughput at once",
        [SURFACES, THROUGHPUT],
        False,
        [
            Figure("surfaces, mean", energy, at_most=2.5),
            Figure("throughput, mean", throughput, at_most=3.0),
            Figure("lowest mean power", float(power_w.min()), "W", limit_w, 150.0),
            Figure("highest mean power", float(power_w.max()), "W", limit_w, 150.0),
            Figure("what ships, its misfit above this one's", cost_percent, at_most=1.0),
            Figure(
                "what ships, its simulated numbers beside these, mean difference",
                100 * float(np.abs(np.concatenate(apart)).mean()),
                at_most=0.5,
            ),
        ],
        [e.joint],
    )


TESTS: tuple[Callable[[Evaluation], Row], ...] = (
    all_models_shared,
    leave_one_model_out,
    from_one_model,
    from_three_models,
    from_each_model,
    from_every_three,
    headline_figures,
    throughput_from_data_sheet,
    energy_from_data_sheet,
    throughput_from_half,
    joint_calibration,
    fp8_throughput,
    shared_throughput,
    served_latency,
)


def name_of(test: Callable[[Evaluation], Row]) -> str:
    """Return a test's name, as commands and pages give it."""
    return test.__name__.replace("_", "-")


def evaluate(
    only: Collection[str] = (),
    progress: Callable[[str], None] = lambda name: None,
    measured: Sequence[Measured] = (),
    evaluation: Evaluation | None = None,
) -> Iterator[tuple[str, Row]]:
    """Yield every test's name and row, as soon as it is there.

    Args:
        only: names of tests; none for all.
        progress: gets the name of a test before it runs.
        measured: cells of campaigns, which are tests as well.
        evaluation: what the tests share, where somebody else looks at it, too.

    Raises:
        InputError: there is no such test.
    """
    evaluation = evaluation or Evaluation()
    tests: dict[str, Callable[[], Row]] = {
        name_of(test): partial(test, evaluation) for test in TESTS
    }
    for campaign in measured:
        tests |= dict(measured_tests(campaign))
    for name in only:
        if name not in tests:
            raise unknown_name("test", name, tests)
    for name, test in tests.items():
        if not only or name in only:
            progress(name)
            yield name, test()


def _from(e: Evaluation, models: tuple[str, ...], at_most: float) -> Row:
    fit = fit_from_several(e.board, e.targets(models))
    error = e.error_beyond(models, fit)
    return _row(
        f"calibrated on {', '.join(models)}, on the other {len(e.names) - len(models)}",
        [f"{SURFACES}: {', '.join(models)}", THROUGHPUT],
        True,
        [Figure("mean", error, at_most=at_most)],
        [fit],
    )


def _mean_and_worst(
    errors: Mapping[str, float], mean: float | None, worst: float | None
) -> list[Figure]:
    name = max(errors, key=errors.__getitem__)
    return [
        Figure("mean", float(np.mean(list(errors.values()))), at_most=mean),
        Figure(f"worst model ({name})", errors[name], at_most=worst),
    ]


def _row(
    test: str,
    seen: list[str],
    predicted: bool,
    figures: list[Figure],
    fits: Sequence[Fit],
    by_model: Mapping[str, float] | None = None,
) -> Row:
    only = fits[0] if len(fits) == 1 else None
    return Row(
        test,
        "published numbers",
        tuple(seen),
        predicted,
        tuple(figures),
        by_model or {},
        None if only is None else only.identifiability(),
        tuple(fit.search for fit in fits),
        None if only is None else only.starts,
    )
