"""The host's energy on trees of files as the kernel lays them."""

import math
import os

import numpy as np
import pytest

from sweetspot.metering import host as host_module
from sweetspot.metering.host import Host
from sweetspot.metering.trace import read_trace, write_trace
from sweetspot.metering.window import Window

RANGE_UJ = 262_143_328_850


class Tree:
    """A /sys of the test."""

    def __init__(self, root):
        self.root = root

    def zone(self, zone, name, energy_uj=0, range_uj=RANGE_UJ):
        folder = self.root / "class/powercap" / zone
        folder.mkdir(parents=True)
        for file, content in (
            ("name", name),
            ("energy_uj", energy_uj),
            ("max_energy_range_uj", range_uj),
        ):
            (folder / file).write_text(f"{content}\n")
        return folder / "energy_uj"

    def socket(self, number, energy_uj=0, driver="amd_energy", label="Esocket"):
        folder = self.root / "class/hwmon/hwmon3"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "name").write_text(f"{driver}\n")
        (folder / f"energy{number}_label").write_text(f"{label}{number}\n")
        file = folder / f"energy{number}_input"
        file.write_text(f"{energy_uj}\n")
        return file


@pytest.fixture
def sysfs(tmp_path):
    return Tree(tmp_path)


@pytest.fixture
def two_sockets(sysfs):
    """An Intel node as it is: what counts, and what would count twice."""
    counted = [
        sysfs.zone("intel-rapl:0", "package-0", 5_000_000),
        sysfs.zone("intel-rapl:0:0", "dram", 1_000_000),
        sysfs.zone("intel-rapl:1", "package-1", RANGE_UJ - 1_000_000),
        sysfs.zone("intel-rapl:1:0", "dram", 9_000_000),
    ]
    sysfs.zone("intel-rapl:0:1", "core", 77_000_000)
    sysfs.zone("intel-rapl:2", "psys", 99_000_000)
    sysfs.zone("intel-rapl-mmio:0", "package-0", 5_000_000)
    sysfs.socket(1, 88_000_000)
    return counted


def test_packages_and_memory_count_once_and_through_a_wrap(sysfs, two_sockets):
    host = Host(sysfs.root)
    assert host.scope == "2 CPU packages of the node, and memory of 2"
    assert (host.read_j(), host.remark) == (0, "")
    for file, energy_uj in zip(
        two_sockets, (25_000_000, 3_000_000, 4_000_000, 9_500_000), strict=True
    ):
        file.write_text(f"{energy_uj}\n")
    assert host.read_j() == pytest.approx(20 + 2 + 5 + 0.5)
    host.close()
    assert math.isnan(host.read_j())


def test_sockets_of_amd_count_where_powercap_does_not(sysfs):
    first, second = sysfs.socket(1, 4_000_000), sysfs.socket(2, 10**15)
    sysfs.socket(3, 1, label="Ecore")
    host = Host(sysfs.root)
    assert host.scope == "2 CPU packages of the node"
    first.write_text("5000000\n")
    second.write_text(f"{10**15 + 2_500_000}\n")
    assert host.read_j() == pytest.approx(3.5)
    second.write_text("0\n")  # its driver was loaded anew
    assert math.isnan(host.read_j())


def test_node_without_counters_has_none_and_nothing_is_remarked(sysfs):
    sysfs.socket(1, driver="nvme")
    host = Host(sysfs.root)
    assert (host.scope, host.remark) == ("", "")
    assert math.isnan(host.read_j())


def test_counter_for_root_alone_is_remarked_with_what_opens_it(sysfs, two_sockets, monkeypatch):
    really_open = os.open

    def refuse_memory(path, *args):
        if path == two_sockets[1]:  # root, who may run this test, may read anything
            raise PermissionError(13, "Permission denied")
        return really_open(path, *args)

    monkeypatch.setattr(host_module.os, "open", refuse_memory)
    host = Host(sysfs.root)
    assert host.scope == ""
    assert math.isnan(host.read_j())
    assert str(two_sockets[1]) in host.remark
    assert host.remark.endswith(f"chmod a+r {sysfs.root}/class/powercap/intel-rapl:*/energy_uj")


def test_counter_that_is_no_number_is_remarked(sysfs):
    sysfs.zone("intel-rapl:0", "package-0", "garbage")
    host = Host(sysfs.root)
    assert host.scope == ""
    assert "intel-rapl:0" in host.remark


def test_window_has_the_hosts_energy_between_looks(readings_of, tmp_path):
    counted = {"host_counter_j": lambda t: 150 * t}
    readings = readings_of(300.0, meter={"host_scope": "1 CPU package"}, **counted)
    assert Window(readings, 3.03, 9.07).host_energy_j == pytest.approx(150 * 6.04)
    lost = readings_of(300.0, host_counter_j=lambda t: np.where(t < 5, t, np.nan))
    assert Window(lost, 1, 2).host_energy_j is None
    assert Window(readings_of(300.0), 1, 2).host_energy_j is None
    write_trace(tmp_path / "trace.csv.gz", readings)
    _, samples = read_trace(tmp_path / "trace.csv.gz")
    assert samples.host_counter_j.tolist() == readings.samples.host_counter_j.tolist()


def test_remark_of_an_unread_host_is_one_of_the_window(readings_of):
    readings = readings_of(300.0, meter={"host_remark": "the host's energy is not read: why"})
    assert "the host's energy is not read: why" in Window(readings, 1, 12).remarks
