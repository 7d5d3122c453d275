"""Samples as messages: a topic and a payload each."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sweetspot.telemetry.paths import device
from sweetspot.telemetry.sample import COLUMNS, Sample, Source

TOPIC = "org/sweetspot/node/{host}/plugin/sweetspot/chnl/data/id/{gpu}"
"""Tags and their values in turn, as ExaMon's; a metric comes behind."""

SIMULATED = "simulated/true/"
"""What precedes the topic of a simulated run, which `org/#` does not match."""

# As ExaMon's plugin for NVML calls what both of us read, in the same units.
_METRICS: Mapping[str, str] = {
    "power_w": "power",
    "graphics_mhz": "graphics_clock",
    "sm_mhz": "sm_clock",
    "memory_mhz": "memory_clock",
    "temperature_c": "temp",
}
METRICS = tuple(_METRICS.get(column, column) for column in COLUMNS)
"""What each column of a sample is called in ExaMon."""

_KEPT_FOR_BROKERS = str.maketrans(" +#", "___")
IN_A_VALUE = str.maketrans("/ +#", "____")
"""What a tag's value has in place of what topics keep for themselves."""


class Message(NamedTuple):
    """What is published at once.

    Attributes:
        samples: which ones have readings in it, by their places.
    """

    topic: str
    payload: str
    samples: range


def examon(topic: str, source: Source, samples: Sequence[Sample]) -> Iterator[Message]:
    """Yield a message for each reading: `value;time`, in s since 1970 with three decimals.

    Source: examon-common 0.2.6, examon/transport/mqtt.py; nvml_pub, nvml_pub.py.
    """
    prefix = tags(topic or TOPIC, source)
    topics = [f"{prefix}/{metric}" for metric in METRICS]
    for place, sample in enumerate(samples):
        time = f"{sample.at // 1000}.{sample.at % 1000:03d}"
        of = range(place, place + 1)
        for name, value in zip(topics, sample.values, strict=True):
            if math.isfinite(value):
                yield Message(name, f"{value!r};{time}", of)


def tags(topic: str, source: Source) -> str:
    """Return what a topic with places is for a board, without what MQTT keeps for itself."""
    named = topic.format(
        host=source.host.translate(IN_A_VALUE) or "_",
        gpu=source.gpu_uuid.translate(IN_A_VALUE),
    )
    clean = named.translate(_KEPT_FOR_BROKERS).strip("/")
    return SIMULATED + clean if source.simulated else clean


AT_ONCE = 100
"""Samples in a message of IoTDB's, which has a limit of 1 MiB."""


def iotdb_json(
    topic: str, path: str, source: Source, samples: Sequence[Sample]
) -> Iterator[Message]:
    """Yield messages as IoTDB's own broker takes them: a JSON array, an object for each sample.

    Args:
        topic: of the messages, "" for the path.
        path: above the device, "" for ours.
        source: whose samples.
        samples: in ms.

    Source: apache/iotdb-docs, Programming-MQTT; apache/iotdb, JSONPayloadFormatter and
    MPPPublishHandler, which stores rows unaligned and takes times in the server's unit.
    """
    where = device(path, source)
    name = tags(topic, source) if topic else where
    for first in range(0, len(samples), AT_ONCE):
        of = range(first, min(first + AT_ONCE, len(samples)))
        rows = [_row(where, samples[place]) for place in of]
        yield Message(name, json.dumps(rows), of)


def _row(where: str, sample: Sample) -> dict[str, object]:
    there = {c: v for c, v in zip(COLUMNS, sample.values, strict=True) if math.isfinite(v)}
    return {
        "device": where,
        "timestamp": sample.at,
        "measurements": list(there),
        "values": list(there.values()),
    }
