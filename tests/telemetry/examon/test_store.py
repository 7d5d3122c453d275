"""ExaMon's database: what is asked of it, and what its answers say."""

import json
import math
from contextlib import closing

import pytest
from influx_servers import answering, say

from sweetspot.config.telemetry import TelemetrySink
from sweetspot.errors import InputError, TelemetryError
from sweetspot.telemetry.connect import open_sink, open_store
from sweetspot.telemetry.examon.store import SPAN_MS
from sweetspot.telemetry.sample import COLUMNS, Source

BOARD = Source(gpu_uuid="gpu_0", gpu_name="", host="node 01")
FIRST = 1_790_000_000_000


def kairos(series):
    """Answer as KairosDB does from {(metric, node, id): [(ms, value), ...]}."""

    def answer(handler, body):
        asked = json.loads(body)
        assert handler.path == "/api/v1/datapoints/query"
        queries = []
        for metric in asked["metrics"]:
            results = []
            for (name, node, board), values in series.items():
                tags = {"node": [node], "id": [board], "plugin": ["nvml_pub"]}
                wanted = metric["tags"].items()
                if name == metric["name"] and all(tags[tag] == each for tag, each in wanted):
                    inside = [
                        pair
                        for pair in values
                        if asked["start_absolute"] <= pair[0] <= asked["end_absolute"]
                    ]
                    group = {"name": "tag", "tags": ["node", "id", "plugin"], "group": {}}
                    results.append(
                        {"name": name, "group_by": [group], "tags": tags, "values": inside}
                    )
            empty = {"name": metric["name"], "tags": {}, "values": []}
            queries.append({"sample_size": 0, "results": results or [empty]})
        say(handler, 200, json.dumps({"queries": queries}).encode())

    return answer


def opened(port):
    return closing(open_store(TelemetrySink(url=f"examon+http://127.0.0.1:{port}")))


def test_power_of_a_board_comes_back_over_several_answers():
    power = [(FIRST + 500 * i, 300 + i) for i in range(3 * SPAN_MS // 1000)]
    series = {
        ("power", "node_01", "gpu_0"): power,
        ("sm_clock", "node_01", "gpu_0"): power[:1],
        ("power", "node_02", "gpu_0"): power,
    }
    with answering(kairos(series)) as (port, asked), opened(port) as store:
        found = store.read(BOARD, FIRST + 500, power[-1][0])
    assert [(each.at, each.values[1]) for each in found] == power[1:]
    assert all(math.isnan(each.values[0]) for each in found)
    assert len(asked) == 2
    assert COLUMNS[1] == "power_w"


def test_boards_of_several_nodes_are_not_taken_for_one():
    series = {("power", node, "gpu_0"): [(FIRST, 1.0)] for node in ("a", "b")}
    board = Source(gpu_uuid="gpu_0", gpu_name="", host="")
    with (
        answering(kairos(series)) as (port, _),
        opened(port) as store,
        pytest.raises(InputError, match="has 2 series of id=gpu_0, such as id=gpu_0 node=a"),
    ):
        store.read(board, FIRST, FIRST + 1)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"queries": []}', b'{"queries": [{}]}'])
def test_an_answer_that_is_none_is_said(body):
    with (
        answering(lambda handler, _: say(handler, 200, body)) as (port, _),
        opened(port) as store,
        pytest.raises(TelemetryError, match="does not answer as KairosDB does"),
    ):
        store.read(BOARD, 0, 1)


def test_what_it_refuses_is_said_in_its_words():
    body = b'{"errors": ["metrics[0].name may not be empty."]}'
    with (
        answering(lambda handler, _: say(handler, 400, body)) as (port, _),
        opened(port) as store,
        pytest.raises(TelemetryError, match=r"answers 400 Bad Request: metrics\[0\].name may"),
    ):
        store.read(BOARD, 0, 1)


def test_nothing_is_sent_to_it():
    with pytest.raises(InputError, match="is read only; samples go to ExaMon's broker"):
        open_sink(TelemetrySink(url="examon+http://db.example.org"))
