"""A running server as an engine, against a small real one on loopback and the fake driver."""

import asyncio
import itertools
import os
from collections import Counter

import pytest
from openai_server import MODEL, SELF_SIGNED, serving

from sweetspot.config import Endpoint, parse_experiment
from sweetspot.engines.endpoint import client
from sweetspot.engines.endpoint.arrivals import offsets_s
from sweetspot.engines.endpoint.client import Server
from sweetspot.engines.endpoint.engine import endpoint_engine
from sweetspot.errors import EngineError, InputError
from sweetspot.plan.plan import plan


def test_cell_is_measured_at_a_server(server, measure_endpoint):
    (record,) = measure_endpoint(server.url)
    assert (record.status, record.reason) == ("ok", "")
    assert record.engine_version == "vLLM 0.32.0"
    assert record.mean_power_w == pytest.approx(300)
    assert record.energy_per_request_j == pytest.approx(8 * record.energy_per_token_j)
    assert record.provenance["served_model"] == MODEL
    assert record.provenance["prompts"] == "token ids"
    assert 0 < record.ttft_p50_s <= record.ttft_p99_s
    assert record.ttft_p50_s < record.e2e_p50_s <= record.e2e_p99_s
    assert record.tpot_p50_s > 0


def test_steady_part_is_metered_where_it_is_long_enough(server, measure_endpoint):
    server.token_s = 0.03
    (record,) = measure_endpoint(server.url, cells={"output_tokens": [24]})
    assert record.window_start_s <= record.steady_start_s < record.steady_end_s
    steady_w = record.steady_energy_per_token_j * record.steady_throughput_tokens_per_s
    assert steady_w == pytest.approx(300)


def test_prompts_have_exact_lengths_and_no_two_begin_alike(server, measure_endpoint):
    (record,) = measure_endpoint(server.url)
    asked = [body for body in server.bodies if body["max_tokens"] == 8]
    assert len(asked) == 2 + 4 * record.passes  # those that warm up are a pass of their own
    assert {len(body["prompt"]) for body in asked} == {16}
    assert {(body["min_tokens"], body["ignore_eos"]) for body in asked} == {(8, True)}
    assert len({(body["prompt"][0], body["prompt"][1]) for body in asked}) == len(asked)


def test_text_is_sent_where_ids_are_refused(server, measure_endpoint):
    server.takes_ids = False
    (record,) = measure_endpoint(server.url)
    assert (record.status, record.reason) == ("ok", "")
    assert record.provenance["prompts"] == "text"


def test_boards_of_tensor_parallel_are_added(server, measure_endpoint):
    (record,) = measure_endpoint(server.url, boards=2, tensor_parallel=2)
    assert (record.status, record.reason) == ("ok", "")
    assert record.mean_power_w == pytest.approx(600)
    assert record.provenance["gpu_uuid"] == "GPU-0 GPU-1"


def test_boards_and_limits_that_disagree_are_refused(server, measure_endpoint):
    with pytest.raises(InputError, match=r"computes on 2 GPUs \(GPU-0, GPU-1\).*is 1; make them"):
        measure_endpoint(server.url, boards=2)


def test_server_on_another_kind_of_board_than_the_experiments_is_refused(server, measure_endpoint):
    mixed = [{"pids": 1}, {"name": "Tesla_T4"}]  # the H100, which is free, is not the server's
    for boards in (mixed, mixed[::-1]):
        with pytest.raises(InputError, match=r"on GPU-\d, which is 'Tesla T4', and not h100-sxm"):
            measure_endpoint(server.url, boards=boards)


def test_arrivals_at_a_rate_are_spread(server, measure_endpoint):
    (record,) = measure_endpoint(server.url, arrivals="poisson", rate_per_s=40)
    assert record.status == "ok"
    options = Endpoint(arrivals="poisson", rate_per_s=40)
    assert record.duration_s >= offsets_s(options, 4)[-1] > 0.05


def test_arrivals_of_a_log_are_followed(server, measure_endpoint, tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("arrival_s,input_tokens\n7,1\n7.05,1\n7.1,1\n7.2,1\n8,1\n")
    (record,) = measure_endpoint(server.url, arrivals="log", arrivals_log=str(log))
    assert record.status == "ok"
    assert record.duration_s > 0.2


@pytest.mark.parametrize(
    "lines",
    [
        "timestamp_ms;x\n8000;1\n7000;1\n7500;1\n7100;1\n",
        '{"created": 1700000001, "usage": {"x": 1}}\n{"created": 1700000000}\n'
        '{"created": 1700000000.5}\n{"created": 1700000000.1}\n',
        "TIMESTAMP\n2024-05-10 00:00:01\n2024-05-10 00:00:00\n2024-05-10 00:00:00.5\n"
        "2024-05-10 00:00:00.1\n",
    ],
)
def test_log_of_arrivals_is_read_as_all_logs_are(tmp_path, lines):
    log = tmp_path / "log"
    log.write_text(lines, encoding="utf-8")
    options = Endpoint(arrivals="log", arrivals_log=log)
    assert offsets_s(options, 4) == pytest.approx([0, 0.1, 0.5, 1])
    assert offsets_s(options, 2) == pytest.approx([0, 0.1])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("arrival_s\n1\n2\n", "has 2 requests, and the cell 3; take a longer log"),
        ("input_tokens\n1\n2\n3\n", "has no column that says when a request came"),
        ("arrival_s\n1\nsoon\n3\n", "line 3: arrival_s must be a time, not 'soon'"),
        ("arrival_s\n1\ninf\n3\n", "line 3: arrival_s must be a time, not 'inf'"),
    ],
)
def test_log_without_times_of_arrival_is_one_line(tmp_path, lines, message):
    log = tmp_path / "log.csv"
    log.write_text(lines, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        offsets_s(Endpoint(arrivals="log", arrivals_log=log), 3)


def test_log_of_arrivals_that_changed_since_planning_is_refused(measure_endpoint, tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("arrival_s\n1\n", encoding="utf-8")
    (block,) = planned(arrivals="log", arrivals_log=str(log))
    log.write_text("arrival_s\n2\n", encoding="utf-8")
    with pytest.raises(InputError, match="changed since the cells were planned"):
        endpoint_engine(block.settings, None)


def planned(**endpoint):
    sweeps = {"s": {"input_tokens": [16], "output_tokens": [8], "requests": [1]}}
    experiment = {"engine": "endpoint", "models": ["llama-3.2-1b"], "endpoint": endpoint}
    return plan(parse_experiment(experiment | {"sweeps": sweeps})).blocks


def key(**endpoint):
    (block,) = planned(**endpoint)
    return block.key(block.cells[0])


def test_key_hangs_on_what_a_log_holds_and_on_no_place(tmp_path):
    for name, times in (("a", "1\n2\n"), ("b", "1\n2\n"), ("c", "1\n3\n")):
        (tmp_path / name).write_text(f"arrival_s\n{times}", encoding="utf-8")
    a, b, c = (key(arrivals="log", arrivals_log=str(tmp_path / name)) for name in "abc")
    assert a == b != c
    elsewhere = key(url="http://node7:9000", gpus=["GPU-1"], api_key_env="KEY")
    assert key() == elsewhere != key(warmup=3)
    assert key(arrivals="poisson", rate_per_s=1.0) != key(arrivals="poisson", rate_per_s=2.0)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("429", "requests failed: the server answers 429 Too Many Requests: too many requests"),
        ("cut", "requests failed: the stream was cut in the middle, after 4 pieces"),
        ("short", "answers are of another length than 8 tokens, such as 7"),
    ],
)
def test_fault_of_some_requests_makes_the_cell_invalid(server, measure_endpoint, fault, reason):
    server.fault, server.fault_from = fault, 5  # one asks what it is, two warm up, two go well
    (record,) = measure_endpoint(server.url)
    assert record.status == "invalid"
    assert reason in record.reason
    assert record.energy_j > 0


def test_server_that_dies_fails_the_next_cells_too(server, measure_endpoint):
    server.fault, server.fault_from = "died", 3
    records = measure_endpoint(server.url, cells={"output_tokens": [8, 9]})
    assert [record.status for record in records] == ["failed", "failed"]
    assert "none of 4 requests was answered" in records[0].reason
    assert f"nothing answers at {server.url}" in records[1].reason


def test_server_that_is_another_one_in_the_next_cell_ends_the_block(server, measure_endpoint):
    server.upgraded_from = 3  # one asks what it is, two warm up
    with pytest.raises(
        InputError, match=r"was vLLM 0\.32\.0 with .* and is now vLLM 0\.33\.0 with"
    ):
        measure_endpoint(server.url, cells={"output_tokens": [8, 9]})


PAGES = ("/metrics", "/version")


@pytest.fixture
def at_once(monkeypatch):
    """Have pages looked at again at once."""
    monkeypatch.setattr(client, "_AGAIN_S", 0)


@pytest.mark.usefixtures("at_once")
def test_look_that_fails_is_made_again(server, measure_endpoint):
    fails = dict.fromkeys(PAGES, itertools.cycle((True, True, False)))
    server.is_busy = lambda path: path in fails and next(fails[path])
    records = measure_endpoint(server.url, cells={"output_tokens": [8, 9]})
    assert [(each.status, each.reason) for each in records] == [("ok", "")] * 2
    assert not any("looked at" in each.remarks for each in records)
    assert {each.engine_version for each in records} == {"vLLM 0.32.0"}


@pytest.mark.usefixtures("at_once")
def test_server_that_cannot_be_looked_at_is_not_another_one(server, measure_endpoint):
    lost = {"/version"}
    server.is_busy = lambda path: path in lost
    server.seen = lambda number: number == 3 and lost.add("/metrics")  # one asks, two warm up
    first, second = measure_endpoint(server.url, cells={"output_tokens": [8, 9]})
    unseen = "could not be looked at, 3 times: the server answers 503 Service Unavailable: busy"
    again = unseen.replace("3 times", "again")
    assert (first.status, first.reason) == ("invalid", f"the server's /metrics {unseen}")
    assert (second.status, second.reason) == ("ok", "")
    assert second.remarks.split("; ")[:5] == [
        *(f"the server's /metrics {again}", "whether the server is still the same is not known"),
        *(f"the server's /version {again}", "whether the server is still the same is not known"),
        f"the server's /metrics {again}, so requests of others could not be seen",
    ]


@pytest.mark.usefixtures("at_once")
def test_version_of_a_later_page_is_found_and_stays_that_of_the_server(server, measure_endpoint):
    busy = {"/version"}
    server.is_busy = lambda path: path in busy
    server.pages["/info"] = {"version": "3.3.7"}
    server.seen = lambda number: number == 3 and busy.clear()  # then /version says 0.32.0
    records = measure_endpoint(server.url, version="3.3.7", cells={"output_tokens": [8, 9]})
    assert [(each.status, each.reason) for each in records] == [("ok", "")] * 2
    assert [each.provenance["server_version"] for each in records] == ["3.3.7"] * 2
    assert not any("looked at" in each.remarks for each in records)


@pytest.mark.usefixtures("at_once")
def test_gateway_that_is_busy_for_unknown_pages_is_looked_at_once_a_cell(server, measure_endpoint):
    looks = []
    server.is_busy = lambda path: path != "/v1/models" and not looks.append(path)
    records = measure_endpoint(server.url, cells={"output_tokens": [8, 9]})
    assert [(each.status, each.reason) for each in records] == [("ok", "")] * 2
    counts = Counter(looks)
    assert counts.pop("/metrics") == client.LOOKS + 2 * 2  # whether it is the same, what it counts
    assert set(counts.values()) == {client.LOOKS + 2}
    assert "/version" in counts


@pytest.mark.usefixtures("at_once")
def test_what_was_unseen_at_first_is_taken_up_and_compared(server, measure_endpoint):
    server.is_busy = lambda path: path in PAGES and not server.bodies
    (record,) = measure_endpoint(server.url)
    assert (record.status, record.reason) == ("ok", "")
    assert record.provenance["server"] == "vLLM"
    assert record.provenance["server_version"] == "0.32.0"
    assert "looked at" not in record.remarks
    server.bodies.clear()
    server.upgraded_from = 3  # one asks what it is, two warm up
    with pytest.raises(InputError, match=r"was vLLM 0\.32\.0 with .* and is now vLLM 0\.33\.0"):
        measure_endpoint(server.url, cells={"output_tokens": [8, 9]})


@pytest.mark.usefixtures("at_once")
def test_version_that_is_wanted_and_cannot_be_looked_at_is_said(server, measure_endpoint):
    server.is_busy = PAGES.__contains__
    with pytest.raises(EngineError, match="the server's /version could not be looked at, 3 times"):
        measure_endpoint(server.url, version="0.32.0")


def test_answer_that_is_late_is_none(monkeypatch):
    looks = []

    class Late(Server):
        async def get(self, session, path):
            looks.append(path)
            if len(looks) == 1:
                await asyncio.sleep(600)
            return "here"

    monkeypatch.setattr(client, "_LOOK_S", 0.01)
    monkeypatch.setattr(client, "_AGAIN_S", 0)
    assert asyncio.run(Late("http://x").look(None, "/metrics")) == "here"
    assert looks == ["/metrics"] * 2


def test_board_that_is_lost_in_the_window_costs_the_cell_and_is_named(
    server, measure_endpoint, lose_boards
):
    server.seen = lambda number: number == 5 and lose_boards()  # two warmed up, two went well
    records = measure_endpoint(server.url, cells={"output_tokens": [8, 9]})
    assert [record.status for record in records] == ["failed", "failed"]
    assert all("GPU is lost" in record.reason for record in records)


def test_prefixes_from_a_cache_make_the_cell_invalid(server, measure_endpoint):
    server.cached_tokens = 15
    (record,) = measure_endpoint(server.url)
    assert record.status == "invalid"
    assert "prompt tokens from its prefix cache" in record.reason


def test_traffic_of_others_makes_the_cell_invalid(server, measure_endpoint):
    server.foreign_tokens = 3
    (record,) = measure_endpoint(server.url)
    assert record.status == "invalid"
    assert "others used the server: it did" in record.reason


def test_server_without_metrics_is_remarked(server, measure_endpoint):
    server.kind = ""
    (record,) = measure_endpoint(server.url)
    assert record.status == "ok"
    assert "no known /metrics" in record.remarks


def test_boards_that_are_not_the_servers_are_refused(server, measure_endpoint):
    with pytest.raises(InputError, match="cannot be told"):
        measure_endpoint(server.url, pid=1)


def test_strangers_on_the_boards_make_the_cell_invalid(server, measure_endpoint):
    (record,) = measure_endpoint(server.url, pid=f"1,{os.getpid()}")
    assert record.status == "invalid"
    assert "other processes on the GPU" in record.reason


def test_certificate_is_checked(measure_endpoint, monkeypatch):
    with serving(tls=True) as server:
        with pytest.raises(EngineError, match=r"is not trusted .*; name the file .* SSL_CERT_FILE"):
            measure_endpoint(server.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(SELF_SIGNED))
        (record,) = measure_endpoint(server.url)
    assert record.status == "ok"


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"url": "http://127.0.0.1:9"}, EngineError, "nothing answers at http://127.0.0.1:9"),
        ({"url": "https://{host}"}, EngineError, "does not speak TLS; write http://"),
        ({"model": "other"}, InputError, f"has no model 'other' .*; it has {MODEL}"),
        ({"version": "0.1"}, InputError, r"is vLLM 0\.32\.0, not 0\.1"),
        ({"gpus": ["GPU-7"]}, InputError, "names GPU-7, which is not here; NVML sees GPU-0"),
        ({"api_key_env": "NO_SUCH_KEY"}, InputError, "a variable that is not set"),
    ],
)
def test_endpoint_that_is_of_no_use_is_one_line(server, measure_endpoint, how, error, message):
    host = server.url.removeprefix("http://")
    how = {"url": server.url} | {
        name: value.format(host=host) if isinstance(value, str) else value
        for name, value in how.items()
    }
    with pytest.raises(error, match=message) as raised:
        measure_endpoint(**how)
    assert "\n" not in str(raised.value)


def test_page_instead_of_json_is_one_line(server, measure_endpoint):
    server.fault = "html"
    with pytest.raises(EngineError, match=r"HTML that is not JSON; endpoint\.url must be"):
        measure_endpoint(server.url)


def test_key_is_used_and_shown_nowhere(
    server, measure_endpoint, monkeypatch, tmp_path, caplog, capfd
):
    key = "sk-planted-7b1f"
    server.api_key = key
    monkeypatch.setenv("SERVER_KEY", key)
    (record,) = measure_endpoint(server.url, api_key_env="SERVER_KEY")
    assert record.status == "ok"
    monkeypatch.setenv("SERVER_KEY", key + "x")
    with pytest.raises(EngineError, match=r"401 Unauthorized: no such key: Bearer \(key\); name"):
        measure_endpoint(server.url, api_key_env="SERVER_KEY")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert not [path for path in files if key.encode() in path.read_bytes()]
    assert key not in caplog.text + "".join(capfd.readouterr())
