"""Looking at a sensor: a program that makes waves, under the real meter on a fake board."""

import json
import sys

import pytest

from sweetspot.campaign.sensor import square_wave as sensor
from sweetspot.catalog import gpu
from sweetspot.config import NodeSettings
from sweetspot.errors import EngineError, MeterError
from sweetspot.metering.trace import read_trace

# Says of the fake board's own pulses that it made them; the arguments after its own are
# those of square_wave.py.
STUB = """
import json, sys, time
origin, faults = float(sys.argv[1]), sys.argv[2]
print("a line of some library")
if faults == "exit":
    sys.exit("error: torch sees no GPU")
if faults == "torn":
    sys.exit(print(json.dumps({"wave": 0})))
print(json.dumps({"device": "fake", "torch": "0"}), flush=True)
first = -(-(time.monotonic() - origin) // 0.6)
for k in range(3 if faults != "silent" else 0):
    on = origin + (first + k) * 0.6
    time.sleep(max(0, on + 0.6 - time.monotonic()))
    print(json.dumps({"wave": 0, "on": on, "off": on + 0.3}), flush=True)
"""


@pytest.fixture
def look(fake_nvml, tmp_path, monkeypatch):
    """Return a function that looks at the sensor of a board whose power pulses."""
    for name in ("IDLE_S", "SETTLE_S"):
        monkeypatch.setattr(sensor, name, 0.1)
    origin = fake_nvml({"low": 100, "high": 600, "period": 0.6, "high_s": 0.3, "update_s": 0.04})
    program = tmp_path / "stub.py"
    program.write_text(STUB)

    def run(faults="none"):
        python = f"{sys.executable} {program} {origin!r} {faults}"
        sensor.look_at_sensor(tmp_path / "campaign", gpu("h100-sxm"), NodeSettings(python=python))
        return json.loads((tmp_path / "campaign" / "sensor.json").read_text())

    return run


def test_facts_samples_and_edges_are_kept(look, tmp_path):
    found = look()
    facts = found["facts"]
    assert 0.019 < facts["counter_period_s"] < 0.12  # 0.04, on a busy machine too
    assert facts["on_w"] == pytest.approx(600, rel=0.05)
    assert facts["off_w"] == pytest.approx(100, rel=0.05)
    assert 0.01 < facts["interval_s"] < 0.06
    (wave,) = facts["energies"]
    assert wave["counter_j"] == pytest.approx(0.9 * 600 + 0.6 * 100, rel=0.1)
    assert found["gpu"]["gpu_uuid"] == "GPU-0"
    assert found["program"]["device"] == "fake"
    assert len(found["cycles"]) == 3
    trace, samples = read_trace(tmp_path / "campaign" / "sensor.csv.gz")
    assert samples is not None
    assert trace.t_s[0] < found["idle_end_s"] < found["cycles"][0]["on_s"] < trace.t_s[-1]


@pytest.mark.parametrize(
    ("faults", "error", "message"),
    [
        ("exit", EngineError, "torch sees no GPU"),
        ("silent", MeterError, "the square wave reported nothing"),
        ("torn", EngineError, "a line lacks 'on'"),
    ],
)
def test_program_that_fails_leaves_no_facts(look, tmp_path, faults, error, message):
    with pytest.raises(error, match=message):
        look(faults)
    assert not (tmp_path / "campaign" / "sensor.json").exists()


def test_program_is_asked_for_a_slow_and_a_fast_wave():
    command = sensor.wave_command(NodeSettings(python="conda run python"))
    assert command[:4] == ["conda", "run", "python", str(sensor.PROGRAM)]
    assert " ".join(command[4:]) == "--wave 3.0 3.0 3 --wave 0.5 0.5 8"
    assert sensor.PROGRAM.is_file()
