"""All power traces of a campaign in one small file that keeps their energy."""

import csv
import gzip
import io
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from sweetspot.metering.samples import FloatArray
from sweetspot.metering.trace import PowerTrace

HEADER = ("cell", "start_s", "end_s", "mean_power_w")
MAX_BYTES = 5_000_000
BUCKETS_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, eq=False, slots=True)
class CellTrace:
    """A cell's power, on a clock that is 0 s where its measured window begins."""

    cell: str
    trace: PowerTrace


def thinned(trace: PowerTrace, bucket_s: float) -> tuple[FloatArray, FloatArray]:
    """Return the edges of buckets, in s, and the mean power in each, in W.

    A bucket reaches from one sample to the first that is `bucket_s` or more later: so its mean
    times its length is exactly the energy that the trace has there. With 0 s there is one for each
    two neighbours.
    """
    edges = [0]
    for place, at_s in enumerate(trace.t_s):
        if at_s > trace.t_s[edges[-1]] and at_s - trace.t_s[edges[-1]] >= bucket_s:
            edges.append(place)
    if edges[-1] != trace.t_s.size - 1 and trace.t_s[-1] > trace.t_s[edges[-1]]:
        edges.append(trace.t_s.size - 1)
    energy_j = np.concatenate(
        ([0.0], np.cumsum(np.diff(trace.t_s) * (trace.power_w[1:] + trace.power_w[:-1]) / 2))
    )
    edges_s = trace.t_s[edges]
    return edges_s, np.diff(energy_j[edges]) / np.diff(edges_s)


def pack_traces(traces: Iterable[CellTrace], *, max_bytes: int = MAX_BYTES) -> tuple[bytes, float]:
    """Return all traces as gzip CSV of HEADER, and the bucket's width in s that it took.

    The narrowest of BUCKETS_S is taken with which the file has at most `max_bytes`.
    """
    traces = list(traces)
    for bucket_s in BUCKETS_S:
        content = gzip.compress(_table(traces, bucket_s).encode(), mtime=0)
        if len(content) <= max_bytes:
            break
    return content, bucket_s


def _table(traces: list[CellTrace], bucket_s: float) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(HEADER)
    for each in traces:
        edges_s, power_w = thinned(each.trace, bucket_s)
        for start_s, end_s, watts in zip(edges_s, edges_s[1:], power_w, strict=False):
            table.writerow((each.cell, f"{start_s:.4f}", f"{end_s:.4f}", f"{watts:.2f}"))
    return text.getvalue()
