"""What goes wrong with a broker or a store, live and in a replay, at each real one: a matrix.

Rows are tests, columns mosquitto, InfluxDB and IoTDB's protocol (`support/real_servers.py`).
A step of the clock is dealt with before any of them (`test_publisher.py`); a name that is none
leads to none (`test_connect.py`). What no real broker can be made to say: `mqtt/test_sink.py`.
"""

import json
import logging
import re
import time
from dataclasses import replace

import pytest
from influx_servers import BOARD, samples_of
from looks import put
from real_servers import FORBIDDEN

from sweetspot.config import Telemetry
from sweetspot.errors import TelemetryError
from sweetspot.telemetry.kept import read_folder
from sweetspot.telemetry.query import query
from sweetspot.telemetry.replay import replay
from sweetspot.telemetry.sample import Source, stamped
from sweetspot.telemetry.session import publishing

pytestmark = pytest.mark.slow(reason="a broker or a store of its own for each")

FOREVER = 2**62
WRONG = "s3cr3t-but-wrong"


def board(uuid="GPU-1"):
    return Source(gpu_uuid=uuid, gpu_name="NVIDIA H200", host="n1")


def numbers(server, uuid="GPU-1"):
    """Return of which of `looks` there are samples."""
    return [round(10 * each.values[0]) for each in server.store().read(board(uuid), 0, FOREVER)]


def test_absent_at_first_then_killed_and_back_gets_every_sample(
    real_server, publish, wait_until, caplog
):
    server = real_server()
    sink = server.sink()
    publisher = publish(sink)
    put(publisher, range(20))
    wait_until(lambda: "Connection refused; trying again" in caplog.text)
    server.start()
    put(publisher, range(20, 30))
    wait_until(lambda: sink.acknowledged == 30)
    server.kill()
    begun = sink.begun
    put(publisher, range(30, 45))
    wait_until(lambda: sink.begun > begun)
    server.start()
    (found,) = publisher.close(60)
    assert (found.samples, found.acknowledged, found.lost) == (45, 45, 0)
    assert numbers(server) == list(range(45))


def test_stopped_holds_up_nothing_and_of_more_than_can_wait_the_oldest_are_dropped(
    real_server, publish, wait_until
):
    server = real_server()
    server.start()
    sink = server.sink()
    publisher = publish(sink, most_waiting=10)
    put(publisher, range(5))
    wait_until(lambda: sink.acknowledged == 5)
    server.hang()
    put(publisher, [5])
    wait_until(lambda: sink.begun == 6)
    put(publisher, range(6, 56))
    begun_s = time.monotonic()
    (found,) = publisher.close(0.2)
    assert time.monotonic() - begun_s < 30
    assert (found.samples, found.acknowledged, found.dropped) == (56, 5, 40)
    assert str(found).endswith(
        "40 dropped, 11 left (no answer); `sweetspot telemetry replay` sends them"
    )
    server.resume()
    wait_until(lambda: sink.acknowledged == 6)  # it was asked already
    assert numbers(server) == list(range(6))


def test_stopped_is_left_in_time_and_taken_up_again(real_server):
    server = real_server()
    server.start()
    sink = server.sink(timeout_s=0.5)
    server.hang()
    with pytest.raises(TelemetryError, match="no answer"):
        sink.send(BOARD, samples(sink, 3))
    server.resume()
    again = server.sink()
    again.send(BOARD, samples(again, 3))
    assert len(server.store().read(BOARD, 0, FOREVER)) == 3


def samples(sink, count):
    """Return samples, most of whose channels are NaN, in the unit of a sink."""
    return [replace(each, at=each.at // sink.unit_ns) for each in samples_of(count)]


def test_odd_names_gaps_and_steps_come_back_to_the_bit_however_often_they_were_sent(real_server):
    server = real_server()
    server.start()
    sink = server.sink()
    rows = [list(each.values) for each in samples_of(1200)]
    for row, before in zip(rows[1::10], rows[::10], strict=True):
        row[0] = before[0]  # a step of a simulated trace: two samples at one time
    sent = stamped(rows, 1_790_000_000.25, sink.unit_ns)
    for _ in range(2):
        sink.send(BOARD, sent)
    store = server.store()
    assert str(store.read(BOARD, 0, FOREVER)) == str(sent)
    assert str(store.read(BOARD, sent[5].at, sent[7].at)) == str(sent[5:8])


def test_refused_samples_are_counted_and_hold_up_no_others(real_server, publish, caplog):
    server = real_server()
    server.start()
    if hasattr(server, "forbid"):
        server.forbid()
    publisher = publish(server.sink())
    put(publisher, range(7), FORBIDDEN, sm_mhz=1980.0)
    put(publisher, range(5))
    (found,) = publisher.close(60)
    assert (found.samples, found.acknowledged, found.refused, found.lost) == (12, 5, 7, 7)
    assert ", 5 acknowledged, 7 refused (" in str(found)
    assert "trying again" not in caplog.text
    assert numbers(server) == list(range(5))


def test_replay_counts_what_is_refused(real_server, metered_run):
    server = real_server()
    server.start()
    if hasattr(server, "forbid"):
        server.forbid()
    provenance = {"gpu_uuid": FORBIDDEN, "gpu_name": "NVIDIA H200", "host": "node-1.it"}
    done = replay(read_folder(metered_run(provenance=provenance)), server.sink())
    assert (done.cells, done.samples, done.refused) == (0, 0, 400)


@pytest.mark.parametrize("user", ["", "me"])
def test_who_has_not_the_password_is_told_so_and_it_is_shown_nowhere(
    real_server, tmp_path, metered_run, caplog, capfd, wait_until, user
):
    caplog.set_level(logging.DEBUG)
    server = real_server(guarded=True)
    server.start()
    where = server.where(user, WRONG)
    with publishing(Telemetry(sinks=[where]), tmp_path / "notes") as publisher:
        put(publisher, range(3))
        wait_until(lambda: "trying again" in caplog.text)
    (note,) = map(json.loads, (tmp_path / "notes").read_text().splitlines())
    assert (note["samples"], note["acknowledged"], note["refused"]) == (3, 0, 0)
    folder, sink = metered_run(), server.sink(user=user, password=WRONG)
    with pytest.raises(TelemetryError) as failed:
        replay(read_folder(folder), sink)
    said = [note["reason"], str(failed.value)]
    assert all(
        re.search("(?i)not authorized|authentication failed|authoriz", each) for each in said
    )
    said += [caplog.text, repr(failed.value), repr(where), *capfd.readouterr()]
    said += [each.read_text() for each in folder.rglob("*.txt")]
    assert "s3cr3t" not in "".join(said).replace(str(where.password_file), "")
    server.sink().send(BOARD, samples(sink, 3))  # with the right one
    assert len(server.store().read(BOARD, 0, FOREVER)) == 3


# paho leaves the socket of a handshake that failed to the garbage collector, which says so
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_tls_asks_for_a_certificate_that_is_trusted(real_server):
    server = real_server(tls=True)
    server.start()
    untrusting = server.sink(ca=None)
    with pytest.raises(TelemetryError, match=r"certificate is not trusted \(self.*; see ca"):
        untrusting.send(BOARD, samples(untrusting, 3))
    sink = server.sink()
    sink.send(BOARD, samples(sink, 3))
    assert len(server.store().read(BOARD, 0, FOREVER)) == 3


def test_two_jobs_on_two_boards_do_not_put_each_other_out(real_server, publish, wait_until):
    server = real_server()
    server.start()
    jobs = {"GPU-1": publish(server.sink()), "GPU-2": publish(server.sink())}
    for first in range(0, 100, 10):
        for uuid, publisher in jobs.items():
            put(publisher, range(first, first + 10), uuid)
    for uuid, publisher in jobs.items():
        (found,) = publisher.close(60)
        assert (found.acknowledged, found.reason) == (100, "")
        assert numbers(server, uuid) == list(range(100))


@pytest.mark.parametrize("fault", ["kill", "hang"])
def test_replay_that_a_fault_breaks_off_goes_on_from_there(real_server, metered_run, fault):
    server = real_server()
    server.start()
    found = read_folder(metered_run(cells=3, samples=600))

    def told(so_far):
        if so_far.samples == 1100:
            getattr(server, fault)()

    with pytest.raises(TelemetryError, match="1 of 3 cells are there: the same command goes on"):
        replay(found, server.sink(timeout_s=5), told)
    server.start() if fault == "kill" else server.resume()
    done = replay(found, server.sink())
    assert (done.cells, done.earlier_cells, done.samples) == (3, 1, 1200)
    rows = query(found, server.store())
    assert [(row.to_the_bit, row.differences) for row in rows] == [(True, ())] * 3


def test_hundred_thousand_samples_replayed_twice_are_there_once(real_server, metered_run):
    server = real_server()
    server.start()
    # a message for 100 samples; ExaMon's, 7 for each, would take minutes
    way = {"format": "iotdb-json"} if server.scheme == "mqtt" else {}
    found = read_folder(metered_run(cells=4, samples=25_000))
    for _ in range(2):
        assert replay(found, server.sink(**way)).samples == 100_000
    assert server.count() == 100_000


def test_simulated_run_is_kept_apart_and_comes_back_with_all_its_steps(real_server, simulated_run):
    server = real_server()
    server.start()
    found = read_folder(simulated_run)
    replay(found, server.sink())
    rows = query(found, server.store())
    assert len(rows) == 9
    assert all(row.to_the_bit and not row.differences for row in rows)
    assert all("simulated" in name for name in server.names())
