"""The small folder: every record, traces on the windows' clock, and a manifest that checks them."""

import csv
import gzip
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.campaign.blocks import measure_blocks
from sweetspot.campaign.compact import (
    TRACE_HEADER,
    CellTrace,
    pack_traces,
    read_manifest,
    thinned,
    write_compact,
)
from sweetspot.campaign.logbook import Call
from sweetspot.campaign.slot import Progress
from sweetspot.errors import EngineError, InputError
from sweetspot.measure.record import read_block
from sweetspot.metering.trace import PowerTrace, window_energy_j

SMALL = {"grid": {"input_tokens": [64, 512], "output_tokens": [64, 512], "requests": [50, 100]}}
FAILED = (50, 512, 64)


@pytest.fixture
def case(set_up):
    found = set_up(sweeps=SMALL, faults={FAILED: EngineError("out of memory")})
    (found.campaign.folder / "sensor.json").write_text("{}")
    found.campaign.logbook.calls.append(Call(started_utc="2026-01-01T00:00:00+00:00", minutes=3))
    measure_blocks(found.campaign, found.box(1.9), Progress())
    found.campaign.logbook.requests["llama-3.2-1b/b1024"] = 50
    measure_blocks(found.campaign, found.box(30), Progress())
    return found


@pytest.fixture
def compact(case):
    return write_compact(case.campaign)


def test_records_are_all_there_whatever_their_status_with_their_provenance(case, compact):
    records = read_block(compact / "records.jsonl")
    ran = {
        (record.requests, record.input_tokens, record.output_tokens): record for record in records
    }
    assert set(ran) == set(case.engines[0].ran) | set(case.engines[-1].ran)
    assert ran[FAILED].status == "failed"
    assert ran[FAILED].reason == "out of memory"
    assert ran[50, 64, 64].provenance["gpu_name"] == "NVIDIA H200"


def test_traces_have_their_windows_from_0_s_on(compact):
    records = {r.cell: r for r in read_block(compact / "records.jsonl")}
    with gzip.open(compact / "traces.csv.gz", "rt") as file:
        rows = list(csv.DictReader(io.StringIO(file.read())))
    assert {row["cell"] for row in rows} == {
        name for name, record in records.items() if record.status == "ok"
    }
    for cell in {row["cell"] for row in rows}:
        times = [float(r[edge]) for r in rows if r["cell"] == cell for edge in ("start_s", "end_s")]
        # warm-up of 2 s before the window, half a second of idling after it
        assert min(times) == pytest.approx(-2.0, abs=1e-3)
        assert max(times) == pytest.approx(records[cell].window_s + 0.5, abs=1e-3)


def test_windows_of_an_earlier_version_begin_where_the_logbook_says(case, compact):
    content, begins = (compact / "traces.csv.gz").read_bytes(), case.campaign.logbook.window_start_s
    assert begins == {}
    for path in case.campaign.records.rglob("*.json"):
        record = json.loads(path.read_text()) | {"schema_version": 2}
        begin_s, _ = record.pop("window_start_s"), record.pop("window_end_s")
        if begin_s is not None:
            begins[record["cell"]] = begin_s
        path.write_text(json.dumps(record))
    assert (write_compact(case.campaign) / "traces.csv.gz").read_bytes() == content


def test_manifest_says_what_was_measured_on_what_by_which_code(case, compact):
    manifest = read_manifest(compact)
    assert not manifest.simulated
    assert manifest.requests == case.campaign.logbook.requests
    assert manifest.cells["failed"] == 1
    assert sum(manifest.cells.values()) == len(read_block(compact / "records.jsonl"))
    assert manifest.gpus == [{"gpu_name": "NVIDIA H200", "gpu_uuid": "GPU-0", "driver": "1.0"}]
    assert manifest.experiment["engine"] == "vllm"
    assert set(manifest.packages) >= {"numpy", "nvidia-ml-py"}
    assert len(manifest.provenance["git_commit"]) >= 40
    assert set(manifest.files) == {"records.jsonl", "traces.csv.gz", "sensor.json"}
    assert {path.name for path in compact.iterdir()} == {*manifest.files, "manifest.json"}


def test_trace_of_an_earlier_attempt_is_not_taken_for_that_of_a_failure(set_up, case):
    again = set_up(sweeps=SMALL, faults={(50, 64, 64): EngineError("lost")})
    measure_blocks(again.campaign, again.box(30), Progress(), "all")
    compact = write_compact(again.campaign)
    with gzip.open(compact / "traces.csv.gz", "rt") as file:
        assert "n50/i64_o64/" not in file.read()


@pytest.mark.parametrize("name", ["records.jsonl", "traces.csv.gz", "sensor.json"])
def test_changed_or_missing_file_is_found_out(compact, name):
    read_manifest(compact)
    path = compact / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(InputError, match=r"is not the file that .* lists") as caught:
        read_manifest(compact)
    assert str(path) in str(caught.value)
    path.unlink()
    with pytest.raises(InputError, match="No such file"):
        read_manifest(compact)


def test_file_elsewhere_is_none_of_the_folder(compact):
    path = compact / "manifest.json"
    (compact.parent / "other").write_bytes(b"")
    listed = {"bytes": 0, "sha256": "0"}
    manifest = json.loads(path.read_text()) | {"files": {"../other": listed}}
    path.write_text(json.dumps(manifest))
    with pytest.raises(InputError, match=r"file '\.\./other' is not in"):
        read_manifest(compact)


@pytest.mark.parametrize("content", ["", "{}", json.dumps({"schema_version": 9})])
def test_folder_that_is_not_a_campaigns_is_refused(tmp_path, content):
    with pytest.raises(InputError, match=r"is .* a campaign's data"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match=r"^manifest .* (is not|cannot be) .*campaign's data"):
        read_manifest(tmp_path)


STEPS = st.lists(
    st.tuples(st.floats(0, 2).map(lambda x: round(x, 3)), st.floats(0, 1000)),
    min_size=2,
    max_size=60,
)


def trace_of(steps):
    gaps_s, power_w = np.array(steps).T
    return PowerTrace(np.cumsum(gaps_s) - 5, power_w)


@given(STEPS.filter(lambda steps: sum(gap for gap, _ in steps[1:]) > 0.1), st.floats(0, 3))
def test_buckets_keep_the_energy_and_the_span(steps, bucket_s):
    trace = trace_of(steps)
    edges_s, power_w = thinned(trace, bucket_s)
    assert (edges_s[0], edges_s[-1]) == (trace.t_s[0], trace.t_s[-1])
    assert (np.diff(edges_s) > 0).all()
    energy_j = window_energy_j(trace, trace.t_s[0], trace.t_s[-1])
    assert power_w @ np.diff(edges_s) == pytest.approx(energy_j, rel=1e-9, abs=1e-9)
    assert (np.diff(edges_s)[:-1] >= bucket_s).all()


def rows_of(content):
    return list(csv.DictReader(io.StringIO(gzip.decompress(content).decode())))


def noisy(cell, seconds):
    t_s = np.arange(-3, seconds, 0.1)
    power_w = 400 + np.random.default_rng(len(cell)).normal(0, 30, t_s.size)
    return CellTrace(cell, PowerTrace(t_s, power_w))


def test_small_campaign_keeps_every_sample():
    traces = [noisy("a", 20), noisy("bb", 10)]
    content, bucket_s = pack_traces(traces)
    rows = rows_of(content)
    assert bucket_s == 0
    assert tuple(rows[0]) == TRACE_HEADER
    assert [r["cell"] for r in rows] == ["a"] * 229 + ["bb"] * 129
    assert (rows[0]["start_s"], rows[0]["end_s"]) == ("-3.0000", "-2.9000")


def test_large_campaign_is_thinned_until_it_fits_and_keeps_its_energy():
    traces = [noisy("a" * n, 300) for n in range(1, 9)]
    whole, _ = pack_traces(traces)
    content, bucket_s = pack_traces(traces, max_bytes=len(whole) // 10)
    assert len(content) <= len(whole) // 10
    assert bucket_s > 0.5
    for each in traces:
        rows = [row for row in rows_of(content) if row["cell"] == each.cell]
        energy_j = sum(
            (float(r["end_s"]) - float(r["start_s"])) * float(r["mean_power_w"]) for r in rows
        )
        trace = each.trace
        expected_j = window_energy_j(trace, trace.t_s[0], trace.t_s[-1])
        assert energy_j == pytest.approx(expected_j, rel=1e-4)


def test_files_that_a_kill_left_half_written_are_not_kept(case, compact):
    (compact / ".manifest.json.0123456789abcdef.tmp").write_text("{")
    assert not list(write_compact(case.campaign).glob(".*"))
    assert (compact / "manifest.json").is_file()


def test_equal_traces_give_equal_files():
    assert pack_traces([noisy("a", 5)]) == pack_traces([noisy("a", 5)])
