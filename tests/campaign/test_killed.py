"""A campaign that is killed at any moment: at most a cell is lost, and the next call goes on.

Real waits, records and power of a fake board; only the engine sleeps instead of computing.
"""

import random
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from sweetspot.campaign.compact import read_manifest
from sweetspot.campaign.design import design
from sweetspot.campaign.logbook import Logbook
from sweetspot.config import parse_experiment
from sweetspot.measure.record import read_block
from sweetspot.reading import read_as

PROGRAM = Path(__file__).parents[1] / "support" / "sleeping_campaign.py"
KILLS = 4


@pytest.mark.slow(reason="a campaign in processes of its own, killed several times")
def test_campaign_survives_kills_with_at_most_a_cell_lost_each(tmp_path, fake_nvml, wait_until):
    fake_nvml({})
    folder, began = tmp_path / "out", tmp_path / "out" / "began"
    # 9 s a call, long enough to be killed well before its end on a busy machine, too
    command = [sys.executable, str(PROGRAM), str(folder), "30", "200", "llama-3.2-1b"]
    chance = random.Random(14)

    def cells_begun():
        return began.read_text().count("\n") if began.exists() else 0

    def has_gone_on(before, process):
        return cells_begun() > before or process.poll() is not None

    for _ in range(KILLS):
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            wait_until(partial(has_gone_on, cells_begun(), process))
            time.sleep(chance.uniform(0, 0.4))  # in a load, a window, a record or the small folder
            process.send_signal(signal.SIGKILL)
            _, errors = process.communicate()
            assert process.returncode == -signal.SIGKILL, errors
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    calls = read_as(Logbook, folder / "campaign.json", "campaign").calls
    assert [call.ended for call in calls[:-1]] == ["broke off"] * KILLS
    records = read_block(folder / "compact" / "records.jsonl")
    ran = began.read_text().split()
    assert {record.cell for record in records} <= set(ran)
    assert len(ran) - len(records) <= KILLS  # no cell that was done was measured again
    assert sum(read_manifest(folder / "compact").cells.values()) == len(records)
    # a killed call's time is known up to its last cell, and none is counted twice
    times = [call.time_s for call in calls if call.time_s]
    windows_s = sum(time_s.get("windows", 0.0) for time_s in times)
    assert windows_s <= sum(record.window_s for record in records) + 1e-6
    assert all(sum(each.values()) <= 2 * each["elapsed"] + 1e-6 for each in times)


@pytest.mark.slow(reason="a campaign in a process of its own, which sleeps for its windows")
def test_adaptive_campaign_decides_by_what_it_measured_before_it_was_killed(
    tmp_path, fake_nvml, wait_until
):
    fake_nvml({})
    folder, began = tmp_path / "out", tmp_path / "out" / "began"
    options = ["--design", "adaptive", "--lengths", "5"]
    command = [sys.executable, str(PROGRAM), *options, str(folder), "4", "20", "llama-3.2-1b"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        wait_until(lambda: began.exists() and began.read_text().count("\n") >= 6)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    half = read_as(Logbook, folder / "campaign.json", "campaign")
    assert all(" more expected: " in said for said in half.adaptive.values())
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(folder / "compact")
    (said,) = manifest.adaptive.values()
    # the shortest beginning of the order that is enough, whatever call measured it; then the rest
    records = read_block(folder / "compact" / "records.jsonl")
    assert not any(record.status == "failed" for record in records)
    planned = design(parse_experiment(manifest.experiment))
    (requests,) = manifest.requests.values()
    order = [cell.id for cell in planned.grid(planned.blocks[0], requests)]
    ran = [cell for cell in dict.fromkeys(began.read_text().split()) if cell in order]
    # Windows are slept for: a busy machine may be too slow for enough, or scatter too much. Then
    # what still fits comes out of turn at the end of the time.
    stopped = re.search(r"(?:enough|ended) with (\d+) of 25 lengths", said)
    count = int(stopped[1]) if stopped else 7
    assert 7 <= count <= len(ran)
    assert ran[:count] == order[:count]
