"""The program of all workers: its own Python, its own streams, and errors as answers."""

import json
import shutil
import subprocess
import sys

import pytest

from sweetspot.engines.worker.client import WORKERS

# A module as the program loads them; it is told in its orders what to do wrong.
MODULE = """
import os, sys
print("a library that prints as it is imported")
os.write(1, b"and one that does so without Python\\n")

class Model:
    def __init__(self, order):
        self.order, self.facts = order, {"stdin": sys.stdin.read()}
    def run(self, order):
        print("a library that prints as it runs")
        if order.get("fault") == "memory":
            raise RuntimeError("a step failed") from MemoryError("9 GiB")
        if order.get("fault") == "error":
            raise ValueError("  the first line\\nthe second line")
        return {"nonsense": float("nan")} if order.get("fault") == "nan" else {"seen": order}
    def recover(self):
        return self.order["recovers"]

def load(order):
    if order.get("fault") == "import":
        import no_such_module
    if order.get("fault") == "library":
        raise ImportError("libcudart.so.13: cannot open shared object file")
    return Model(order)
"""
LOAD = {"op": "load", "requires": {}, "recovers": True}


@pytest.fixture
def talk(tmp_path):
    """Return a function that gives orders to the program and returns its answers and its log."""
    folder = tmp_path / "workers"
    folder.mkdir()
    shutil.copy(WORKERS / "worker_main.py", folder)
    (folder / "some_worker.py").write_text(MODULE)

    def run(*orders, code=0):
        done = subprocess.run(
            [sys.executable, "-I", str(folder / "worker_main.py"), "some_worker"],
            input="".join(json.dumps(order) + "\n" for order in orders),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code
        return [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    return run


def test_only_answers_are_on_stdout_and_stdin_is_empty_for_libraries(talk):
    answers, log = talk(LOAD, {"op": "run", "dataset": "a"}, {"op": "run", "dataset": "b"})
    assert answers == [
        {"ok": True, "facts": {"stdin": ""}},
        {"ok": True, "seen": {"dataset": "a"}},
        {"ok": True, "seen": {"dataset": "b"}},
    ]
    for words in ("as it is imported", "without Python", "as it runs"):
        assert words in log


def test_close_ends_it_before_later_orders(talk):
    answers, _ = talk(LOAD, {"op": "close"}, {"op": "run"})
    assert len(answers) == 1


@pytest.mark.parametrize("recovers", [True, False])
def test_memory_that_runs_out_anywhere_behind_an_error_is_said(talk, recovers):
    answers, log = talk(LOAD | {"recovers": recovers}, {"op": "run", "fault": "memory"})
    assert answers[1] == {
        "ok": False,
        "kind": "out of memory",
        "error": "9 GiB",
        "usable": recovers,
    }
    assert "RuntimeError: a step failed" in log


def test_any_other_error_is_an_answer_of_one_line(talk):
    answers, log = talk(LOAD, {"op": "run", "fault": "error"})
    assert answers[1] == {
        "ok": False,
        "kind": "error",
        "error": "ValueError: the first line",
        "usable": False,
    }
    assert "the second line" in log


@pytest.mark.parametrize(
    ("order", "error"),
    [
        ({"fault": "import"}, "No module named 'no_such_module'"),
        ({"fault": "library"}, "libcudart.so.13: cannot open shared object file"),
        ({"requires": {"pytest": "0.1"}}, f"pytest is {pytest.__version__}, not 0.1"),
        ({"requires": {"no-such-package": ""}}, "no-such-package is not installed"),
    ],
)
def test_what_the_user_has_to_install_is_told_apart(talk, order, error):
    [answer], _ = talk(LOAD | order)
    assert answer == {"ok": False, "kind": "setup", "error": error, "usable": False}


def test_package_in_the_right_version_is_enough(talk):
    [answer], _ = talk(LOAD | {"requires": {"pytest": pytest.__version__, "numpy": ""}})
    assert answer["ok"]


def test_number_that_is_none_is_not_an_answer(talk):
    answers, log = talk(LOAD, {"op": "run", "fault": "nan"}, code=1)
    assert len(answers) == 1
    assert "not JSON compliant" in log
