"""A real vLLM server on the CPU, as the endpoint that is measured."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass

import pytest
import tiny

pytestmark = pytest.mark.slow(reason="vLLM")

START_S = 300
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_HOST_IP": "127.0.0.1",
    "GLOO_SOCKET_IFNAME": "lo",
    "VLLM_CPU_KVCACHE_SPACE": "1",
}
ARGUMENTS = (
    *("--served-model-name", "tiny", "--load-format", "dummy", "--skip-tokenizer-init"),
    *("--dtype", "bfloat16", "--max-model-len", "128", "--max-num-seqs", "8"),
    *("--no-enable-prefix-caching", "--enforce-eager", "--host", "127.0.0.1"),
)


@dataclass
class Server:
    process: subprocess.Popen
    url: str
    model: str

    def experiment(self, **lengths):
        """Return an experiment on this server, whose ids are those that its model has."""
        return {
            "engine": "endpoint",
            "models": [self.model],
            "endpoint": {"url": self.url},
            "sweeps": {"s": lengths},
            "limits": {"max_batch_size": 8, "max_seq_len": 128, "max_num_tokens": 128},
            "dataset": {"vocab_size": 300, "eos_id": 2},
            "measure": {},
        }

    def kill_once_it_runs(self):
        """Wait for more requests in flight than are tried first; the rest takes minutes."""
        running = re.compile(r"^vllm:num_requests_running\{.*\} [4-8]", re.MULTILINE)
        end_s = time.monotonic() + START_S
        while time.monotonic() < end_s and not running.search(answers(f"{self.url}/metrics")):
            time.sleep(0.05)
        self.kill()

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def vllm_server(tmp_path_factory, vllm_python):
    folder = tmp_path_factory.mktemp("tiny")
    heads = {"hidden_size": 128, "num_attention_heads": 2, "num_key_value_heads": 1}
    sizes = heads | {"max_position_embeddings": 128}
    (folder / "config.json").write_text(json.dumps(tiny.LLAMA | sizes))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(vllm_python, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder)),
        *(*ARGUMENTS, "--port", str(port)),
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env=os.environ | ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server = Server(process, f"http://127.0.0.1:{port}", str(folder))
    try:
        end_s = time.monotonic() + START_S
        while not answers(f"{server.url}/health"):
            assert process.poll() is None, (folder / "log").read_text()[-2000:]
            assert time.monotonic() < end_s, (folder / "log").read_text()[-2000:]
            time.sleep(0.5)
        yield server
    finally:
        if process.poll() is None:
            server.kill()


def answers(url):
    """Return what stands at a URL; "" where nothing answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback
            return answer.read().decode() or "ok"
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return ""


def test_cells_are_measured_at_exact_lengths_with_counts_that_agree(measure_endpoint, vllm_server):
    whole = vllm_server.experiment(input_tokens=[16, 60], output_tokens=[8], requests=[32])
    records = measure_endpoint(vllm_server.url, pid=vllm_server.process.pid, whole=whole)
    assert len(records) == 2
    for record in records:
        # the server takes all cores, so that the sampler may have few looks; nothing else is wrong
        assert all("power sample" in each for each in filter(None, record.reason.split("; ")))
        assert record.engine_version == "vLLM 0.32.0"
        assert record.provenance["served_model"] == "tiny"
        assert record.provenance["prompts"] == "token ids"
        assert record.mean_power_w == pytest.approx(300)
        assert 0 < record.ttft_p50_s < record.e2e_p50_s <= record.e2e_p99_s


def test_server_that_is_killed_costs_the_cell_and_is_named(measure_endpoint, vllm_server):
    """The last test of the module: there is no server after it."""
    whole = vllm_server.experiment(input_tokens=[16], output_tokens=[100], requests=[2000])
    killer = threading.Thread(target=vllm_server.kill_once_it_runs)
    killer.start()
    try:
        (record,) = measure_endpoint(vllm_server.url, pid=vllm_server.process.pid, whole=whole)
    finally:
        killer.join()
    assert record.status in ("failed", "invalid")
    assert "requests" in record.reason
