"""Publisher and sink at a real broker: killed, stopped, guarded, by TLS, absent at first."""

import logging
import time

import pytest
from looks import NEVER_S, put
from mosquitto import PASSWORD, SELF_SIGNED, USER

from sweetspot.telemetry.publisher import Publisher

pytestmark = pytest.mark.slow(reason="a broker of its own for each")


@pytest.fixture
def publish(sink_to):
    """Return a function that begins a publisher at a port; options are of the sink."""
    begun = []

    def begin(port, **options):
        begun.append(Publisher([sink_to(port, **options)], "n1", interval_s=NEVER_S))
        return begun[-1]

    yield begin
    for publisher in begun:
        publisher.close(0)


def times(numbers):
    return [f"{number / 10!r};{1_790_000_000 + number / 10:.3f}" for number in numbers]


def test_killed_broker_that_comes_back_gets_every_sample(mosquitto, publish, subscribe, wait_until):
    broker = mosquitto().start()
    publisher, before = publish(broker.port), subscribe(broker)
    put(publisher, range(50))
    wait_until(lambda: before.of("t_s") == times(range(50)))
    broker.kill()
    put(publisher, range(50, 100))
    broker.start()
    after = subscribe(broker)
    put(publisher, range(100, 110))
    # the first ones, too, if the broker was killed before its word on all of them was heard
    wait_until(lambda: set(after.of("t_s")) >= set(times(range(50, 110))))
    (found,) = publisher.close(60)
    assert (found.samples, found.acknowledged) == (110, 110)


def test_broker_that_is_absent_at_first_gets_every_sample(
    mosquitto, publish, subscribe, wait_until, caplog
):
    broker = mosquitto()
    publisher = publish(broker.port)
    put(publisher, range(20))
    wait_until(lambda: "Connection refused; trying again" in caplog.text)
    there = subscribe(broker.start())
    (found,) = publisher.close(60)
    assert found.lost == 0
    wait_until(lambda: there.of("t_s") == times(range(20)))


def test_stopped_broker_does_not_hold_up_the_end(mosquitto, publish, subscribe, wait_until):
    broker = mosquitto().start()
    publisher, there = publish(broker.port, timeout_s=60), subscribe(broker)
    put(publisher, range(5))
    wait_until(lambda: there.of("t_s") == times(range(5)))
    broker.hang()
    put(publisher, range(5, 15))
    begun_s = time.monotonic()
    (found,) = publisher.close()
    assert time.monotonic() - begun_s < 30
    assert (found.samples, found.acknowledged, found.lost) == (15, 5, 10)
    assert found.reason == "no answer"


def test_two_jobs_of_one_configuration_do_not_put_each_other_out(
    mosquitto, publish, subscribe, wait_until
):
    broker = mosquitto().start()
    there = subscribe(broker)
    one, other = publish(broker.port), publish(broker.port)
    for first in range(0, 100, 10):
        put(one, range(first, first + 10), "GPU-1")
        put(other, range(first, first + 10), "GPU-2")
    for publisher in (one, other):
        (found,) = publisher.close(60)
        assert (found.acknowledged, found.reason) == (100, "")
    for uuid in ("GPU-1", "GPU-2"):
        wait_until(lambda uuid=uuid: there.of(f"/id/{uuid}/t_s") == times(range(100)))


@pytest.mark.parametrize(
    ("password", "reason"), [(PASSWORD, ""), ("s3cr3t-but-wrong", "Not authorized"), (None, "")]
)
def test_guarded_broker_takes_the_right_password_only(
    mosquitto, publish, subscribe, wait_until, tmp_path, caplog, password, reason
):
    broker = mosquitto(guarded=True).start()
    there = subscribe(broker, user=USER)
    options = {}
    if password:
        (tmp_path / "password").write_text(password)
        options = {"user": USER, "password_file": tmp_path / "password"}
    publisher = publish(broker.port, **options)
    put(publisher, range(3))
    if password == PASSWORD:
        wait_until(lambda: there.of("t_s") == times(range(3)))
    with caplog.at_level(logging.INFO):
        (found,) = publisher.close(60)
    assert (found.acknowledged, found.reason) == (
        (3, "") if password == PASSWORD else (0, reason or "Not authorized")
    )
    assert "s3cr3t" not in caplog.text


def test_what_an_acl_forbids_is_counted_as_refused_and_holds_up_nothing(
    mosquitto, publish, subscribe, wait_until, caplog
):
    rights = (
        "topic read #\ntopic write org/sweetspot/node/n1/plugin/sweetspot/chnl/data/id/GPU-1/#\n"
    )
    broker = mosquitto(acl=rights).start()
    publisher, there = publish(broker.port), subscribe(broker)
    put(publisher, range(7), "GPU-2")
    put(publisher, range(5), "GPU-1")
    wait_until(lambda: there.of("/id/GPU-1/t_s") == times(range(5)))
    (found,) = publisher.close(60)
    assert (found.samples, found.acknowledged, found.refused, found.lost) == (12, 5, 7, 7)
    assert str(found).startswith(
        f"telemetry to mqtt://127.0.0.1:{broker.port}: 12 samples, 5 acknowledged, 7 refused"
        " (org/sweetspot/node/n1/plugin/sweetspot/chnl/data/id/GPU-2/"
    )
    assert "Not authorized" in caplog.text
    assert "trying again" not in caplog.text


# paho leaves the socket of a handshake that failed to the garbage collector, which says so
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("is_trusted", [True, False])
def test_tls_asks_for_a_certificate_that_is_trusted(mosquitto, publish, tmp_path, is_trusted):
    broker = mosquitto(tls=True).start()
    publisher = publish(broker.port, scheme="mqtts", **({"ca": SELF_SIGNED} if is_trusted else {}))
    put(publisher, range(3))
    (found,) = publisher.close(60)
    if is_trusted:
        assert (found.acknowledged, found.reason) == (3, "")
    else:
        assert found.acknowledged == 0
        assert found.reason.startswith("its certificate is not trusted (self")
