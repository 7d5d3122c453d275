"""docs/telemetry.md: its files are what commands take, and its commands print what is shown."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import shown
import yaml
from in_memory import InMemory
from ports import hold_port

from sweetspot.cli import main
from sweetspot.config import TelemetrySink, parse_experiment, parse_section
from sweetspot.engines.simulated import SimulatorEngine
from sweetspot.errors import TelemetryError
from sweetspot.measure.measure import measure_block
from sweetspot.plan.plan import plan
from sweetspot.telemetry import connect
from sweetspot.telemetry.contracts import RefusedError
from sweetspot.telemetry.kept import read_folder
from sweetspot.telemetry.prometheus import watched
from sweetspot.telemetry.prometheus.page import METRICS, Metric
from sweetspot.telemetry.sample import Source

PAGE = shown.read("docs/telemetry.md")
COMMANDS = shown.commands(PAGE)
LIVE, SIMULATED = map(yaml.safe_load, shown.blocks("yaml", PAGE))
ENVS = shown.ROOT / "envs/telemetry"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the page's simulated run."""
    monkeypatch.chdir(tmp_path)
    for block in plan(parse_experiment(SIMULATED)).blocks:
        measure_block(block, SimulatorEngine(), Path("results/small/records"), Path("block.jsonl"))
    return tmp_path


def command(words):
    (found,) = [each for each in COMMANDS if each.startswith(f"sweetspot telemetry {words}")]
    return found


def test_replay_and_query_print_what_is_shown(folder, monkeypatch, capsys):
    store = InMemory(1)

    def open_there(where):
        store.name = where.address.name
        return store

    monkeypatch.setattr(connect, "open_sink", open_there)
    monkeypatch.setattr(connect, "open_store", open_there)
    for each in map(command, ("replay", "query")):
        assert shown.said(each, capsys) == COMMANDS[each]


def test_cells_of_the_list_are_what_is_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (windows,) = shown.blocks("csv", PAGE)
    Path("windows.csv").write_text(windows)
    begun_s = 1_789_999_200  # 14:00
    lines = [f"{begun_s - 60 + 0.5 * tick},gpu_0,600" for tick in range(1500)]
    Path("power.csv").write_text("\n".join(["time,gpu,power_w", *lines, ""]))
    each = command("cells")
    assert main(each.split()[1:]) == 0
    assert capsys.readouterr().err == COMMANDS[each]
    assert Path("cells.csv").read_text().count(",ok,") == 3


def test_experiment_of_the_page_has_its_sinks():
    sinks = parse_experiment(LIVE).node.telemetry.sinks
    assert [sink.address.kind for sink in sinks] == ["mqtt", "influx"]
    assert sinks[1].name == "lab"


def test_urls_of_the_table_are_understood():
    for scheme in re.findall(r"`([a-z+]+://)`", PAGE):
        assert parse_section(TelemetrySink, {"url": f"{scheme}there"}).address.host == "there"


def test_dashboard_asks_for_metrics_that_there_are():
    board = json.loads((ENVS / "grafana/dashboards/sweetspot.json").read_text())
    there = {each.name for each in METRICS}
    there |= {each.name for each in vars(watched).values() if isinstance(each, Metric)}
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    asked += [each["definition"] for each in board["templating"]["list"]]
    names = set(re.findall(r"(?:DCGM_FI|sweetspot)_\w+", " ".join(asked)))
    assert len(names) > 8
    assert names <= there
    assert all(name in there for name in re.findall(r"`((?:DCGM_FI|sweetspot)_\w+)`", PAGE))


SECRETS = {  # of each container: what it cannot do without
    "mosquitto": {"ca.crt", "server.crt", "server.key", "passwords"},
    "grafana": {"grafana.password"},
    "iotdb": set(),
    "prometheus": set(),
}


def test_containers_mount_files_that_are_there_and_the_secrets_that_they_need():
    compose = yaml.safe_load((ENVS / "compose.yaml").read_text())
    given = {}
    for name, service in compose["services"].items():
        mounts = [each.split(":")[0] for each in service["volumes"] if each.startswith("./")]
        mounts += [compose["secrets"][each]["file"] for each in service.get("secrets", ())]
        given[name] = {Path(each).name for each in mounts if not (ENVS / each).exists()}
        if name != "mosquitto":  # all but the broker listens to this machine alone
            assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert given == SECRETS
    assert yaml.safe_load((ENVS / "prometheus.yml").read_text())["scrape_configs"]


@pytest.fixture
def instances(tmp_path):
    """What apptainer is asked to run, by the instance's name: its options and what comes behind."""
    asked = tmp_path / "asked"
    stub = tmp_path / "bin/apptainer"
    stub.parent.mkdir()
    stub.write_text(
        f'#!/bin/sh\nfor each; do printf "%s\\n" "$each"; done >>{asked}\necho >>{asked}\n'
    )
    stub.chmod(0o755)
    path = f"{stub.parent}:{os.environ['PATH']}"
    subprocess.run(
        ["sh", ENVS / "apptainer.sh", "start", tmp_path / "kept"],
        env=os.environ | {"PATH": path},
        check=True,
    )
    runs = [each.split("\n") for each in asked.read_text().strip().split("\n\n")]
    return {
        name.removeprefix("sweetspot-"): words
        for words in runs
        for name in words
        if name.startswith("sweetspot-")
    }


def test_instances_have_the_secrets_that_they_need_and_listen_to_this_machine_alone(instances):
    kept = "/kept/secrets/"
    given = {
        name: {
            bind.split(":")[0].partition(kept)[2]
            for word in words
            for bind in word.split(",")
            if kept in bind
        }
        for name, words in instances.items()
    }
    assert given == SECRETS
    assert "dn_rpc_address=127.0.0.1" in instances["iotdb"]
    assert "--web.listen-address=127.0.0.1:9090" in instances["prometheus"]
    assert "GF_SERVER_HTTP_ADDR=127.0.0.1" in instances["grafana"]


def test_one_version_of_iotdb_is_meant_everywhere():
    places = {
        "scripts/iotdb.sh": r"\nversion=(\S+)",
        "envs/telemetry/compose.yaml": r"apache/iotdb:([\d.]+)",
        "envs/telemetry/apptainer.sh": r"apache/iotdb:([\d.]+)",
        "tests/requirements-iotdb.txt": r"apache-iotdb==(\S+)",
        "docs/telemetry.md": r"Apache IoTDB ([\d.]+\d)",
    }
    found = {where: re.findall(form, shown.read(where)) for where, form in places.items()}
    assert len({version for each in found.values() for version in each}) == 1, found
    assert all(found.values())


def until(there, what):
    end_s = time.monotonic() + 60
    while not there():
        assert time.monotonic() < end_s, f"in vain: {what}"
        time.sleep(0.05)


@pytest.fixture
def needs():
    """Return a function that skips where programs are missing, which CI has."""

    def require(*programs):
        missing = [each for each in programs if not shutil.which(each)]
        if missing and os.environ.get("CI"):
            pytest.fail(f"{', '.join(missing)} not found: scripts/telemetry.sh installs it")
        if missing:
            pytest.skip(f"no {', '.join(missing)} here")

    return require


@pytest.fixture
def broker(folder, needs):
    """The broker of envs/telemetry on a port of its own, with the page's secrets; its port."""
    needs("mosquitto", "mosquitto_passwd", "mosquitto_sub", "openssl")
    secrets, starting, listening, *_ = shown.blocks("sh", PAGE)
    starting, start = starting.rstrip().rsplit("\n", 1)
    assert start == "mosquitto -c mosquitto/mosquitto.conf"
    script = (secrets + starting).replace("envs/telemetry", str(ENVS))
    subprocess.run(["sh", "-euc", script], check=True)
    held = hold_port()
    port = held.getsockname()[1]
    configuration = folder / "mosquitto/mosquitto.conf"
    settings = configuration.read_text()
    configuration.write_text(
        settings.replace("listener 8883", f"user root\nlistener {port} 127.0.0.1")
    )
    with (folder / "mosquitto.log").open("wb") as log:
        process = subprocess.Popen(start.split(), stdout=log, stderr=log)
    try:

        def listens():
            assert process.poll() is None, (folder / "mosquitto.log").read_text()
            with closing(socket.socket()) as sock:
                return sock.connect_ex(("127.0.0.1", port)) == 0

        until(listens, "the broker listens")
        yield port, listening
    finally:
        process.kill()
        process.wait()
        held.close()


@pytest.mark.slow(reason="a real broker, its certificates and passwords: seconds")
def test_broker_of_the_page_passes_a_run_on_to_a_subscriber_and_to_nobody_else(broker, folder):
    port, listening = broker
    words = listening.replace("broker.example.org -p 8883", f"localhost -p {port}")
    words = words.replace("org/#", "#")  # a simulated run's topics begin with simulated/
    subscriber = subprocess.Popen(
        ["sh", "-c", words.replace("mosquitto_sub", "exec mosquitto_sub")]
    )
    try:
        sink = LIVE["node"]["telemetry"]["sinks"][0] | {"url": f"mqtts://localhost:{port}"}
        for key in ("password_file", "ca"):
            sink[key] = str(folder / sink[key])

        def mark_has_come():
            mark = ["mosquitto_pub", "-h", "localhost", "-p", str(port), "-q", "1"]
            mark += ["--cafile", "secrets/ca.crt", "-u", "sweetspot"]
            mark += ["-P", Path("secrets/sweetspot.password").read_text().strip()]
            subprocess.run([*mark, "-t", "org/mark", "-m", "0;0"], check=True)
            return Path("examon.log").is_file() and "org/mark" in Path("examon.log").read_text()

        until(mark_has_come, "the subscriber answers")
        with closing(connect.open_sink(parse_section(TelemetrySink, sink))) as opened:
            (kept, *_) = read_folder(Path("results/small")).kept
            samples = kept.samples(kept.readings(), opened.unit_ns)
            opened.send(kept.source, samples)
        sent = re.compile(rf"SIM-{kept.record.key}/power ")
        until(
            lambda: len(sent.findall(Path("examon.log").read_text())) == len(samples),
            "all messages have come",
        )
        as_json = parse_section(TelemetrySink, sink | {"format": "iotdb-json"})
        measured = Source(gpu_uuid="GPU-1", gpu_name="", host="node01")
        with closing(connect.open_sink(as_json)) as opened:
            opened.send(measured, samples)
        until(
            lambda: "root.sweetspot.node01.GPU_1 [{" in Path("examon.log").read_text(),
            "messages of one level have come",
        )
    finally:
        subscriber.terminate()
        subscriber.wait()
    elsewhere = parse_section(TelemetrySink, sink | {"topic": "lab/{gpu}"})
    with (
        closing(connect.open_sink(elsewhere)) as opened,
        pytest.raises(RefusedError, match=r"lab/GPU-1/power: Not authorized"),
    ):
        opened.send(measured, samples)
    for refused in ({"user": "nobody"}, {"user": "reader"}):
        with pytest.raises(TelemetryError, match=r"[Nn]ot authori[sz]ed"):
            connect.open_sink(parse_section(TelemetrySink, sink | refused)).send(
                kept.source, samples
            )


@pytest.mark.slow(reason="a broker, a store and two runs of Snakemake")
@pytest.mark.parametrize("has_torch", [True, False])
def test_demo_finds_all_that_it_sent_and_leaves_nothing_behind(
    tmp_path, needs, torch_python, has_torch
):
    needs("mosquitto", "mosquitto_sub", "influxd", "cc")
    demo = [sys.executable, str(shown.ROOT / "scripts/telemetry_demo.py")]
    python = torch_python if has_torch else ""
    environment = os.environ | {"TMPDIR": str(tmp_path), "SWEETSPOT_TORCH_PYTHON": python}
    done = subprocess.run(
        demo, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("4 cells: energies of the record, to the bit") == 3
    assert done.stdout.count("the model ran on the CPU") == (4 if has_torch else 0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow(reason="a broker and a store are started")
def test_demo_that_is_interrupted_ends_what_it_started(tmp_path, needs):
    needs("mosquitto", "mosquitto_sub", "influxd", "cc")
    demo = [sys.executable, str(shown.ROOT / "scripts/telemetry_demo.py")]
    with subprocess.Popen(
        demo, env=os.environ | {"TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, text=True
    ) as running:
        port = re.search(r"mqtt://127.0.0.1:(\d+)", running.stdout.readline())[1]
        running.send_signal(signal.SIGINT)
        running.stdout.read()
    assert running.returncode == 130
    assert list(tmp_path.iterdir()) == []
    with closing(socket.socket()) as sock:
        assert sock.connect_ex(("127.0.0.1", int(port))) != 0
