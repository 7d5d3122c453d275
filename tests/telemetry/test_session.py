"""A measured block whose samples are sent: what is sent, what is noted, and what is not changed."""

import gzip
import json
import socket
import subprocess
import sys
import time

import pytest
from ports import held_port
from tiny_broker import TinyBroker

from sweetspot.config import Telemetry, TelemetrySink
from sweetspot.engines.base import Run
from sweetspot.measure.measure import measure_block
from sweetspot.measure.record import read_block, record_path, trace_path
from sweetspot.metering.nvml import Board
from sweetspot.metering.sampler import NvmlMeter
from sweetspot.plan.plan import plan
from sweetspot.telemetry.session import publishing


class MeteredEngine:
    """An engine and session in one, on a fake board; a cell takes a quarter of a second."""

    name, version, simulated = "vllm", "fake", False

    def load(self, settings):
        self.board = Board("GPU-0")
        self.meter = NvmlMeter(self.board, 0.02)
        return self

    def run(self, cell):
        start_s = time.monotonic()
        time.sleep(0.25)
        return Run(
            start_s=start_s,
            end_s=time.monotonic(),
            requests=cell.requests,
            input_tokens=cell.requests * cell.input_tokens,
            output_tokens=cell.total_output_tokens,
            facts=self.board.facts(),
        )

    def close(self):
        self.board.close()


@pytest.fixture
def block(small_experiment, fake_nvml):
    fake_nvml({})
    lengths = {"input_tokens": [64], "output_tokens": [8, 16], "requests": [10]}
    measure = {"interval_s": 0.02, "min_window_s": 0, "idle_s": 0}
    [block] = plan(
        small_experiment(engine="vllm", sweeps={"grid": lengths}, measure=measure)
    ).blocks
    return block


@pytest.fixture
def measured(block, tmp_path):
    """Return a function that measures the block in a folder, and gives back its records."""

    def run(name, observe=None):
        folder = tmp_path / name
        measure_block(block, MeteredEngine(), folder / "records", folder / "b", observe=observe)
        return read_block(folder / "b")

    return run


def sinks(*ports):
    return Telemetry(
        sinks=[TelemetrySink(url=f"mqtt://127.0.0.1:{port}") for port in ports], interval_s=0.1
    )


def test_what_is_sent_is_each_trace_to_the_bit_and_records_are_as_without(
    block, measured, tmp_path, wait_until
):
    broker = TinyBroker()
    with publishing(sinks(broker.port), tmp_path / "notes") as publisher:
        records = measured("sent", publisher.observe)
        lines = []
        for cell in block.cells:
            trace = trace_path(tmp_path / "sent/records", cell, block.key(cell))
            lines += gzip.decompress(trace.read_bytes()).decode().split("\n")[1:-1]
        # the end may not wait for as long as a busy machine takes
        wait_until(lambda: sum("/t_s" in topic for topic, _ in broker.messages) == len(lines))
    broker.close()
    sent = {"t_s": [], "power": [], "counter_j": []}
    for topic, payload in broker.messages:
        assert topic.startswith(f"org/sweetspot/node/{socket.gethostname()}/plugin/sweetspot/")
        sent.setdefault(topic.rpartition("/")[2], []).append(payload.partition(";")[0])
    assert len(lines) > 4
    assert sent["t_s"] == [line.split(",")[0] for line in lines]
    assert sent["power"] == [line.split(",")[1] for line in lines]
    for one, other in zip(records, measured("alone"), strict=True):
        assert (one.key, one.provenance.keys()) == (other.key, other.provenance.keys())
        assert "telemetry" not in one.remarks + one.reason
    (note,) = map(json.loads, (tmp_path / "notes").read_text().splitlines())
    assert note.pop("ended_utc").endswith("+00:00")
    assert note == {
        "sink": f"mqtt://127.0.0.1:{broker.port}",
        "samples": len(lines),
        "acknowledged": len(lines),
        "dropped": 0,
        "refused": 0,
        "reason": "",
        "caveat": "",
        "kept": True,
    }


def test_a_sink_that_is_not_there_costs_a_remark_and_no_cell(block, measured, tmp_path, caplog):
    with (
        held_port() as port,
        publishing(sinks(port), tmp_path / "logs/notes") as publisher,
    ):
        records = measured("refused", publisher.observe)
        for cell in block.cells:  # durable before it is known what became of its samples
            assert record_path(tmp_path / "refused/records", cell, block.key(cell)).is_file()
    assert [record.energy_j is not None for record in records] == [True, True]
    assert not [record for record in records if "telemetry" in record.remarks + record.reason]
    (note,) = map(json.loads, (tmp_path / "logs/notes").read_text().splitlines())
    assert note["samples"] > note["acknowledged"] == 0
    assert note["reason"] == "Connection refused"
    said = [each.getMessage() for each in caplog.records if "telemetry" in each.getMessage()]
    assert said == [
        f"telemetry to mqtt://127.0.0.1:{port}: Connection refused; trying again",
        f"telemetry to mqtt://127.0.0.1:{port}: {note['samples']} samples, 0 acknowledged,"
        f" {note['samples']} left (Connection refused); `sweetspot telemetry replay` sends them",
    ]


def test_nothing_of_it_is_loaded_where_it_is_not_asked_for():
    program = """
import sys
import sweetspot, sweetspot.measure.measure, sweetspot.campaign.whole, sweetspot.cli.command_line
import sweetspot.config.experiment
print([name for name in sys.modules if "telemetry" in name or "paho" in name])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['sweetspot.config.telemetry']"
