"""The small folder: every record, traces on the windows' clock, and a manifest that checks them."""

import csv
import gzip
import io
import json

import pytest

from sweetspot.campaign.compact import read_manifest, write_compact
from sweetspot.campaign.logbook import Call
from sweetspot.campaign.run import measure_in
from sweetspot.campaign.turn import Progress
from sweetspot.errors import EngineError, InputError
from sweetspot.measure.record import read_block

SMALL = {"grid": {"input_tokens": [64, 512], "output_tokens": [64, 512], "requests": [50, 100]}}
FAILED = (50, 512, 64)


@pytest.fixture
def case(set_up):
    found = set_up(sweeps=SMALL, faults={FAILED: EngineError("out of memory")})
    (found.campaign.folder / "sensor.json").write_text("{}")
    found.campaign.logbook.calls.append(Call(started_utc="2026-01-01T00:00:00+00:00", minutes=3))
    measure_in(found.campaign, found.box(1.9), Progress())
    found.campaign.logbook.requests["llama-3.2-1b/b1024"] = 50
    measure_in(found.campaign, found.box(30), Progress())
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
    measure_in(again.campaign, again.box(30), Progress(), "all")
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


@pytest.mark.parametrize("content", ["", "{}", json.dumps({"schema_version": 9})])
def test_folder_that_is_no_campaigns_is_refused(tmp_path, content):
    with pytest.raises(InputError, match=r"is .* a campaign's data"):
        read_manifest(tmp_path)
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match="no manifest of a campaign"):
        read_manifest(tmp_path)
