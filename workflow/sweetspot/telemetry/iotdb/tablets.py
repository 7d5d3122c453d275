"""Samples as tablets: columns of numbers and texts, as IoTDB takes them.

Source: apache-iotdb 2.0.11, iotdb/utils/NumpyTablet.py and IoTDBConstants.py.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sweetspot.telemetry.sample import Sample

DOUBLE, TEXT, STRING = 4, 5, 11
TAG, FIELD, ATTRIBUTE = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Tablet:
    """Rows of one device, or of a table.

    Attributes:
        names: of the columns.
        types: of each.
        categories: of each column of a table, whether it tells devices apart, is sampled, or known
            of a device.
        values: all columns, then which of their values are missing.
        timestamps: of the rows.
    """

    names: tuple[str, ...]
    types: tuple[int, ...]
    categories: tuple[int, ...]
    values: bytes
    timestamps: bytes
    rows: int


def tablet_of(
    samples: Sequence[Sample],
    names: Sequence[str],
    texts: Mapping[str, tuple[str, int, int]],
    factor: int,
) -> Tablet:
    """Return samples as a tablet; what is no number is missing there.

    Args:
        samples: by time.
        names: of their values.
        texts: of columns that are the same in each row: what stands there, type and category.
        factor: how many units of the server make one of the samples'.
    """
    rows = len(samples)
    at = np.array([each.at for each in samples], dtype=np.int64) * factor
    numbers = np.array([each.values for each in samples]).T
    missing = ~np.isfinite(numbers)
    columns = [_text(text, rows) for text, _, _ in texts.values()]
    columns += [column.astype(">f8").tobytes() for column in np.where(missing, 0.0, numbers)]
    flags = [b"\0"] * len(texts) + [_flags(column) for column in missing]
    return Tablet(
        names=(*texts, *names),
        types=(*(kind for _, kind, _ in texts.values()), *[DOUBLE] * len(names)),
        categories=(*(what for _, _, what in texts.values()), *[FIELD] * len(names)),
        values=b"".join(columns + flags),
        timestamps=at.astype(">i8").tobytes(),
        rows=rows,
    )


def _text(text: str, rows: int) -> bytes:
    encoded = text.encode()
    return (struct.pack(">i", len(encoded)) + encoded) * rows


def _flags(missing: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> bytes:
    """Return whether any value of a column is missing and, if so, a bit for each."""
    if not missing.any():
        return b"\0"
    bits = np.packbits(missing, bitorder="little").tobytes()
    return b"\1" + bits.ljust(missing.size // 8 + 1, b"\0")
