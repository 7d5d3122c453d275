"""Numbers that carry their derivatives: a formula gives its gradient as it is written.

What computes with numbers or arrays takes a `Dual` in their place, and its result is one, too: so
the laws of cost are written once, for values and for derivatives. Formulae are typed for numbers
all the same, as they do not know of it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from sweetspot.simulator.cost.work import FloatArray

_TINY = np.finfo(np.float64).tiny


def _times(partial: Any) -> Callable[[Any], Any]:
    return lambda derivative: derivative * partial


def _same(derivative: Any) -> Any:
    return derivative


# By ufunc and argument: what turns a derivative of the argument into one of the result, v.
_RULES: dict[np.ufunc, tuple[Callable[..., Callable[[Any], Any]], ...]] = {
    np.add: (lambda v, a, b: _same, lambda v, a, b: _same),
    np.subtract: (lambda v, a, b: _same, lambda v, a, b: np.negative),
    np.multiply: (lambda v, a, b: _times(b), lambda v, a, b: _times(a)),
    np.divide: (lambda v, a, b: lambda d: d / b, lambda v, a, b: lambda d: -d / b * v),
    np.power: (
        lambda v, a, b: _times(b * v / np.maximum(a, _TINY)),
        lambda v, a, b: _times(v * np.log(a)),
    ),
    np.maximum: (
        lambda v, a, b: _times(a > b),
        lambda v, a, b: _times(a <= b),
    ),
    np.negative: (lambda v, a: np.negative,),
    np.log: (lambda v, a: lambda d: d / a,),
}


class Dual(NDArrayOperatorsMixin):
    """A number, or an array, and its derivatives.

    Attributes:
        value: what it is.
        slopes: its derivative by each variable that it depends on; each as the value, or a number
            that stands for all of it.
    """

    def __init__(self, value: Any, slopes: Mapping[str, Any]) -> None:
        """Take both as they are."""
        self.value = value
        self.slopes = slopes

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """Apply an operation to the values, and the chain rule to the derivatives."""
        if method != "__call__" or options or ufunc not in _RULES:
            return NotImplemented
        values = [value_of(each) for each in inputs]
        found = ufunc(*values)
        slopes: dict[str, Any] = {}
        for of_input, rule in zip(_slopes_of(ufunc, inputs), _RULES[ufunc], strict=True):
            if of_input:
                of_result = rule(found, *values)
                _add(slopes, {name: of_result(d) for name, d in of_input.items()})
        return Dual(found, slopes)

    def jacobian(self, names: Sequence[str]) -> FloatArray:
        """Return the derivatives of an array of shape (n,) by these variables, (n, variables)."""
        columns = [np.broadcast_to(self.slopes.get(name, 0.0), self.value.shape) for name in names]
        return np.stack(columns, axis=1)


def _slopes_of(ufunc: np.ufunc, inputs: Sequence[Any]) -> list[Mapping[str, Any]]:
    """Return each input's derivatives, without those that a difference is known to be free of."""
    found: list[Mapping[str, Any]] = [n.slopes if isinstance(n, Dual) else {} for n in inputs]
    if ufunc is np.subtract and found[0] and found[1]:
        one, other = found
        same = {name for name, slope in one.items() if slope is other.get(name)}
        found = [{n: s for n, s in each.items() if n not in same} for each in found]
    return found


def variable(name: str, value: float) -> Any:
    """Return a number that derivatives are taken by."""
    return Dual(value, {name: 1.0})


def value_of(number: Any) -> Any:
    """Return a number without its derivatives."""
    return number.value if isinstance(number, Dual) else number


def mapped(linear: Callable[[Any], Any], number: Any) -> Any:
    """Return a linear function of a number, and of its derivatives where it has some."""
    if not isinstance(number, Dual):
        return linear(number)
    return Dual(linear(number.value), {n: linear(slope) for n, slope in number.slopes.items()})


def some(number: Any, places: Any) -> Any:
    """Return some of an array with their derivatives; what is one number is that everywhere."""
    return mapped(lambda values: values[places] if np.ndim(values) else values, number)


def concatenated(parts: Sequence[Any]) -> Any:
    """Return arrays one behind the other, with their derivatives where they have some."""
    if len(parts) == 1:
        return parts[0]
    if not any(isinstance(part, Dual) for part in parts):
        return np.concatenate(parts)
    names = dict.fromkeys(n for part in parts if isinstance(part, Dual) for n in part.slopes)
    duals = [part if isinstance(part, Dual) else Dual(part, {}) for part in parts]
    slopes = {
        name: np.concatenate(
            [np.broadcast_to(each.slopes.get(name, 0.0), each.value.shape) for each in duals]
        )
        for name in names
    }
    return Dual(np.concatenate([each.value for each in duals]), slopes)


def either(first: Any, values: Any, others: Any) -> Any:
    """Return values where a mask is true, others elsewhere; derivatives go with them."""
    return _paired(lambda new, old: np.where(first, new, old), values, others)


def _paired(put: Callable[[Any, Any], Any], values: Any, others: Any) -> Any:
    """Return what is put together of two numbers' values, and so of their derivatives."""
    if not isinstance(values, Dual) and not isinstance(others, Dual):
        return put(values, others)
    new, old = (n.slopes if isinstance(n, Dual) else {} for n in (values, others))
    slopes = {name: put(new.get(name, 0.0), old.get(name, 0.0)) for name in new.keys() | old.keys()}
    return Dual(put(value_of(values), value_of(others)), slopes)


def with_slopes(value: Any, *depends: tuple[Any, Any]) -> Any:
    """Return what was computed of plain values, with the derivatives that come of its arguments.

    Args:
        value: the result.
        depends: each argument, with the result's partial derivative by it.
    """
    slopes: dict[str, Any] = {}
    for argument, partial in depends:
        if isinstance(argument, Dual):
            _add(slopes, {name: slope * partial for name, slope in argument.slopes.items()})
    return Dual(value, slopes) if slopes else value


def _add(slopes: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, slope in more.items():
        slopes[name] = slopes[name] + slope if name in slopes else slope
