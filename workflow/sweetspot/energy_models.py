"""The six forms of e(I, O), energy per output token in J, and the sweet spot of Eq. 6.

I are the input tokens and O the output tokens of a request; e = E / (N·O). Every form is linear
in its coefficients and contains a constant.

Source: "SweetSpot: An Analytical Model for Predicting Energy Efficiency of LLM Inference"
(arXiv 2602.05695), Table 1 and Eqs. 4 to 6 of version 1. Baselines 1 and 2 are after Niu et al.
(2025), 3 after Wilhelm et al. (2025), 4 after Wilkins et al. (2024, arXiv 2407.04014), whose energy
of a request is b0·I + b1·O + b2·I·O.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sweetspot.errors import unknown_name

Array = NDArray[np.float64]


class Term(NamedTuple):
    """One summand of a form: its coefficient's name and unit, and what it is multiplied with."""

    name: str
    unit: str
    function: Callable[[Array, Array], Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One way to write e(I, O) as a weighted sum of terms.

    Attributes:
        input_lengths, output_lengths: a full grid over this many distinct lengths is enough to
            tell the terms apart.
    """

    id: str
    title: str
    formula: str
    source: str
    terms: tuple[Term, ...]
    input_lengths: int
    output_lengths: int

    @property
    def min_cells(self) -> int:
        """Distinct (I, O) that a fit needs: one more than there are coefficients."""
        return len(self.terms) + 1

    def design_matrix(self, input_tokens: ArrayLike, output_tokens: ArrayLike) -> Array:
        """Return (n, k): each term's value at each of the n cells."""
        inputs = np.asarray(input_tokens, dtype=np.float64)
        outputs = np.asarray(output_tokens, dtype=np.float64)
        return np.column_stack([term.function(inputs, outputs) for term in self.terms])

    def energy_per_token_j(
        self, coefficients: ArrayLike, input_tokens: ArrayLike, output_tokens: ArrayLike
    ) -> Array:
        """Return e at each of the n cells, in J per output token."""
        weights = np.asarray(coefficients, dtype=np.float64)
        return np.asarray(self.design_matrix(input_tokens, output_tokens) @ weights)


_Summand = tuple[str, Callable[[Array, Array], Array]]


def _terms(prefix: str, *summands: _Summand) -> tuple[Term, ...]:
    """Number the coefficients in the paper's order."""
    return tuple(Term(f"{prefix}{i}", *summand) for i, summand in enumerate(summands))


_CONSTANT: _Summand = ("J/token", lambda inputs, outputs: np.ones_like(inputs * outputs))
_PER_REQUEST: _Summand = ("J", lambda inputs, outputs: 1 / outputs + 0 * inputs)
_FLOPS: tuple[_Summand, ...] = (
    _CONSTANT,
    ("J/token²", lambda inputs, outputs: inputs**2 / outputs),
    ("J/token²", lambda inputs, outputs: inputs + 0 * outputs),
    ("J/token", lambda inputs, outputs: inputs / outputs),
    ("J/token²", lambda inputs, outputs: outputs + 0 * inputs),
)

FORMS: tuple[Form, ...] = (
    Form(
        id="baseline1",
        title="Baseline 1",
        formula="b0",
        source="Niu et al. 2025",
        terms=_terms("b", _CONSTANT),
        input_lengths=1,
        output_lengths=2,
    ),
    Form(
        id="baseline2",
        title="Baseline 2",
        formula="b0 + b1/O",
        source="Niu et al. 2025",
        terms=_terms("b", _CONSTANT, _PER_REQUEST),
        input_lengths=1,
        output_lengths=3,
    ),
    Form(
        id="baseline3",
        title="Baseline 3",
        formula="b0 + b1/(I + O)",
        source="Wilhelm et al. 2025",
        terms=_terms("b", _CONSTANT, ("J", lambda inputs, outputs: 1 / (inputs + outputs))),
        input_lengths=1,
        output_lengths=3,
    ),
    Form(
        id="baseline4",
        title="Baseline 4",
        formula="b0·I/O + b1 + b2·I",
        source="Wilkins et al. 2024",
        terms=_terms("b", _FLOPS[3], _CONSTANT, _FLOPS[2]),
        input_lengths=2,
        output_lengths=2,
    ),
    Form(
        id="flops",
        title="FLOPs",
        formula="alpha0 + alpha1·I²/O + alpha2·I + alpha3·I/O + alpha4·O",
        source="Eq. 4",
        terms=_terms("alpha", *_FLOPS),
        input_lengths=2,
        output_lengths=3,
    ),
    Form(
        id="memory_flops",
        title="Memory and FLOPs",
        formula="alpha0 + alpha1·I²/O + alpha2·I + alpha3·I/O + alpha4·O + alpha5/O",
        source="Eq. 5",
        terms=_terms("alpha", *_FLOPS, _PER_REQUEST),
        input_lengths=3,
        output_lengths=3,
    ),
)


def form(form_id: str) -> Form:
    """Return one form by its id.

    Raises:
        InputError: there is no such form.
    """
    for candidate in FORMS:
        if candidate.id == form_id:
            return candidate
    raise unknown_name("form", form_id, (candidate.id for candidate in FORMS))


def sweet_spot_output_tokens(coefficients: Sequence[float], input_tokens: float) -> float:
    """Return the output length where e is least at this input length, not rounded.

    Takes alpha0..alpha5 of Eq. 5. NaN where e has no minimum at a positive length: alpha4 is
    not positive (e falls for ever, or has a maximum instead), or nothing is amortised over the
    output (e rises from the first token on). The paper prints the nearest whole token.

    Source: Eq. 6, de/dO = 0.
    """
    _, alpha1, _, alpha3, alpha4, alpha5 = coefficients
    amortised_j = alpha1 * input_tokens**2 + alpha3 * input_tokens + alpha5
    if not (alpha4 > 0 and amortised_j > 0):
        return float("nan")
    return float(np.sqrt(amortised_j / alpha4))
