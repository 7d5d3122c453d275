"""Samples from a meter to sinks that are well, slow, hung, full, or gone for a while."""

import logging
import threading
import time
from itertools import pairwise

from in_memory import InMemory
from looks import look, put

from sweetspot.errors import TelemetryError
from sweetspot.metering import sampler
from sweetspot.metering.nvml import Board
from sweetspot.metering.sampler import NvmlMeter
from sweetspot.metering.samples import CHANNELS
from sweetspot.telemetry.contracts import RefusedError
from sweetspot.telemetry.publisher import AT_ONCE, Delivered
from sweetspot.telemetry.sample import Source, stamped

SOURCE = Source(gpu_uuid="GPU-1", gpu_name="NVIDIA H200", host="n1")


class Hung(InMemory):
    """Does not answer until it is let go; `calls` are the samples of each call."""

    name = "memory://hung"

    def __init__(self):
        super().__init__()
        self.calls, self.let_go = [], threading.Event()

    def send(self, source, samples):
        self.calls.append(len(samples))
        self.let_go.wait(60)
        super().send(source, samples)


class Broken(InMemory):
    """Fails so many times, each time in another way."""

    name = "memory://broken"

    def __init__(self, *failures):
        super().__init__()
        self.failures = list(failures)

    def send(self, source, samples):
        if self.failures:
            raise self.failures.pop(0)
        super().send(source, samples)


class Choosy(InMemory):
    """Refuses what holds some of the times of `put`, without saying which; or more than `most`.

    `calls` are the samples of each call.
    """

    name = "memory://choosy"

    def __init__(self, *numbers, most=10**9):
        super().__init__()
        self.bad, self.most, self.calls = {number / 10 for number in numbers}, most, []

    def send(self, source, samples):
        self.calls.append(len(samples))
        if len(samples) > self.most:
            raise TelemetryError(f"{self.name}: no answer in time")
        if any(each.values[0] in self.bad for each in samples):
            raise RefusedError(f"{self.name}: a field has another type")
        super().send(source, samples)


def test_what_a_meter_saw_is_what_a_store_gets_to_the_bit(
    publish, fake_nvml, memory, monkeypatch, wait_until
):
    fake_nvml({})
    clock = iter(range(1_790_000_000, 0, -3600))  # it is set back an hour at each look at it
    monkeypatch.setattr(sampler, "time", lambda: float(next(clock)))
    publisher = publish(memory, interval_s=0.01)
    with Board("GPU-0") as board:
        meter = NvmlMeter(board, 0.02)
        meter.start(None, publisher.observe)
        wait_until(lambda: memory.sent > 5)  # live: before the meter stops
        readings = meter.stop()
    (found,) = publisher.close()
    samples = readings.samples
    rows = list(
        zip(
            readings.trace.t_s.tolist(),
            readings.trace.power_w.tolist(),
            *(getattr(samples, name).tolist() for name in CHANNELS[1:]),
            strict=True,
        )
    )
    ((source, held),) = memory.held.items()
    assert source == Source(gpu_uuid="GPU-0", gpu_name="NVIDIA H100 80GB HBM3", host="n1")
    expected = stamped(rows, float(samples.utc_s[0]), memory.unit_ns)
    assert list(map(repr, held.values())) == list(map(repr, expected))  # NaN is no other NaN
    assert found == Delivered(
        sink=memory.name, samples=len(rows), acknowledged=len(rows), dropped=0
    )


def test_sink_that_hangs_holds_up_neither_the_meter_nor_another_sink(publish, memory, wait_until):
    hung = Hung()
    publisher = publish(hung, memory)
    put(publisher, range(100))
    put(publisher, range(100, 200), uuid="GPU-2")
    wait_until(lambda: memory.sent == 200)
    begun_s = time.monotonic()
    stuck, well = publisher.close(0.2)
    assert time.monotonic() - begun_s >= 0.2
    assert (stuck.samples, stuck.acknowledged, stuck.lost) == (200, 0, 200)
    assert (well.acknowledged, well.lost) == (200, 0)
    assert str(stuck) == (
        "telemetry to memory://hung: 200 samples, 0 acknowledged, 200 left (no answer);"
        " `sweetspot telemetry replay` sends them"
    )
    calls = len(hung.calls)
    hung.let_go.set()
    wait_until(
        lambda: f"telemetry to {hung.name}" not in (each.name for each in threading.enumerate())
    )
    assert len(hung.calls) == calls  # it is left behind, and takes no time of what comes later


def test_of_more_than_can_wait_the_oldest_are_dropped(publish, wait_until):
    hung = Hung()
    publisher = publish(hung, most_waiting=10)
    put(publisher, [0])
    wait_until(lambda: hung.calls)
    put(publisher, range(1, 51))
    hung.let_go.set()
    (found,) = publisher.close(60)
    assert (found.samples, found.acknowledged, found.dropped) == (51, 11, 40)
    assert [each.values[0] for each in hung.read(SOURCE, 0, 2**62)] == [
        0.0,
        *(number / 10 for number in range(41, 51)),
    ]
    assert ", 11 acknowledged, 40 dropped; `sweetspot telemetry replay`" in str(found)


def test_sink_that_comes_back_gets_all_and_is_spoken_of_once(publish, caplog, wait_until):
    broken = Broken(TelemetryError("memory://broken: gone\nfor now"), KeyError("odd"), OSError())
    publisher = publish(broken, interval_s=0.01)
    with caplog.at_level(logging.INFO):
        put(publisher, range(AT_ONCE + 7))
        wait_until(lambda: broken.sent == AT_ONCE + 7)
        (found,) = publisher.close(60)
    assert found.lost == 0
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "telemetry to memory://broken: gone for now; trying again"),
        (
            "INFO",
            f"telemetry to memory://broken: {AT_ONCE + 7} samples, {AT_ONCE + 7} acknowledged",
        ),
    ]


def test_sink_that_never_comes_is_said_with_why(publish, caplog):
    broken = Broken(*[TelemetryError("memory://broken: refused")] * 1000)
    publisher = publish(broken)
    put(publisher, range(5))
    (found,) = publisher.close(60)
    assert (found.samples, found.acknowledged, found.dropped) == (5, 0, 0)
    last = caplog.records[-1]
    assert last.levelname == "WARNING"
    assert last.getMessage() == (
        "telemetry to memory://broken: 5 samples, 0 acknowledged, 5 left (refused);"
        " `sweetspot telemetry replay` sends them"
    )


def test_end_sends_what_waits_without_waiting_for_its_time(publish, memory):
    publisher = publish(memory)
    trace = publisher.observe("GPU-1", "NVIDIA H200")
    for number in range(3 * AT_ONCE):
        trace.put(look(number))
    (found,) = publisher.close(60)
    assert (found.acknowledged, found.lost) == (3 * AT_ONCE, 0)
    assert memory.sent == 3 * AT_ONCE


def test_a_session_without_a_sample_says_so(publish, memory):
    assert str(publish(memory).close()[0]) == (
        "telemetry to memory://here: 0 samples, 0 acknowledged"
    )


def test_a_sample_that_is_refused_is_given_up_and_holds_up_none_behind_it(publish, caplog):
    choosy = Choosy(3, 200)
    publisher = publish(choosy)
    put(publisher, range(300))
    (found,) = publisher.close(60)
    assert (found.samples, found.acknowledged, found.refused) == (300, 298, 2)
    assert [each.values[0] for each in choosy.read(SOURCE, 0, 2**62)] == [
        number / 10 for number in range(300) if number not in (3, 200)
    ]
    assert [record.getMessage() for record in caplog.records] == [
        "telemetry to memory://choosy: a field has another type",
        "telemetry to memory://choosy: 300 samples, 298 acknowledged, 2 refused (a field has"
        " another type)",
    ]


def test_of_samples_that_are_all_refused_one_is_tried_at_a_time(publish, wait_until):
    choosy = Choosy(*range(400))
    publisher = publish(choosy)
    put(publisher, range(400))
    wait_until(lambda: choosy.calls[-1:] == [1])
    tried = len(choosy.calls)  # 400, 200, ... 1: then it waits
    put(publisher, [0])
    wait_until(lambda: len(choosy.calls) > tried)
    assert choosy.calls[tried:] == [1]


def test_sink_that_is_too_slow_for_many_gets_few_at_a_time(publish, wait_until):
    choosy = Choosy(most=0)
    publisher = publish(choosy, interval_s=0.01)
    put(publisher, [0])
    wait_until(lambda: choosy.calls)
    put(publisher, range(1, AT_ONCE))  # one is tried at a time meanwhile
    choosy.most = 60
    wait_until(lambda: choosy.sent == AT_ONCE)
    (found,) = publisher.close(60)
    assert (found.acknowledged, found.refused, found.lost) == (AT_ONCE, 0, 0)
    assert max(choosy.calls) == 64  # twice as many as went well
    assert {after for before, after in pairwise(choosy.calls) if before == 64} == {32}


def test_what_a_broker_says_it_refuses_is_all_that_is_given_up(publish, memory):
    broken = Broken(RefusedError("memory://broken: no rights", 4))
    publisher = publish(broken)
    put(publisher, range(10))
    (found,) = publisher.close(60)
    assert (found.acknowledged, found.refused, found.lost) == (6, 4, 4)
    assert broken.sent == 0  # none of them is sent again


def test_what_acknowledgements_are_worth_is_said_though_all_came(publish, memory, caplog):
    memory.caveat = "it forgets"
    publisher = publish(memory)
    put(publisher, [0])
    publisher.close(60)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == (
        "telemetry to memory://here: 1 samples, 1 acknowledged; it forgets"
    )


def test_replay_is_not_advised_where_nothing_is_kept(publish):
    broken = Broken(TelemetryError("memory://broken: gone"))
    broken.kept_at = ""
    publisher = publish(broken)
    put(publisher, [0])
    (found,) = publisher.close(60)
    assert str(found) == "telemetry to memory://broken: 1 samples, 0 acknowledged, 1 left (gone)"
