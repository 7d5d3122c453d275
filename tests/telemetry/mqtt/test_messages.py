"""Samples as ExaMon and IoTDB read them."""

import json
import math

import pytest

from sweetspot.telemetry.mqtt.messages import AT_ONCE, METRICS, examon, iotdb_json
from sweetspot.telemetry.sample import COLUMNS, Sample, Source

SOURCE = Source(gpu_uuid="GPU-1f2e", gpu_name="NVIDIA H200", host="node-1.it")
TAGS = "org/sweetspot/node/node-1.it/plugin/sweetspot/chnl/data/id/GPU-1f2e"


def test_a_sample_is_a_message_for_each_reading_and_none_for_what_was_not_read(samples):
    sent = examon("", SOURCE, samples(1, temperature_c=41.0, counter_j=0.1 + 0.2))
    assert [each[:2] for each in sent] == [
        (f"{TAGS}/t_s", "5000.0;1790000000.123"),
        (f"{TAGS}/power", "300.125;1790000000.123"),
        (f"{TAGS}/counter_j", "0.30000000000000004;1790000000.123"),
        (f"{TAGS}/temp", "41.0;1790000000.123"),
    ]


def test_topics_are_pairs_of_key_and_value_before_a_metric():
    whole = Sample(1_790_000_000_123, (1.0,) * len(COLUMNS))
    topics = [topic.split("/") for topic, *_ in examon("", SOURCE, [whole])]
    assert [topic[-1] for topic in topics] == list(METRICS)
    assert len(set(METRICS)) == len(COLUMNS)
    for *tags, _ in topics:
        assert dict(zip(tags[::2], tags[1::2], strict=True)) == {
            "org": "sweetspot",
            "node": "node-1.it",
            "plugin": "sweetspot",
            "chnl": "data",
            "id": "GPU-1f2e",
        }


@pytest.mark.parametrize(
    ("host", "shown"),
    [("a/b", "a_b"), ("a b+c#d", "a_b_c_d"), ("Knoten-ü", "Knoten-ü"), ("", "_")],
)
def test_what_mqtt_keeps_for_itself_is_not_in_a_topic(host, shown, samples):
    source = Source(gpu_uuid="GPU-1 GPU-2", gpu_name="x", host=host)
    topic, *_ = next(examon("org/it/{host}/{gpu}", source, samples(1)))
    assert topic == f"org/it/{shown}/GPU-1_GPU-2/t_s"


def test_a_simulated_run_has_a_tree_of_its_own(samples):
    source = Source(gpu_uuid="SIM-12", gpu_name="h200-sxm", host="", simulated=True)
    topic, *_ = next(examon("", source, samples(1)))
    assert topic.startswith("simulated/true/org/")
    ((topic, payload, _),) = iotdb_json("", "", source, samples(1))
    assert topic == json.loads(payload)[0]["device"] == "root.sweetspot_simulated.SIM_12"


def test_json_is_what_iotdb_reads_and_holds_every_bit(samples):
    (topic, payload, _), (_, rest, _) = iotdb_json(
        "", "", SOURCE, samples(AT_ONCE + 1, counter_j=1 / 3)
    )
    rows = json.loads(payload)
    assert topic == "root.sweetspot.node_1_it.GPU_1f2e"
    assert (len(rows), len(json.loads(rest))) == (AT_ONCE, 1)
    assert rows[1] == {
        "device": topic,
        "timestamp": 1_790_000_000_223,
        "measurements": ["t_s", "power_w", "counter_j"],
        "values": [5000.1, 300.125, 1 / 3],
    }


def test_json_may_have_a_topic_and_a_path_of_its_own(samples):
    ((topic, payload, _),) = iotdb_json("in/{host}", "root.it", SOURCE, samples(1))
    assert topic == "in/node-1.it"
    assert json.loads(payload)[0]["device"] == "root.it.node_1_it.GPU_1f2e"


def test_a_sample_of_no_reading_at_all_is_no_message():
    empty = Sample(1_790_000_000_123, (math.nan,) * len(COLUMNS))
    assert list(examon("", SOURCE, [empty])) == []


def test_messages_say_which_samples_are_in_them(samples):
    assert [each.samples for each in examon("", SOURCE, samples(2))] == [
        *(range(place, place + 1) for place in (0, 0, 1, 1)),
    ]
    assert [each.samples for each in iotdb_json("", "", SOURCE, samples(AT_ONCE + 5))] == [
        range(AT_ONCE),
        range(AT_ONCE, AT_ONCE + 5),
    ]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_no_number_is_in_no_message(samples, value):
    assert [
        each.topic.rpartition("/")[2]
        for each in examon("", SOURCE, samples(power_w=value, count=1))
    ] == ["t_s"]
    ((_, payload, _),) = iotdb_json("", "", SOURCE, samples(1, power_w=value))
    assert json.loads(payload, parse_constant=pytest.fail)[0]["measurements"] == ["t_s"]
