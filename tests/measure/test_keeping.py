"""Finished cells become files: none is forgotten, and none fails unseen."""

from contextlib import suppress
from dataclasses import replace

import pytest

from sweetspot.errors import InputError
from sweetspot.measure import keeping as keeping_module
from sweetspot.measure.keeping import TOGETHER, Finished, keeping
from sweetspot.metering.meter import Readings
from sweetspot.metering.trace import PowerTrace, read_trace

from .test_record import RECORD

TRACE = PowerTrace([0, 1], [100, 200])


def finished(folder, number):
    return Finished(
        replace(RECORD, repeat=number),
        Readings(trace=TRACE),
        folder / f"{number}.json",
        folder / f"{number}.trace.csv.gz",
    )


def names(folder):
    return sorted(each.name for each in folder.iterdir())


def keep_all(folder, cells, then=None):
    with keeping(together=True) as keep:
        for each in range(cells):
            keep(finished(folder, each))
        if then:
            raise then


@pytest.mark.parametrize("cells", [1, TOGETHER, TOGETHER + 1])
@pytest.mark.parametrize("then", [None, KeyboardInterrupt])
def test_all_are_files_at_the_end_come_what_may(tmp_path, cells, then):
    with suppress(KeyboardInterrupt):
        keep_all(tmp_path, cells, then)
    expected = {f"{n}.{suffix}" for n in range(cells) for suffix in ("json", "trace.csv.gz")}
    assert names(tmp_path) == sorted(expected)
    assert (read_trace(tmp_path / "0.trace.csv.gz")[0].power_w == TRACE.power_w).all()


def test_kill_costs_only_those_that_wait(tmp_path):
    with keeping(together=True) as keep:
        for each in range(TOGETHER):
            keep(finished(tmp_path, each))
        assert len(names(tmp_path)) == 2 * TOGETHER


def test_failed_write_is_raised(tmp_path):
    (tmp_path / "records").write_text("not a folder")
    with pytest.raises(InputError, match=r"cannot write .*records: "):
        keep_all(tmp_path / "records", 1)


def test_measured_cell_is_durable_before_the_next_begins(tmp_path):
    with keeping(together=False) as keep:
        keep(finished(tmp_path, 1))
        assert names(tmp_path) == ["1.json", "1.trace.csv.gz"]


def test_cell_that_failed_has_no_trace(tmp_path):
    with keeping(together=False) as keep:
        keep(replace(finished(tmp_path, 1), readings=None))
    assert names(tmp_path) == ["1.json"]


def test_write_that_is_interrupted_is_made_at_the_end(tmp_path, monkeypatch):
    real, calls = keeping_module.write_together, []

    def interrupted(*groups):
        calls.append(groups)
        if len(calls) == 1:
            raise KeyboardInterrupt
        real(*groups)

    monkeypatch.setattr(keeping_module, "write_together", interrupted)
    with pytest.raises(KeyboardInterrupt):
        keep_all(tmp_path, TOGETHER)
    assert len(names(tmp_path)) == 2 * TOGETHER
