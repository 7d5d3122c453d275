"""`sweetspot watch` at a small real server and boards of the fake driver."""

import json
import os
import re
import threading
import urllib.request

import pytest
from openai_server import serving
from tiny_broker import TinyBroker

from sweetspot.cli import main

LINE = r"600 W, ([\d.]+) tokens/s, (-|[\d.e+-]+) J/token, (\d+) running, 0 waiting"


@pytest.fixture
def watched(server, fake_nvml):
    ours = {"pids": os.getpid(), "absent": "83,nvmlDeviceGetTotalEnergyConsumption"}
    fake_nvml(ours, ours, {})  # a counter moves in steps
    return server


def test_power_of_the_servers_boards_is_shown_per_token(watched, capsys):
    watched.output_tokens = 7  # of before
    assert main(["watch", "--url", watched.url, "--every", "0.3", "--for", "0.6"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines
    for line in lines:
        assert re.fullmatch(LINE, line).group(1, 2) == ("0.0", "-")
    assert re.fullmatch(rf"in \d+\.\d s: \d+(\.\d+)? J, {LINE}", last)


def test_server_without_metrics_is_one_line(watched, capsys):
    watched.kind = ""
    assert main(["watch", "--url", watched.url]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "404 Not Found: Not Found; what is watched is its page /metrics" in line


def test_watch_ends_cleanly_when_interrupted(watched, capsys, monkeypatch):
    from sweetspot.engines.endpoint import watch

    naps = iter([None, KeyboardInterrupt()])

    def nap(_):
        if error := next(naps):
            raise error

    monkeypatch.setattr(watch, "sleep", nap)
    assert main(["watch", "--url", watched.url]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("in ")


def test_tokens_and_energy_make_joules_per_token(fake_nvml, capsys, monkeypatch):
    from sweetspot.engines.endpoint import watch

    fake_nvml({"pids": os.getpid()})
    with serving() as server:

        def work(_):
            server.output_tokens += 1000

        monkeypatch.setattr(watch, "sleep", work)
        monkeypatch.setattr(watch, "_energy_j", lambda *_: 250.0)
        main(["watch", "--url", server.url, "--for", "1e-9"])
    assert ", 0.25 J/token" in capsys.readouterr().out


def test_what_is_watched_is_shown_to_prometheus(fake_nvml, capsys, monkeypatch):
    from sweetspot.engines.endpoint import watch

    fake_nvml({"pids": os.getpid()})
    pages = []
    with serving() as server:

        def work(_):
            server.output_tokens += 1000
            if url := re.search(r"metrics at (\S+)", capsys.readouterr().err):
                pages.append(url[1])
                return
            if len(pages) > 1:
                raise KeyboardInterrupt
            direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with direct.open(pages[0], timeout=10) as answer:
                pages.append(answer.read().decode())

        monkeypatch.setattr(watch, "sleep", work)
        monkeypatch.setattr(watch, "_energy_j", lambda *_: 250.0)
        assert main(["watch", "--url", server.url, "--metrics", "0"]) == 0
    shown = dict(re.findall(r"^(sweetspot_watch_\w+) (\S+)$", pages[1], re.MULTILINE))
    assert shown["sweetspot_watch_output_tokens_total"] == "1000.0"
    assert shown["sweetspot_watch_energy_joules_total"] == "250.0"
    assert float(shown["sweetspot_watch_power_watts"]) > 0


def test_each_look_is_sent_where_an_experiment_says(watched, capsys, caplog, tmp_path):
    broker = TinyBroker()
    sink = {"url": f"mqtt://127.0.0.1:{broker.port}"}
    (tmp_path / "e.json").write_text(json.dumps({"node": {"telemetry": {"sinks": [sink]}}}))
    command = ["watch", "--url", watched.url, "--every", "0.1", "--for", "0.3"]
    assert main([*command, "--telemetry", str(tmp_path / "e.json")]) == 0
    broker.close()
    looks = len(capsys.readouterr().out.splitlines())  # a line between two, and one of all
    powers = [(t, p) for t, p in broker.messages if t.endswith("/power")]
    assert len(powers) == looks
    assert {payload.partition(";")[0] for _, payload in powers} == {"600.0"}
    assert {topic.split("/")[-2] for topic, _ in powers} == {"GPU-0_GPU-1"}
    assert f": {looks} samples, {looks} acknowledged" in caplog.text
    # what was begun ends with a command that cannot go on
    assert main([*command, "--telemetry", str(tmp_path / "e.json"), "--metrics", "/x"]) == 2
    assert not [each.name for each in threading.enumerate() if "telemetry to" in each.name]
    (tmp_path / "e.json").write_text("{}")
    assert main([*command, "--telemetry", str(tmp_path / "e.json")]) == 2
    assert "e.json has no node.telemetry with sinks" in capsys.readouterr().err


def test_metrics_at_no_port_are_refused(watched, capsys):
    assert main(["watch", "--url", watched.url, "--metrics", "/metrics"]) == 2
    assert "--metrics is a port, or HOST:PORT, not '/metrics'" in capsys.readouterr().err
