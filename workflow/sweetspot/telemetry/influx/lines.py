"""Samples as lines of InfluxDB's line protocol.

Source: InfluxDB 1.8, "Line protocol reference"; VictoriaMetrics, QuestDB and Telegraf take it, too.
"""

import math
import re
from collections.abc import Iterable, Iterator

from sweetspot.telemetry.sample import COLUMNS, Sample, Source

MEASUREMENT = "sweetspot_gpu"
"""What InfluxDB calls all of it together; a table in others."""

_SPECIAL = re.compile(r"([,= ])")
_NEVER = re.compile(r"[\\\x00-\x1f\x7f\x85\u2028\u2029]")


def lines(source: Source, samples: Iterable[Sample]) -> Iterator[str]:
    """Yield a line for each sample that has readings, without its end.

    Numbers are written to the last bit, times in ns.
    """
    tags = "".join(
        f",{name}={escaped(value)}"
        for name, value in sorted(tags_of(source).items())
        if value  # an empty tag is refused
    )
    for sample in samples:
        fields = ",".join(
            f"{name}={value!r}"
            for name, value in zip(COLUMNS, sample.values, strict=True)
            if math.isfinite(value)
        )
        if fields:
            yield f"{MEASUREMENT}{tags} {fields} {sample.at}"


def tags_of(source: Source) -> dict[str, str]:
    """Return what tells a board's samples apart from others, as text that a line can hold."""
    known = {"gpu_uuid": source.gpu_uuid, "gpu_name": source.gpu_name, "host": source.host}
    return {name: plain(value) for name, value in known.items()}


def plain(text: str) -> str:
    """Return a text without what a line cannot hold, even escaped: backslashes and line breaks."""
    return _NEVER.sub("_", text)


def escaped(text: str) -> str:
    """Return the value of a tag as a line has it."""
    return _SPECIAL.sub(r"\\\1", text)
