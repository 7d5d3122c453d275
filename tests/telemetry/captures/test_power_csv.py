"""Exports of power, read by device and time."""

import gzip

import pytest

from sweetspot.errors import InputError
from sweetspot.telemetry.captures.power_csv import PowerCsv
from sweetspot.telemetry.sample import Source

START_NS = 1_790_000_000 * 10**9


def board(gpu, host=""):
    return Source(gpu_uuid=gpu, gpu_name="", host=host)


def powers(store, source):
    found = store.read(source, START_NS, START_NS + 10**9)
    return [(each.at - START_NS, each.values[1]) for each in found]


def test_samples_of_a_device_are_found_by_its_name_and_time(tmp_path):
    path = tmp_path / "power.csv"
    path.write_text(
        "Timestamp,node,id,value\n"
        "1790000000.5,n1,gpu_0,200\n1790000000.0,n1,gpu_0,100.5\n1790000000,n1,gpu_1,7\n"
        "1790000000,n2,gpu_0,8\n1790000003,n1,gpu_0,9\n"
    )
    store = PowerCsv(path)
    assert powers(store, board("gpu_0", "n1")) == [(0, 100.5), (500_000_000, 200.0)]
    assert powers(store, board("gpu_1")) == [(0, 7.0)]
    assert powers(store, board("gpu_7")) == []
    with pytest.raises(InputError, match=r"several devices .* gpu_0 of n1, gpu_0 of n2"):
        store.read(board("gpu_0"), 0, START_NS)


def test_file_without_devices_is_of_what_is_asked_for(tmp_path):
    path = tmp_path / "smi.csv"
    path.write_text("timestamp, power.draw [W]\n2026-09-21T14:13:20, 312.50 W\n")
    assert powers(PowerCsv(path), board("GPU-1", "n1")) == [(0, 312.5)]


def test_export_with_semicolons_is_read_packed_too(tmp_path):
    text = "time;id;power_w\n1790000000;gpu_0;312.5\n\n;;\n"
    (tmp_path / "power.csv").write_text(text)
    (tmp_path / "power.csv.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "power.jsonl").write_text('{"time": 1790000000, "id": "gpu_0", "power_w": 312.5}')
    for name in ("power.csv", "power.csv.gz", "power.jsonl"):
        assert powers(PowerCsv(tmp_path / name), board("gpu_0")) == [(0, 312.5)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,volts\n1,2\n", "lacks the column power_w"),
        ("time,power_w\nsoon,2\n", "line 2: 'soon' and '2' are no time and power"),
        ("time,power_w\n-5,2\n", "line 2"),
        ("time,power_w\n5,312,5\n", r"power\.csv, line 2: 3 columns.* decimals need a point"),
        ("time;power_w\n5;312,5\n", "line 2: .* decimals have a point"),
        ("", r"power data .*power\.csv is empty"),
    ],
)
def test_file_that_is_no_power_over_time_is_refused(tmp_path, text, message):
    path = tmp_path / "power.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        PowerCsv(path)
