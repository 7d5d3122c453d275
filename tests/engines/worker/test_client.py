"""Workers as this side sees them: good answers, and every way in which one can let us down."""

import json
import os
import sys
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.engines.worker import client as worker_module
from sweetspot.engines.worker.client import (
    Loaded,
    Ran,
    Refused,
    Worker,
    parse_answer,
    worker_command,
)
from sweetspot.errors import EngineError, InputError

# A program that says something, then answers each order as the test wants it.
PROGRAM = """
import json, os, signal, subprocess, sys, time
print("its last words", file=sys.stderr, flush=True)
def answer(line):
    print(line, flush=True)
def ran(**changes):
    start_s = time.monotonic()
    time.sleep(0.001)
    done = dict(ok=True, start_s=start_s, end_s=time.monotonic(), passes=1, requests=4,
                input_tokens=64, output_tokens=32, max_concurrency=4, remarks=[])
    answer(json.dumps(done | changes))
for line in sys.stdin:
    order = json.loads(line)
    if order["op"] == "close":
        break
    FAULT
"""


@pytest.fixture
def worker(tmp_path):
    """Return a function that starts a worker with a fault; all are ended after the test."""
    workers = []

    def start(fault, timeout_s=60.0):
        program = tmp_path / "worker.py"
        program.write_text(PROGRAM.replace("FAULT", fault))
        workers.append(
            Worker(
                [sys.executable, str(program)],
                environment={"GREETING": "hello"},
                log_path=tmp_path / "logs" / "worker.log",
                timeout_s=timeout_s,
            )
        )
        return workers[-1]

    yield start
    for each in workers:
        each.close()


def test_orders_are_answered_until_the_worker_is_closed(worker):
    loaded = 'answer(json.dumps({"ok": True, "facts": {"said": os.environ["GREETING"]}}))'
    both = worker(f'{loaded} if order["op"] == "load" else ran(requests=order["requests"])')
    assert both.load({"model": "tiny"}).facts == {"said": "hello"}
    assert [both.run({"requests": n}).requests for n in (3, 5)] == [3, 5]
    both.close()
    assert both.ended


def test_log_keeps_what_all_workers_of_a_board_print(worker, tmp_path):
    for _ in range(2):
        each = worker("ran()")
        each.run({})
        each.close()
    assert (tmp_path / "logs" / "worker.log").read_text() == "its last words\n" * 2


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("sys.exit(3)", "the worker ended without an answer, with exit code 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "ended without an answer, with signal 9"),
        (
            "answer('not json')",
            r"answered 'not json', which is not an answer \(it is not valid",
        ),
        ("answer('[' * 9999)", r"which is not an answer \("),
        ("answer('{}')", r"answered '\{\}', which is not an answer \(.*ok"),
        ("answer('[]')", "which is not an answer"),
        ("ran(start_s=float('nan'))", "start_s"),
        ("ran(end_s=float('inf'))", "end_s"),
        ("ran(requests='4')", "requests"),
        ("ran(requests=4.0)", "requests"),
        ("ran(output_tokens=-1)", "output_tokens"),
        ("ran(passes=0)", "passes"),
        ("ran(remarks='none')", "remarks"),
        ("ran(colour='blue')", "colour"),
        ("ran(start_s=1.0)", "ran from 1.0 s to .* on the monotonic clock"),
        ("ran(end_s=time.monotonic() + 60)", "on the monotonic clock"),
        ("ran(end_s=time.monotonic())", "on the monotonic clock"),  # before it begins
    ],
)
def test_worker_that_dies_or_answers_nonsense_is_ended(worker, fault, message):
    bad = worker(fault)
    with pytest.raises(EngineError, match=message) as error:
        bad.run({})
    assert "its last words: its last words (its log: " in str(error.value)
    assert bad.ended


def test_dead_worker_answers_no_further_order(worker):
    dead = worker("sys.exit()")
    for _ in range(2):
        with pytest.raises(EngineError, match="ended without an answer, with exit code 0"):
            dead.run({})


def test_worker_that_hangs_is_ended_with_all_that_it_started(worker, tmp_path):
    child = tmp_path / "child"
    child.touch()
    for timeout_s in (0.5, 5.0, 50.0):  # a busy machine takes a while to begin
        hanging = worker(
            "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
            f"    open({str(child)!r}, 'w').write(str(child.pid)); time.sleep(600)",
            timeout_s=timeout_s,
        )
        with pytest.raises(EngineError, match=rf"ended after {timeout_s:g} s without an answer"):
            hanging.run({})
        if child.read_text():
            break
    with pytest.raises(ProcessLookupError):
        os.kill(int(child.read_text()), 0)


def test_endless_answer_is_cut_off(worker):
    endless = worker("[sys.stdout.write('x' * 65536) for _ in range(10**9)]")
    with pytest.raises(EngineError, match="answered more than 1048576 bytes"):
        endless.run({})


@pytest.mark.parametrize("text", ["'x' * 65536", "'a line' + chr(10)"])
def test_endless_log_ends_the_worker(worker, monkeypatch, tmp_path, text):
    monkeypatch.setattr(worker_module, "MAX_LOG_BYTES", 300_000)
    flooding = worker(f"[sys.stderr.write({text}) for _ in range(10**9)]")
    with pytest.raises(EngineError, match="was ended as it printed more than 300000 bytes"):
        flooding.run({})
    assert (tmp_path / "logs" / "worker.log").stat().st_size <= 300_000


def test_log_does_not_grow_with_every_worker(worker, monkeypatch, tmp_path):
    monkeypatch.setattr(worker_module, "MAX_LOG_BYTES", 1000)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "worker.log").write_bytes(b"x" * 1001)  # of workers before
    each = worker("ran()")
    each.run({})
    each.close()
    assert (tmp_path / "logs" / "worker.log").read_text() == "its last words\n"


@pytest.mark.parametrize("usable", [True, False])
def test_worker_out_of_memory_is_used_on_only_if_it_says_so(worker, usable):
    refusal = {"ok": False, "kind": "out of memory", "error": "CUDA, 9 GiB", "usable": usable}
    full = worker(f"ran() if 'small' in order else answer(json.dumps({refusal}))")
    with pytest.raises(EngineError, match=r"^out of memory: CUDA, 9 GiB \(the worker's log: "):
        full.run({})
    assert full.ended is not usable
    if usable:
        assert full.run({"small": True}).requests == 4


def test_engine_error_ends_the_worker_and_a_missing_package_is_the_users(worker):
    refusal = {"ok": False, "kind": "error", "error": "RuntimeError: no", "usable": False}
    broken = worker(f"answer(json.dumps({refusal}))")
    with pytest.raises(EngineError, match=r"^RuntimeError: no"):
        broken.load({})
    assert broken.ended
    lacking = worker(f"answer(json.dumps({refusal | {'kind': 'setup', 'error': 'no torch'}}))")
    with pytest.raises(InputError, match=r"^no torch$"):
        lacking.load({})


def test_program_that_is_not_there_is_named(tmp_path):
    with pytest.raises(EngineError, match="cannot start no-such-python"):
        Worker(["no-such-python"], environment={}, log_path=tmp_path / "log", timeout_s=1)


def test_log_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"):
        Worker(["true"], environment={}, log_path=tmp_path / "file" / "log", timeout_s=1)


def test_python_of_a_worker_may_be_a_command_of_several_words():
    [*python, program, module] = worker_command("conda run -n 'my engine' python", "some_worker")
    assert python == ["conda", "run", "-n", "my engine", "python"]
    assert program.endswith("/engines/workers/worker_main.py")
    assert module == "some_worker"


RAN = {
    "ok": True,
    "start_s": 1.0,
    "end_s": 2.5,
    "passes": 3,
    "requests": 12,
    "input_tokens": 192,
    "output_tokens": 96,
    "max_concurrency": None,
    "remarks": ["a remark"],
}
REFUSED = {"ok": False, "kind": "error", "error": "no", "usable": False}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def line(answer):
    return json.dumps(answer).encode()


def test_each_answer_is_read_as_what_it_is():
    assert asdict(parse_answer(line(RAN), Ran)) == RAN
    assert parse_answer(line({"ok": True, "facts": {"a": "b"}}), Loaded).facts == {"a": "b"}
    assert parse_answer(line(REFUSED), Ran) == parse_answer(line(REFUSED), Loaded)
    assert isinstance(parse_answer(line(REFUSED), Ran), Refused)


@pytest.mark.parametrize("key", RAN)
def test_no_key_of_an_answer_may_be_missing(key):
    answer = {name: value for name, value in RAN.items() if name != key}
    with pytest.raises(ValueError, match=f"which is not an answer .*{key}"):
        parse_answer(line(answer), Ran)


def test_answer_to_another_order_is_none():
    with pytest.raises(ValueError, match="which is not an answer"):
        parse_answer(line(RAN), Loaded)


@given(st.sampled_from(sorted(RAN)), JSON)
def test_answer_with_any_value_changed_is_valid_or_refused(key, value):
    try:
        answer = parse_answer(line(RAN | {key: value}), Ran)
    except ValueError:
        return
    assert isinstance(answer, Ran)
    assert type(getattr(answer, key)) in (type(value), float)  # a whole number may be a time


@given(st.binary() | JSON.map(line))
def test_any_other_line_is_refused_with_its_beginning(anything):
    with pytest.raises(ValueError, match=r"which is not an answer \(") as error:
        parse_answer(anything, Ran)
    assert len(str(error.value)) < 1000
