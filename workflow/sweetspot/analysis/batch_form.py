"""A form of e that knows the batch: one set of coefficients for all loads of a model.

N requests of I prompt and O output tokens are sent at once; at most `max_batch_size` are in flight,
fewer where the KV cache holds no more; an iteration takes at most T = `max_num_tokens` tokens. What
is counted once per iteration, request and run is then shared by known numbers of output tokens, so
that the form is linear in its coefficients. Two more terms are of what is not a sum: iterations
read and compute at once, and prompts and requests share a power limit. docs/batch-form.md derives
all of it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from sweetspot.energy_models import Array
from sweetspot.errors import InputError

MAX_NUM_TOKENS = 8192
"""T where cells do not say: the paper's (section 5.5), and the default of the configuration."""


def check_max_num_tokens(max_num_tokens: float) -> None:
    """Refuse a T that no iteration has.

    Raises:
        InputError: an iteration is to take less than one token, or any number of them.
    """
    if not 1 <= max_num_tokens < np.inf:
        raise InputError(f"max_num_tokens must be a number from 1 up, not {max_num_tokens:g}")


@dataclass(frozen=True, eq=False, slots=True)
class Loads:
    """What the form depends on, (n,) each.

    Attributes:
        requests: N.
        in_flight: k, how many of them run at once at most.
        input_tokens, output_tokens: I and O of each request.
        max_num_tokens: T, tokens of an iteration.
    """

    requests: Array
    in_flight: Array
    input_tokens: Array
    output_tokens: Array
    max_num_tokens: Array

    @property
    def waves(self) -> Array:
        """⌈N/k⌉: how often the batch is filled anew."""
        return np.asarray(np.ceil(self.requests / self.in_flight))

    @property
    def last_wave(self) -> Array:
        """N - (⌈N/k⌉ - 1)·k: how many requests the last wave has."""
        return np.asarray(self.requests - (self.waves - 1) * self.in_flight)

    @property
    def iterations(self) -> Array:
        """S = max(N·I/T + O, ⌈N/k⌉·O + l·I/T), forward passes of the run, l being `last_wave`.

        Prompts alone fill N·I/T iterations, and the request that is served last then needs O more.
        A batch of k takes ⌈N/k⌉ waves, and each of them O; the request that is served last waits
        for the prompts of its wave, too. The larger bound counts.
        """
        per_request = self.input_tokens / self.max_num_tokens
        prompts = self.requests * per_request + self.output_tokens
        return np.maximum(prompts, self.waves * self.output_tokens + self.last_wave * per_request)

    def hidden_iterations(self, ridge_tokens: float) -> Array:
        """H = O·Σ b²/(b² + R²) over the waves: iterations in which computing hides the reading.

        Of b requests in flight an iteration computes b tokens while it reads the weights. Half of
        an iteration is hidden at R tokens; b is k, and l in the last wave.
        """

        def share(in_flight: Array) -> Array:
            return np.asarray(in_flight**2 / (in_flight**2 + ridge_tokens**2))

        full = (self.waves - 1) * share(self.in_flight)
        return np.asarray(self.output_tokens * (full + share(self.last_wave)))


def loads(
    requests: ArrayLike,
    max_batch_size: ArrayLike,
    input_tokens: ArrayLike,
    output_tokens: ArrayLike,
    *,
    kv_cache_tokens: ArrayLike = np.inf,
    max_num_tokens: ArrayLike = MAX_NUM_TOKENS,
) -> Loads:
    """Return the loads of these numbers, which go together as numpy's arrays do.

    Then k = min(N, max_batch_size, ⌊K/(I + O)⌋), and at least 1; K = `kv_cache_tokens` is what the
    KV cache holds, infinite where it bounds nothing.
    """
    n, limit, inputs, outputs, cache, per_iteration = np.broadcast_arrays(
        *(
            np.atleast_1d(np.asarray(each, dtype=np.float64))
            for each in (
                *(requests, max_batch_size, input_tokens, output_tokens),
                *(kv_cache_tokens, max_num_tokens),
            )
        )
    )
    held = np.maximum(1, np.floor(cache / (inputs + outputs)))
    return Loads(n, np.minimum.reduce([n, limit, held]), inputs, outputs, per_iteration)


class BatchTerm(NamedTuple):
    """One summand: its coefficient's name, unit and meaning, and what it is multiplied with."""

    name: str
    unit: str
    meaning: str
    function: Callable[[Loads, float], Array]


@dataclass(frozen=True, slots=True)
class BatchForm:
    """The form, or what is left of it where cells do not tell all of its terms apart.

    Attributes:
        id: its name in files.
        terms: its summands.
        ridge_tokens: R, which is not known but looked for; NaN where no term has it.
    """

    id: str
    terms: tuple[BatchTerm, ...]
    ridge_tokens: float = float("nan")

    @property
    def has_ridge(self) -> bool:
        """Whether one of the terms has R."""
        return RIDGE_TERM in self.terms

    def at_ridge(self, ridge_tokens: float) -> Self:
        """Return the same form with R."""
        return replace(self, ridge_tokens=ridge_tokens)

    def without_ridge(self) -> Self:
        """Return the form without the term that has R."""
        return replace(self, terms=tuple(term for term in self.terms if term is not RIDGE_TERM))

    def design_matrix(self, at: Loads) -> Array:
        """Return (n, k): each term's value at each load."""
        return np.array([term.function(at, self.ridge_tokens) for term in self.terms]).T


RIDGE_TERM = BatchTerm(
    "h",
    "J",
    "what of w is saved where computing hides reading",
    lambda at, ridge: -at.hidden_iterations(ridge) / (at.requests * at.output_tokens),
)

_TERMS = {
    term.name: term
    for term in (
        BatchTerm(
            "a0",
            "J/token",
            "an output token: layers, head",
            lambda at, _: np.ones_like(at.requests),
        ),
        BatchTerm(
            "a1",
            "J/token²",
            "attention within a prompt",
            lambda at, _: at.input_tokens**2 / at.output_tokens,
        ),
        BatchTerm(
            "a2",
            "J/token²",
            "KV cache read per output token",
            lambda at, _: at.input_tokens + at.output_tokens / 2,
        ),
        BatchTerm(
            "a3",
            "J/token",
            "a prompt's token: layers",
            lambda at, _: at.input_tokens / at.output_tokens,
        ),
        BatchTerm("a5", "J", "a request, however long", lambda at, _: 1 / at.output_tokens),
        BatchTerm(
            "a6",
            "J·token",
            "a request among short prompts, beyond a3 and a5",
            lambda at, _: 1 / (at.input_tokens * at.output_tokens),
        ),
        BatchTerm(
            "w",
            "J",
            "an iteration: weights, launches",
            lambda at, _: at.iterations / (at.requests * at.output_tokens),
        ),
        RIDGE_TERM,
        BatchTerm(
            "r",
            "J",
            "a run, however large",
            lambda at, _: 1 / (at.requests * at.output_tokens),
        ),
    )
}


def _form(form_id: str, names: str) -> BatchForm:
    return BatchForm(form_id, tuple(_TERMS[name] for name in names.split()))


JOINT_FORMS = (
    _form("batch8", "a0 a1 a2 a3 a5 a6 w r"),
    _form("batch8h", "a0 a1 a2 a3 a5 w h r"),
    _form("batch", "a0 a1 a2 a3 a5 a6 w h r"),
)
"""With terms of what is not a sum, too: of requests among prompts, of hidden reading, for which
cells must differ in how many requests are in flight, and of both."""

COUNTED_FORMS = (
    _form("batch7", "a0 a1 a2 a3 a5 w r"),
    _form("batch5", "a0 a1 a2 a3 w"),
    _form("batch4", "a0 a2 a3 w"),
)
"""What is counted, and what few cells can carry of it: without what requests and runs cost however
long (which only loads tell apart whose N and O vary together), and without attention within
prompts."""

BATCH_FORMS = (*reversed(JOINT_FORMS), *COUNTED_FORMS)
"""From the whole form down."""
