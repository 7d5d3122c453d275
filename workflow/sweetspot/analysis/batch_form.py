"""A form of e that knows the batch: one set of coefficients for all loads of a model.

N requests of I prompt and O output tokens are sent at once; at most `max_batch_size` are in flight,
fewer where the KV cache holds no more; an iteration takes at most T = `max_num_tokens` tokens. What
is counted once per iteration, request and run is then shared by known numbers of output tokens, so
that the form is linear in its coefficients. docs/batch-form.md derives it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from sweetspot.energy_models import Array

MAX_NUM_TOKENS = 8192
"""T where cells do not say: the paper's (section 5.5), and the default of the configuration."""


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
    def iterations(self) -> Array:
        """S = max(N·I/T + O, ⌈N/k⌉·O), forward passes of the run.

        Prompts alone fill N·I/T iterations, and the request that is served last then needs O more.
        A batch of k takes ⌈N/k⌉ waves, and each of them O. The larger bound counts.
        """
        prompts = self.requests * self.input_tokens / self.max_num_tokens
        return np.maximum(prompts + self.output_tokens, self.waves * self.output_tokens)


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
    function: Callable[[Loads], Array]


@dataclass(frozen=True, slots=True)
class BatchForm:
    """The form, or what is left of it where cells do not tell all of its terms apart."""

    id: str
    terms: tuple[BatchTerm, ...]

    @property
    def title(self) -> str:
        """How people name it."""
        return f"Batch, {len(self.terms)} terms"

    @property
    def formula(self) -> str:
        """How it is written."""
        return " + ".join(f"{term.name}{_WRITTEN[term.name]}" for term in self.terms)

    def design_matrix(self, at: Loads) -> Array:
        """Return (n, k): each term's value at each load."""
        return np.array([term.function(at) for term in self.terms]).T


_WRITTEN = {
    "a0": "",
    "a1": "·I²/O",
    "a2": "·(I + O/2)",
    "a3": "·I/O",
    "a5": "/O",
    "w": "·S/(N·O)",
    "r": "/(N·O)",
}

_TERMS = {
    term.name: term
    for term in (
        BatchTerm(
            "a0",
            "J/token",
            "an output token: layers, head",
            lambda at: np.ones_like(at.requests),
        ),
        BatchTerm(
            "a1",
            "J/token²",
            "attention within a prompt",
            lambda at: at.input_tokens**2 / at.output_tokens,
        ),
        BatchTerm(
            "a2",
            "J/token²",
            "KV cache read per output token",
            lambda at: at.input_tokens + at.output_tokens / 2,
        ),
        BatchTerm(
            "a3",
            "J/token",
            "a prompt's token: layers",
            lambda at: at.input_tokens / at.output_tokens,
        ),
        BatchTerm("a5", "J", "a request, however long", lambda at: 1 / at.output_tokens),
        BatchTerm(
            "w",
            "J",
            "an iteration: weights, launches",
            lambda at: at.iterations / (at.requests * at.output_tokens),
        ),
        BatchTerm(
            "r",
            "J",
            "a run, however large",
            lambda at: 1 / (at.requests * at.output_tokens),
        ),
    )
}

BATCH_FORMS: tuple[BatchForm, ...] = tuple(
    BatchForm(form_id, tuple(_TERMS[name] for name in names.split()))
    for form_id, names in (
        ("batch", "a0 a1 a2 a3 a5 w r"),
        ("batch5", "a0 a1 a2 a3 w"),
        ("batch4", "a0 a2 a3 w"),
    )
)
"""From the whole form to what few cells can carry: without what requests and runs cost however long
(which only loads tell apart whose N and O vary together), and without attention within prompts."""


def one_wave_alphas(
    values: dict[str, float], requests: float, max_num_tokens: float = MAX_NUM_TOKENS
) -> tuple[float, ...]:
    """Return alpha0 to alpha5 of Eq. 5 that the form is at one N whose requests all run at once.

    So Eq. 5 holds for each such load with alpha2 = 2·alpha4, and Eq. 6 is its sweet spot. Values go
    by name; those that are missing are 0.
    """
    a0, a1, a2, a3, a5, w, r = (values.get(name, 0.0) for name in _TERMS)
    return (
        *(a0 + w / requests, a1, a2, a3 + w / max_num_tokens, a2 / 2),
        a5 + r / requests,
    )
