"""Answers of IoTDB: blocks of columns, as arrays.

Source: apache-iotdb 2.0.11, iotdb/tsfile/utils/tsblock_serde.py, which decodes them.
"""

import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

with warnings.catch_warnings():  # the client has all deprecations of anybody shown
    from iotdb.tsfile.utils.tsblock_serde import deserialize

from sweetspot.metering.samples import FloatArray

MOST = 1_000_000
"""Rows of a block; a server that says there are more is none."""

_TYPES = {"INT32": ">i4", "INT64": ">i8", "TIMESTAMP": ">i8", "FLOAT": ">f4", "DOUBLE": ">f8"}

Whole = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Some rows of an answer.

    Attributes:
        at: (n,) their times, in the server's unit.
        columns: (n,) each, by the last part of their names; NaN where there is nothing.
    """

    at: Whole
    columns: dict[str, FloatArray]


def rows_of(
    names: Sequence[str], types: Sequence[str], places: Sequence[int] | None, block: bytes
) -> Rows:
    """Return what a block holds.

    Args:
        names: of the columns: paths, or columns of a table, of which `time` holds the times.
        types: of each, as IoTDB calls them.
        places: where in the block each of them is; None where they are in order.
        block: as it came.

    Raises:
        ValueError: it is none. LookupError, TypeError, struct.error: the same.
    """
    (width,) = struct.unpack_from(">i", block)
    (count,) = struct.unpack_from(">i", block, 4 + width)
    if not 0 <= count <= MOST:
        raise ValueError(count)
    at, columns, nulls, _ = deserialize(memoryview(block))
    found: dict[str, FloatArray] = {}
    places = range(len(names)) if places is None else places
    for name, kind, place in zip(names, types, places, strict=True):
        values = columns[place]
        if isinstance(values, bytes):  # a value that all rows share comes as the client repeats it
            values = np.frombuffer(values, _TYPES[kind])
        if name == "time":
            at = values
            continue
        full = np.full(count, np.nan)
        full[slice(None) if nulls[place] is None else ~nulls[place]] = values
        found[name.rpartition(".")[2]] = full
    return Rows(np.asarray(at, dtype=np.int64), found)
