"""Calls of NVML, with what a board lacks as None or NaN and its errors translated."""

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pynvml

from sweetspot.errors import MeterError

# The board lacks the value, its driver is older than the question, it is not for everybody, or what
# stands between us and the driver (a sandbox) does not pass it on.
_ABSENT = (
    pynvml.NVML_ERROR_NOT_SUPPORTED,
    pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
    pynvml.NVML_ERROR_NO_PERMISSION,
    pynvml.NVML_ERROR_NO_DATA,
    pynvml.NVML_ERROR_UNKNOWN,
)
_ABSENT_FIELD = (*_ABSENT, pynvml.NVML_ERROR_INVALID_ARGUMENT)  # a field id the driver doesn't know

_MEMBERS = {
    pynvml.NVML_VALUE_TYPE_DOUBLE: "dVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_INT: "uiVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG: "ulVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_LONG_LONG: "ullVal",
    pynvml.NVML_VALUE_TYPE_SIGNED_LONG_LONG: "sllVal",
    pynvml.NVML_VALUE_TYPE_SIGNED_INT: "siVal",
    pynvml.NVML_VALUE_TYPE_UNSIGNED_SHORT: "usVal",
}


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn NVML's errors into ours."""
    try:
        yield
    except pynvml.NVMLError as error:
        raise MeterError(f"NVML cannot {what}: {error}") from error


def start() -> None:
    """Open NVML, which counts how often; raises MeterError without a library or a driver."""
    with translated("start"):
        pynvml.nvmlInit()


def shut_down() -> None:
    """Let go of NVML; a lost driver at this point costs nothing."""
    try:
        pynvml.nvmlShutdown()
    except pynvml.NVMLError:
        return


def read(what: str, call: Callable[..., Any], *arguments: Any) -> Any:
    """Return an answer, None where the board has none.

    Raises:
        MeterError: it failed in any other way.
    """
    with translated(f"read {what}"):
        try:
            return call(*arguments)
        except pynvml.NVMLError as error:
            if error.value in _ABSENT:
                return None
            raise


def optional(call: Callable[..., Any], *arguments: Any) -> Any:
    """Return an answer that no energy depends on, None where it fails in whatever way."""
    try:
        return call(*arguments)
    except pynvml.NVMLError:
        return None


def read_fields(handle: Any, ids: Sequence[int], needed: Collection[int]) -> list[float]:
    """Return several field values of a board by one call; NaN for those that it lacks.

    Raises:
        MeterError: one that is needed failed in any other way.
    """
    answers = read("field values", pynvml.nvmlDeviceGetFieldValues, handle, list(ids))
    if answers is None:
        return [math.nan] * len(ids)
    values = []
    for each, answer in zip(ids, answers, strict=True):
        if answer.nvmlReturn == pynvml.NVML_SUCCESS:
            values.append(float(getattr(answer.value, _MEMBERS[answer.valueType])))
        elif each in needed and answer.nvmlReturn not in _ABSENT_FIELD:
            reason = pynvml.NVMLError(answer.nvmlReturn)
            raise MeterError(f"NVML cannot read field {each}: {reason}")
        else:
            values.append(math.nan)
    return values
