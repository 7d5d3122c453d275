"""Whatever a model, a run or a file is called: it stays in its place, and an error is one line."""

import io
import re
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sweetspot.catalog import load_model
from sweetspot.cells.cell import Cell
from sweetspot.cli import main
from sweetspot.config import parse_experiment
from sweetspot.errors import InputError, one_line
from sweetspot.measure.record import record_path

HOSTILE = (
    "$(touch x)",
    "`touch x`",
    "'; touch x; \"",
    "../../../etc/passwd",
    "..",
    "-rf",
    "--help",
    "a\nb\r\x85\u2028c",
    "a\0b",
    "\x1b[2J\x1b]0;title\x07",
    "\u202etxt.exe\u2066",
    "e" + "\u0301" * 300,
    "CON",
    "NUL.txt",
    "C:\\models\\x",
    "\\\\host\\share",
    "{table} {{x}} {wildcards}",
    "x" * 5000,
    "~root/x",
    "%s%n",
    "=1+1",
)
LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 100,
    "max_position_embeddings": 4096,
}


def refusal(values):
    """Return why an experiment with these values is refused; "" if it is not."""
    try:
        parse_experiment(values)
    except InputError as error:
        return one_line(error)
    return ""


def hostile(test):
    """Try a test on the worst that we know, and on any text."""
    for text in HOSTILE:
        test = example(text)(test)
    return given(st.text())(test)


@hostile
def test_model_of_any_name_has_its_records_in_the_folder_of_records(name):
    model = load_model(LLAMA | {"_name_or_path": name})
    assert re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,84}[a-z0-9])?", model.id)
    lengths = {"requests": 1, "input_tokens": 1, "output_tokens": 1, "max_batch_size": 1}
    path = record_path(Path("/r"), Cell(model=model.id, engine="vllm", **lengths), "0f")
    assert path.resolve().parts[:3] == ("/", "r", model.id)


@hostile
def test_run_of_any_name_is_a_folder_in_results_or_refused(name):
    if refused := refusal({"run": name, "engine": "simulator"}):
        assert "run must" in refused
    else:
        assert (Path("/results") / name).resolve().parts == ("/", "results", name)
        assert len(name) <= 100


@pytest.mark.parametrize(
    "put",
    [
        lambda text: {"sweeps": {text: {}}},
        lambda text: {"models": [text]},
        lambda text: {"gpu": text},
        lambda text: {"node": {"python": text}},
        lambda text: {"node": {"container": {"runtime": "docker", "image": text}}},
        lambda text: {"node": {"checkpoints": text}},
        lambda text: {"simulator": {"calibration": text}},
        lambda text: {"vllm": {"version": text}},
        lambda text: {text: text},
    ],
)
@hostile
def test_value_of_any_text_is_taken_or_refused_and_never_holds_a_null(put, text):
    refused = refusal(put(text))
    assert len(refused) < 2500
    assert refused or "\0" not in text


@pytest.mark.parametrize(
    "command",
    [
        ("predict", "--gpu=h100-sxm", "--input-tokens=1", "--output-tokens=1", "--model={}"),
        ("predict", "--model=opt-1.3b", "--input-tokens=1", "--output-tokens=1", "--gpu={}"),
        ("plan", "./{}"),
        ("verify", "./{}"),
        ("crate", "./{}"),
        ("fit", "./{}"),
    ],
    ids=lambda words: f"{words[0]} {words[-1]}",
)
@hostile
def test_command_on_what_is_not_there_says_so_in_one_printable_line(command, text):
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        assert main([word.replace("{}", text) for word in command]) == 2
    assert out.getvalue() == ""
    line = err.getvalue().removesuffix("\n")
    assert line.startswith("sweetspot: error: ")
    assert line.isprintable()
