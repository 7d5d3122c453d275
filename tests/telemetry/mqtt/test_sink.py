"""The sink at brokers that are there, are not, refuse, fall silent or hang up."""

import socket
import time

import pytest
from paho.mqtt.client import Client

from sweetspot.errors import InputError, TelemetryError
from sweetspot.telemetry.contracts import RefusedError
from sweetspot.telemetry.sample import Source

GREETING = b"\x16\x03\x03\x40\x00"  # how one by TLS begins
SOURCE = Source(gpu_uuid="GPU-1", gpu_name="NVIDIA H200", host="n1")


def test_send_returns_when_all_is_acknowledged(broker, sink_to, samples):
    sink_to(broker.port).send(SOURCE, samples(1200))
    assert len(broker.messages) == 2400  # t_s and power, and more than are in flight at once
    assert len(set(broker.messages)) == 2400


def test_one_connection_serves_all_calls_and_another_no_one_with_the_same_name(
    broker, sink_to, samples
):
    one, other = sink_to(broker.port), sink_to(broker.port)
    for sink in (one, other, one, other):
        sink.send(SOURCE, samples(1))
    assert len(set(broker.clients)) == len(broker.clients) == 2
    assert all(socket.gethostname() in client for client in broker.clients)


def test_a_broker_that_ended_a_silent_connection_costs_nothing(
    broker, sink_to, samples, wait_until
):
    sink = sink_to(broker.port)
    sink.send(SOURCE, samples(1))
    broker.hang_up()

    def hears():
        try:
            sink.send(SOURCE, samples(1))
        except TelemetryError:  # the end of it had not come yet
            return False
        return len(broker.clients) > 1

    wait_until(hears)


def test_what_was_not_acknowledged_is_sent_again_by_the_next_call(broker, sink_to, samples):
    broker.hangs_up_after = 5
    sink = sink_to(broker.port)
    with pytest.raises(TelemetryError, match=r"^mqtt://127\.0\.0\.1:\d+: "):
        sink.send(SOURCE, samples(10))
    sink.send(SOURCE, samples(10))
    assert len(set(broker.messages)) == 20


def test_a_broker_that_falls_silent_is_given_up_in_time(broker, sink_to, samples):
    broker.acknowledges = 3
    begun_s = time.monotonic()
    with pytest.raises(TelemetryError, match=r"3 messages are not acknowledged after 0\.3 s"):
        sink_to(broker.port, timeout_s=0.3).send(SOURCE, samples(3))
    assert time.monotonic() - begun_s >= 0.3


def test_a_broker_that_hangs_up_while_its_word_is_waited_for_is_left_at_once(
    broker, sink_to, samples
):
    broker.acknowledges = 0
    broker.hangs_up_after = 3  # with the fourth message, which is the last
    with pytest.raises(TelemetryError, match=r"connection was lost|not currently connected"):
        sink_to(broker.port, timeout_s=60).send(SOURCE, samples(2))


def test_what_a_broker_forbids_is_refused_and_the_rest_is_acknowledged(broker, sink_to, samples):
    broker.reasons["temp"] = 0x87
    some = [*samples(4), *samples(3, first_ms=2_000_000_000_000, temperature_c=40.0)]
    sink = sink_to(broker.port)
    with pytest.raises(RefusedError, match=r"/GPU-1/temp: Not authorized$") as refused:
        sink.send(SOURCE, some)
    assert refused.value.samples == 3
    sink.send(SOURCE, samples(2))  # by the same connection
    assert (len(broker.clients), broker.versions) == (1, [5])


@pytest.mark.parametrize(("reason", "said"), [(0x97, "Quota exceeded$"), (0x77, "protocol error")])
def test_what_a_broker_may_take_later_is_sent_again(broker, sink_to, samples, reason, said):
    broker.reasons["power"] = reason
    sink = sink_to(broker.port)
    with pytest.raises(TelemetryError, match=said) as failed:
        sink.send(SOURCE, samples(2))
    assert not isinstance(failed.value, RefusedError)
    broker.reasons.clear()
    sink.send(SOURCE, samples(2))


@pytest.mark.parametrize("reason", [0x80, 0x83])
def test_of_what_a_broker_refuses_for_no_named_reason_it_is_not_known_which_and_how_long(
    broker, sink_to, samples, reason
):
    broker.reasons["temp"] = reason
    sink = sink_to(broker.port)
    with pytest.raises(RefusedError, match=r"/GPU-1/temp: \w+") as refused:
        sink.send(SOURCE, samples(3, temperature_c=40.0))
    assert refused.value.samples is None  # tried again by halves, and given up one by one
    broker.reasons.clear()
    sink.send(SOURCE, samples(3, temperature_c=40.0))


def test_a_broker_of_mqtt_3_gets_all_and_it_is_said_what_its_word_is_worth(
    broker, sink_to, samples
):
    broker.version, broker.reasons["power"] = 4, 0x87  # which it cannot say
    sink = sink_to(broker.port)
    assert sink.caveat == ""
    sink.send(SOURCE, samples(2))
    assert sink.caveat == "it speaks MQTT 3.1.1 alone, which acknowledges what it refuses, too"
    broker.hang_up()
    sink.close()
    sink.send(SOURCE, samples(2))
    assert broker.versions == [5, 4, 4]


def test_messages_that_nobody_has_subscribed_to_are_said(broker, sink_to, samples):
    broker.reasons["power"] = broker.reasons["root.sweetspot.n1.GPU_1"] = 0x10
    sink, of_iotdb = sink_to(broker.port), sink_to(broker.port, format="iotdb-json")
    for each in (sink, of_iotdb):
        each.send(SOURCE, samples(3))
    assert sink.caveat == "to 3 messages nobody had subscribed"
    assert of_iotdb.caveat == ""  # its broker stores them itself


def test_no_more_wait_for_a_word_than_a_broker_bears(broker, sink_to, samples, monkeypatch):
    broker.at_once = 4
    sink, waiting, publish = sink_to(broker.port), [], Client.publish

    def counted(*message, **options):
        waiting.append(len(sink._open))
        return publish(*message, **options)

    monkeypatch.setattr(Client, "publish", counted)
    sink.send(SOURCE, samples(8))
    assert max(waiting) == 3


def test_a_broker_that_says_nothing_at_all_is_given_up_in_time(sink_to, samples):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        sink = sink_to(mute.getsockname()[1], timeout_s=0.3)
        with pytest.raises(TelemetryError, match=r"no answer after 0\.3 s"):
            sink.send(SOURCE, samples(1))


def test_a_refusal_is_said_without_the_password(broker, sink_to, samples):
    broker.answer = 0x87
    sink = sink_to(broker.port, user="me", password_env="PW", environment={"PW": "s3cr3t"})
    with pytest.raises(
        TelemetryError, match=r": Not authorized; see user and password_env$"
    ) as refused:
        sink.send(SOURCE, samples(1))
    assert broker.logins == [("me", "s3cr3t")]
    assert "s3cr3t" not in f"{refused.value!r} {sink!r} {vars(sink)!r}"


def test_an_address_that_does_not_answer_leaves_time_for_the_next(
    broker, sink_to, samples, deaf, named
):
    named(deaf(), ("127.0.0.1", broker.port))
    sink_to(1883, host="broker.example", timeout_s=1.2).send(SOURCE, samples(1))
    assert len(broker.messages) == 2


def test_a_tls_greeting_that_drips_is_left_in_time(sink_to, samples, saying):
    with pytest.raises(TelemetryError, match="no answer in time"):
        sink_to(saying(GREETING, drips=True)[1], "mqtts", timeout_s=0.3).send(SOURCE, samples(1))


def test_a_file_that_is_none_of_certificates_is_refused_before_anything_is_sent(tmp_path, sink_to):
    for content in (None, "no certificate"):
        path = tmp_path / "ca.pem"
        if content:
            path.write_text(content)
        with pytest.raises(InputError, match="is no file of certificates"):
            sink_to(8883, "mqtts", ca=str(path))
