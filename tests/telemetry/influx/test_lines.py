"""Line protocol, read back by its rules."""

import math
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from sweetspot.telemetry.influx.lines import MEASUREMENT, lines, plain
from sweetspot.telemetry.sample import COLUMNS, Sample, Source

NUMBERS = st.one_of(st.floats(allow_infinity=False), st.just(math.nan))


def read(line):
    """Return tags, fields and time of a line: parts are separated by what no backslash precedes."""
    series, fields, at = re.split(r"(?<!\\) ", line)
    name, *tags = re.split(r"(?<!\\),", series)
    assert name == MEASUREMENT
    pairs = (re.split(r"(?<!\\)=", tag) for tag in tags)
    found = {key: re.sub(r"\\([,= ])", r"\1", value) for key, value in pairs}
    values = {key: float(value) for key, value in (f.split("=") for f in fields.split(","))}
    return found, values, int(at)


@settings(max_examples=60)
@given(
    st.tuples(st.text(min_size=1), st.text(min_size=1), st.text()),
    st.lists(NUMBERS, min_size=len(COLUMNS), max_size=len(COLUMNS)),
    st.integers(0, 2**62),
)
def test_a_line_gives_back_what_was_written(names, values, at):
    uuid, gpu, host = names
    source = Source(gpu_uuid=uuid, gpu_name=gpu, host=host)
    there = {
        name: value for name, value in zip(COLUMNS, values, strict=True) if not math.isnan(value)
    }
    written = list(lines(source, [Sample(at, tuple(values))]))
    if not there:
        assert written == []
        return
    (line,) = written
    assert "\n" not in line
    tags = {"gpu_uuid": plain(uuid), "gpu_name": plain(gpu), "host": plain(host)}
    assert read(line) == ({key: value for key, value in tags.items() if value}, there, at)
