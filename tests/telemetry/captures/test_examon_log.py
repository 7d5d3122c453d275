"""Messages that a subscriber wrote down: ours whole, a plugin's by its tags."""

import pytest

from sweetspot.errors import InputError
from sweetspot.telemetry.captures.examon_log import ExamonLog
from sweetspot.telemetry.kept import read_folder
from sweetspot.telemetry.mqtt.messages import examon
from sweetspot.telemetry.query import query
from sweetspot.telemetry.sample import MS, Source

PLUGIN = "org/cineca/cluster/leo/node/lrdn01/plugin/nvml_pub/chnl/data"


def board(gpu, host=""):
    return Source(gpu_uuid=gpu, gpu_name="", host=host)


def logged(path, found):
    """Write a run's messages down as mosquitto_sub does."""
    with path.open("w") as file:
        for kept in found.kept:
            for topic, payload, _ in examon("", kept.source, kept.samples(kept.readings(), MS)):
                file.write(f"{topic} {payload}\n")


def test_messages_of_a_run_give_its_energies_to_the_bit(metered_run, simulated_run, tmp_path):
    for folder in (metered_run(), simulated_run):
        found = read_folder(folder)
        logged(tmp_path / "examon.log", found)
        rows = query(found, ExamonLog(tmp_path / "examon.log"))
        assert len(rows) == len(found.kept)
        assert all(row.to_the_bit and not row.differences for row in rows)


def test_board_of_a_plugin_is_told_by_its_tags(tmp_path):
    path = tmp_path / "examon.log"
    path.write_text(
        f"{PLUGIN}/id/gpu_0/power 300.5;1790000000.500\n"
        f"{PLUGIN}/id/gpu_0/mem_used 7;1790000000.500\n"
        f"{PLUGIN}/id/gpu_0/power 301;1790000001.000\n"
        f"{PLUGIN}/id/gpu_1/power 90;1790000000.500\n"
        f"{PLUGIN.replace('lrdn01', 'lrdn02')}/id/gpu_1/power 91;1790000000.500\n"
        f"{PLUGIN.replace('nvml_pub', 'ipmi_pub')}/power 950;1790000000.500\n"
        f"{PLUGIN}/id/gpu_0/power 30"
    )
    store = ExamonLog(path)
    first, last = 1_790_000_000_000, 1_790_000_009_000
    found = store.read(board("gpu_0", "lrdn01"), first, last)
    assert [(each.at - first, each.values[1]) for each in found] == [(500, 300.5), (1000, 301.0)]
    assert store.read(board("gpu_1", "lrdn02"), first, last)[0].values[1] == 91.0
    assert store.read(board("gpu_0"), first, first + 499) == []
    assert store.read(board("gpu_0", "lrdn02"), first, last) == []
    assert [each.values[1] for each in store.read(board("", "lrdn01"), first, last)] == [950.0]
    with pytest.raises(InputError, match="several topics of gpu_1 of any host"):
        store.read(board("gpu_1"), first, last)


def test_another_plugin_s_text_is_passed_over(tmp_path):
    path = tmp_path / "examon.log"
    path.write_text(
        f"org/x/plugin/slurm_pub/state IDLE;1790000000\n{PLUGIN}/power 1;1790000000.5\n"
    )
    found = ExamonLog(path).read(board("", "lrdn01"), 0, 2**62)
    assert [each.values[1] for each in found] == [1.0]


@pytest.mark.parametrize("line", ["power 300", "a/power x;1", "a/power 3;soon", "{}"])
def test_line_that_is_no_message_is_refused(tmp_path, line):
    path = tmp_path / "examon.log"
    path.write_text(f"{PLUGIN}/power 1;1790000000.5\n{line}\n")
    with pytest.raises(InputError, match=r"line 2: .* is no message of ExaMon's"):
        ExamonLog(path)
