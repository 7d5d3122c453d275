"""Replays: complete, the same twice, and on from where one broke off."""

import os

import pytest

from sweetspot.errors import InputError, TelemetryError
from sweetspot.telemetry.contracts import RefusedError
from sweetspot.telemetry.kept import read_folder
from sweetspot.telemetry.replay import replay
from sweetspot.telemetry.sample import COLUMNS


def test_replay_twice_is_one(metered_run, memory):
    folder = metered_run(cells=4, samples=600)
    first = replay(read_folder(folder), memory)
    ((source, held),) = memory.held.items()
    powers_w = {at: each.values[:2] for at, each in held.items()}
    second = replay(read_folder(folder), memory)
    assert first == second
    assert first.samples == len(powers_w) == 2400
    assert memory.sent == 4800
    assert {at: each.values[:2] for at, each in memory.held[source].items()} == powers_w


def test_replayed_samples_are_those_of_the_trace_at_their_utc(metered_run, memory):
    folder = metered_run(cells=1)
    (kept,) = read_folder(folder).kept
    replay(read_folder(folder), memory)
    ((source, held),) = memory.held.items()
    assert (source.gpu_uuid, source.host, source.simulated) == ("GPU-1", "node-1.it", False)
    readings = kept.readings()
    assert [each.values[0] for each in held.values()] == readings.trace.t_s.tolist()
    clock = COLUMNS.index("sm_mhz")
    assert {each.values[clock] for each in held.values()} == {1980.0}
    assert min(held) == 1_790_000_000_250


def test_replay_that_breaks_off_goes_on_from_there(metered_run, memory):
    folder = metered_run(cells=3, samples=700)
    memory.breaks_after = 1000
    with pytest.raises(TelemetryError, match="1 of 3 cells are there: the same command goes on"):
        replay(read_folder(folder), memory)
    done = replay(read_folder(folder), memory)
    assert (done.cells, done.earlier_cells, done.samples) == (3, 1, 1400)
    assert sum(map(len, memory.held.values())) == 2100
    again = replay(read_folder(folder), memory)
    assert again.samples == 2100  # as a store that has lost its samples needs them


@pytest.mark.parametrize("told", [3, None])
def test_what_is_refused_holds_up_nothing_and_is_tried_again(metered_run, memory, told):
    folder = metered_run(cells=4, samples=600)
    second = read_folder(folder).kept[1]
    first_at = second.samples(second.readings(), memory.unit_ns)[0].at
    send = memory.send

    def choosy(source, samples):
        if samples[0].at == first_at:
            raise RefusedError("memory://here: Not authorized", told)
        send(source, samples)

    memory.send = choosy
    done = replay(read_folder(folder), memory)
    refused = told or 500
    assert (done.cells, done.refused, done.samples) == (3, refused, 2400 - refused)
    assert done.reason == "memory://here: Not authorized"
    assert sum(map(len, memory.held.values())) == 1900
    again = replay(read_folder(folder), memory)
    assert (again.earlier_cells, again.cells, again.refused) == (3, 3, refused)
    memory.send = send
    last = replay(read_folder(folder), memory)
    assert (last.earlier_cells, last.cells, last.samples, last.refused) == (3, 4, 600, 0)
    assert sum(map(len, memory.held.values())) == 2400
    assert replay(read_folder(folder), memory).earlier_cells == 0


def test_replay_that_breaks_off_is_none_to_another_layout(metered_run, memory):
    folder = metered_run(cells=2)
    memory.breaks_after = 300
    with pytest.raises(TelemetryError):
        replay(read_folder(folder), memory)
    memory.kept_at = "memory://here in another layout"
    assert replay(read_folder(folder), memory).earlier_cells == 0


def test_trace_that_changed_since_a_replay_broke_off_is_sent_again(metered_run, memory):
    folder = metered_run(cells=2)
    memory.breaks_after = 300
    with pytest.raises(TelemetryError):
        replay(read_folder(folder), memory)
    found = read_folder(folder)
    os.utime(found.kept[0].path, ns=(1, 1))
    assert replay(found, memory).earlier_cells == 0


def test_simulated_cells_are_devices_of_their_own(simulated_run, memory):
    found = read_folder(simulated_run)
    done = replay(found, memory)
    assert done.cells == len(memory.held) == len(found.kept) == 9
    assert {source.simulated for source in memory.held} == {True}
    keys = {f"SIM-{kept.record.key}" for kept in found.kept}
    assert {source.gpu_uuid for source in memory.held} == keys
    assert sum(map(len, memory.held.values())) == done.samples  # no step of a trace is lost


def test_measured_cell_of_unknown_time_is_counted_and_not_sent(metered_run):
    found = read_folder(metered_run(trace_utc_s=None))
    assert not found.kept
    (remark,) = found.remarks
    assert "2 cells, such as tiny/b8/n10/i16_o8/r0, have no place in time" in remark


def test_cell_without_its_trace_is_counted(metered_run):
    folder = metered_run()
    next(folder.rglob("*.trace.csv.gz")).unlink()
    found = read_folder(folder)
    assert (len(found.kept), len(found.without_trace)) == (1, 1)


def test_parts_of_a_campaign_are_sent_each(metered_run, memory, tmp_path):
    folder = tmp_path / "campaign"
    folder.mkdir()
    metered_run().rename(folder / "vllm")
    done = replay(read_folder(folder), memory)
    assert (done.cells, done.samples) == (2, 400)


def test_data_of_a_campaign_are_refused_as_they_hold_no_samples(tmp_path):
    (tmp_path / "records.jsonl").touch()
    with pytest.raises(InputError, match=r"means of power.* give the folder of the campaign"):
        read_folder(tmp_path)


def test_folder_without_records_is_refused(tmp_path):
    with pytest.raises(InputError, match="is no run or campaign"):
        read_folder(tmp_path)
