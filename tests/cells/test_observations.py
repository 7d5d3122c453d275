"""Files as strangers write them: read, converted, cleaned, and what was done is said."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sweetspot.cells.assignment import numbers
from sweetspot.cells.observations import COLUMNS, read_observations
from sweetspot.errors import InputError

DATA = Path(__file__).parents[2] / "data"
HEAD = "model,input_tokens,output_tokens,energy_per_token_j"


@pytest.fixture
def file(tmp_path):
    """Return a function that writes a file and reads it as observations."""

    def read(text, name="mine.csv", encoding="utf-8", **options):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return read_observations(path, **options)

    return read


def only(observations):
    """Return the one cell as a mapping."""
    (row,) = observations.cells.to_dict("records")
    return row


def note(observations, beginning):
    (found,) = [each for each in observations.notes if each.startswith(beginning)]
    return found


@pytest.mark.parametrize(
    ("text", "energy_per_token_j"),
    [
        (f"{HEAD}\nmine,512,128,0.25\n", 0.25),
        ("LLM, ISL, OSL, mJ/token\nmine, 512, 128, 250\n", 0.25),
        ("LLM;ISL;OSL;J/token\nmine;512;128;0,25\n", 0.25),
        ('LLM,ISL,OSL,J/token\nmine,512,128,"0,25"\n', 0.25),
        ('LLM,ISL,OSL,J/token\nmine,512,128,"0.25 J/token"\n', 0.25),
        ("sep=;\r\nLLM;ISL;OSL;J/token\r\nmine;512;128;0,25\r\n", 0.25),
        ("# my notes\n\nLLM\tISL\tOSL\tJ/token\nmine\t512\t128\t0.25\n", 0.25),
        ("LLM,ISL,OSL,tokens/J\nmine,512,128,4\n", 0.25),
        (f"{HEAD},J/token\nmine,512,128,,0.25\n", 0.25),
        (f"{HEAD},requests,energy_j\nmine,512,128,,10,320\n", 0.25),
        ("LLM,ISL,OSL,Wh/query\nmine,512,128,0.02\n", 0.02 * 3600 / 128),
        ("LLM,ISL,OSL,N,energy (Wh)\nmine,512,128,10,2\n", 2 * 3600 / 1280),
        ("LLM,ISL,OSL,N,energy\nmine,512,128,10,7200 J\n", 7200 / 1280),
        ("LLM,ISL,OSL,batch_size,total joules\nmine,512,128,10,7200\n", 7200 / 1280),
        ("LLM,ISL,OSL,N,power,latency_ms\nmine,512,128,10,500 W,1280\n", 0.5),
        ("LLM,ISL,OSL,power (kW),Output tokens per second\nmine,512,128,0.5,2000\n", 0.25),
        ("LLM\tISL\tOSL\tN\tWh\nmine\t512\t128\t1,000\t2\nmine\t1,024\t128\t1\tx\n", 0.05625),
        ("LLM;ISL;OSL;N;Wh\nmine;512;128;1.000;2,0\nmine;1.024;128;1;x\n", 0.05625),
        ("LLM,ISL,OSL,Energy per token\n,tokens,tokens,mJ\nmine,512,128,250\n", 0.25),
        ("My results\n\nLLM,ISL,OSL,E_token [mJ]\nmine,512,128,250\n", 0.25),
        ('LLM,ISL,OSL,"Energy\n(mJ/token)"\nmine,512,128,250\n', 0.25),
        ("LLM ISL OSL J/token\nmine  512 128  0.25\n", 0.25),
        ("LLM,ISL,OSL,N,emissions,energy_consumed\nmine,512,128,10,1e-4,0.002\n", 7200 / 1280),
    ],
)
def test_file_of_a_stranger_gives_joules_per_token(file, text, energy_per_token_j):
    found = file(text).cells
    cell = only(replace(file(text), cells=found[found["status"] == "ok"]))
    assert (cell["model"], cell["input_tokens"], cell["output_tokens"]) == ("mine", 512, 128)
    assert cell["energy_per_token_j"] == pytest.approx(energy_per_token_j, rel=1e-12)
    assert cell["tokens_per_j"] == pytest.approx(1 / energy_per_token_j, rel=1e-12)


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8-sig", ""),
        ("utf-16", ""),
        ("utf-16-le", "read as UTF-16-LE"),
        ("cp1252", "read as Windows-1252, as it is not UTF-8"),
    ],
)
def test_file_in_any_encoding_is_read(file, encoding, said):
    found = file("Modell;model;isl;osl;J/token\nGrößer;mine;64;128;0,5\n", encoding=encoding)
    assert only(found)["energy_per_token_j"] == 0.5
    assert [each for each in found.notes if each.startswith("read as")] == [said] * bool(said)


def test_results_of_vllm_bench_are_read_as_they_lie(file):
    result = {"model_id": "m", "num_prompts": 10, "completed": 8, "output_throughput": 800.0}
    result |= {"total_input_tokens": 4100, "total_output_tokens": 1024, "avg_power_w": 400}
    cell = only(file(json.dumps(result | {"ttfts": [0.1]}), "result.json"))
    assert cell["energy_per_token_j"] == 0.5
    usage = {"usage": {"prompt_tokens": 64, "completion_tokens": 128}, "energy": {"joules": 64}}
    assert only(file(json.dumps(usage | {"N": 2}), "usage.json"))["energy_per_token_j"] == 0.25
    assert [cell[name] for name in ("requests", "input_tokens", "output_tokens")] == [8, 512, 128]


@pytest.mark.parametrize("source", [DATA / "h200-vllm", DATA / "h200-vllm" / "records.jsonl"])
def test_campaign_is_read_as_it_lies(source):
    found = read_observations(source)
    assert found.notes == ()
    assert len(found.cells) == 42
    assert list(found.cells.columns[: len(COLUMNS)]) == list(COLUMNS)
    first = json.loads((DATA / "h200-vllm" / "records.jsonl").read_text().partition("\n")[0])
    assert {name: found.cells[name][0] for name in COLUMNS if name in first} == {
        name: first[name] for name in COLUMNS if name in first
    }


def test_what_was_taken_and_assumed_is_said(file):
    found = file("ISL,OSL,mJ/token\n64,128,250\n")
    assert note(found, "columns: ") == (
        "columns: input_tokens is 'ISL'; output_tokens is 'OSL'; "
        "energy_per_token_j is 'mJ/token' × 0.001"
    )
    assert note(found, "assumed") == (
        "assumed, as no column says so: one model, 'mine'; 1 request (a label only); "
        "a batch of all requests; measured, not simulated; one engine and one GPU, unnamed"
    )


def test_columns_are_what_their_owner_says(file):
    text = "a,b,c,d\nmine,64,128,250\n"
    columns = {"model": "a", "input_tokens": "b", "output_tokens": "C", "energy_per_token_mj": "d"}
    cell = only(file(text, columns=columns | {"requests": "32", "simulated": "true"}))
    assert (cell["model"], cell["requests"], cell["simulated"]) == ("mine", 32, True)
    assert cell["energy_per_token_j"] == 0.25


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"energi": "d"}, "'energi' is no quantity; did you mean 'energy_j'? known: model,"),
        ({"output_tokens": "e"}, "has no column 'e'; found: model, b, c, d"),
        ({"output_tokens": "c"}, "has no columns for input_tokens, energy; found: model, b, c, d;"),
        ({}, "recognised are names such as input_tokens, prompt_tokens, 'Input Length', ISL; "),
        ({}, 'they are: columns={"input_tokens": "COLUMN", "output_tokens": "COLUMN", "energy_'),
    ],
)
def test_columns_that_cannot_be_found_are_refused_with_what_was(file, columns, message):
    with pytest.raises(InputError) as caught:
        file("model,b,c,d\nmine,64,128,250\n", columns=columns)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; it needs a line of column names"),
        (HEAD, "has no rows; its columns are model, input_tokens"),
        ("64,128,0.5\n64,256,0.4\n", "begins with numbers (64, 128, 0.5); put a line of column"),
        ("m,I,O,J/token\na,1,2,0,5\n", "4 column names and 5 values in each row; are its decimals"),
        ("PK\x03\x04", "is an Excel or zip file; save the sheet as CSV"),
        ("I,O\n1,2\n", "has no column for energy; found: I, O; recognised are names such as"),
        ("I,O,watts,tput\n1,2,3,4\n", 'columns={"throughput_tokens_per_s": "COLUMN"}'),
        ("I,O,N,duration\n1,2,3,4\n", 'of all rows: columns={"mean_power_w": "450"}'),
        ("I,O,energy_wh\n1,2,3\n", "a whole run, so its number of requests is needed"),
        (f"{HEAD}\nm,1,2,\n", "'energy_per_token_j' holds no number in any row"),
        ("I,O,J/token,J/token\n1,2,3,4\n", "'J/token' and 'J/token.1' may both be"),
        ("I,O,gpu_energy,all energy,N\n1,2,3,4,1\n", "'gpu_energy' and 'all energy' may both be"),
        ("{broken", "begins as JSON, and no line of it is"),
        (
            f"{HEAD}\nm,64,64,-1\nm,64,64,0\nm,1.5,64,1\n,64,64,1\n",
            "none of its 4 rows can be used",
        ),
    ],
)
def test_what_no_fit_can_come_of_is_refused_in_one_line(file, text, message):
    with pytest.raises(InputError) as caught:
        file(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_rows_that_cannot_be_used_are_counted_named_and_left_out(file):
    bad = "m,64,64,-1\nm,64,128,0\nm,1.5,64,1\n,64,64,1\nm,64,256,n/a\nm,64,512,inf\nm,-1,64,1\n"
    found = file(f"{HEAD}\nm,64,64,0.5\n{bad}m,64,64,0.5\n")
    assert note(found, "left out: ") == (
        "left out: 1 row the same in all columns as an earlier one (row 9); "
        "1 row without a model (row 5); 1 row with input_tokens negative (row 8); "
        "1 row with input_tokens that is no whole number (row 4); "
        "1 row with energy_per_token_j missing or no number (row 6); "
        "1 row with energy_per_token_j negative (row 2); "
        "1 row with energy_per_token_j zero (row 3); "
        "1 row with energy_per_token_j infinite (row 7)"
    )
    kept = found.cells[["output_tokens", "status", "reason"]].to_dict("tight")["data"]
    assert kept == [
        [64, "ok", ""],
        [64, "invalid", "with energy_per_token_j negative"],
        [128, "invalid", "with energy_per_token_j zero"],
        [256, "invalid", "with energy_per_token_j missing or no number"],
        [512, "invalid", "with energy_per_token_j infinite"],
    ]
    assert found.cells["energy_per_token_j"].count() == 1


def test_rows_that_failed_keep_their_status(file):
    found = file("model,I,O,J/token,success\na,64,64,1,True\na,64,128,,False\na,64,256,3,oom\n")
    assert list(found.cells["status"]) == ["ok", "failed", "failed"]
    assert "2 rows with status failed (rows 2, 3)" in note(found, "left out")


def test_broken_lines_are_left_out_and_named(file):
    found = file(f"{HEAD}\nm,64,64,0.5\nm,64,128,0.4,9,9\n")
    assert note(found, "line 3") == "line 3 has more values than there are columns: left out"
    lines = '{"I": 64, "O": 64, "J/token": 1}\n{"I": 64, "O": 1\n'
    assert note(file(lines, "my.jsonl"), "line 2") == "line 2 has no valid JSON: left out"


def test_repeats_are_numbered_and_copies_left_out(file):
    found = file(f"{HEAD}\nm,64,64,0.5\nm,64,64,0.6\nm,64,64,0.5\nm,64,128,0.4\n")
    assert list(found.cells["repeat"]) == [0, 1, 0]
    assert note(found, "2 rows are repeats of 1 cell:")
    assert found.cells["cell"][1] == "m/b1/n1/i64_o64/r1"


def test_repeats_that_disagree_are_warned_of(file):
    found = file(f"{HEAD}\nm,64,64,0.05\nm,64,64,0.6\n")
    assert note(found, "Warning").startswith(
        "Warning: the repeats of 1 cell differ 10 times or more, such as m at I 64, O 64: 0.05 to "
    )


@pytest.mark.parametrize(("number", "unit"), [("5000", "mJ"), ("1e-5", "Wh"), ("2e-8", "kWh")])
def test_magnitude_that_cannot_be_joules_a_token_is_warned_of(file, number, unit):
    found = file(f"model,I,O,energy per token\nm,64,64,{number}\n")
    said = note(found, "Warning")
    assert f"usual, 0.001 to 30 J, at the median; in {unit} it would be usual; look at" in said


def test_energy_of_a_run_in_a_thousandth_of_its_unit_is_warned_of(file):
    """A column of mWh that was called Wh, of Llama 3.1 8B: 42 to 154 J a token, which passed."""
    rows = "m,64,64,8,6\nm,64,128,8,10\nm,64,256,8,18\n"
    found = file(f"model,I,O,requests,energy (Wh)\n{rows}")
    assert note(found, "Warning").startswith("Warning: 35.2 J per output token is beyond what is")
    right = file(f"model,I,O,requests,total energy mWh\n{rows}")
    assert not [each for each in right.notes if each.startswith("Warning")]


def test_cells_of_two_boards_and_of_both_origins_are_told_apart(file):
    rows = "m,A,64,64,1,False\nm,B,64,64,2,False\nn,A,64,64,3,True\nn,A,64,128,3,False\n"
    found = file(f"model,gpu,I,O,J/token,simulated\n{rows}")
    assert list(found.cells["model"]) == ["m (A)", "m (B)", "n (simulated)", "n (measured)"]


def test_a_hundred_columns_hide_nothing(file):
    others = ",".join(f"c{k}" for k in range(97))
    with pytest.raises(InputError, match=r"found: I, O, c0, .*c17 and 79 more; recognised"):
        file(f"I,O,{others}\n{','.join('1' * 99)}\n")
    assert len(file(f"I,O,{others},J/token\n{','.join('1' * 100)}\n").cells) == 1


def test_dataframe_is_read_as_a_file_and_stays_as_it_was():
    frame = pd.DataFrame(
        {"isl": [64, 64], "osl": [64, 128], "J/token": [0.5, math.nan], "x": [[], []]}
    )
    before = frame.copy()
    found = read_observations(frame)
    assert list(found.cells["status"]) == ["ok", "invalid"]
    pd.testing.assert_frame_equal(frame, before)


def test_minimum_is_no_latency_in_minutes(file):
    text = "I,O,N,power_w,latency_min,latency_max,duration_s\n64,64,1,100,1,9,2\n"
    assert only(file(text))["energy_per_token_j"] == 100 * 2 / 64


def test_rows_cost_no_calls_each(tmp_path):
    """So that a million of them take seconds."""

    def calls(rows):
        rng = np.random.default_rng(1)
        lengths = {name: rng.choice([64, 256, 1024], rows) for name in ("isl", "osl")}
        table = pd.DataFrame(lengths | {"J/token": rng.uniform(0.9, 1.1, rows).round(6)})
        table.to_csv(tmp_path / "my.csv", index=False)
        count = 0

        def count_calls(_frame, event, _of):
            nonlocal count
            count += event in ("call", "c_call")

        sys.setprofile(count_calls)
        try:
            found = read_observations(tmp_path / "my.csv")
        finally:
            sys.setprofile(None)
        assert len(found.cells) == rows
        return count

    calls(1000)  # what is done once
    assert calls(10_000) - calls(2000) < 800  # a tenth of the rows between


def test_integer_beyond_all_floats_is_infinite():
    values, _ = numbers(pd.Series([1, 10**400, None], dtype=object))
    assert values.tolist()[:2] == [1, math.inf]
    assert math.isnan(values[2])


def test_energy_and_duration_of_runs_are_kept_or_worked_out_where_they_are_said(file):
    found = file("model,I,O,requests,energy (Wh),duration (ms)\nm,64,128,8,0.01,500\n").cells
    assert (found["energy_j"][0], found["duration_s"][0]) == pytest.approx((36, 0.5))
    found = file("model,I,O,requests,J/token,tokens/s\nm,64,128,8,0.5,2048\n").cells
    assert (found["energy_j"][0], found["duration_s"][0]) == (512, 0.5)
    found = file("model,I,O,requests,J/token,latency (s)\nm,64,128,8,0.5,2\n").cells
    assert "duration_s" not in found  # of a request, not of eight at once
    assert "energy_j" not in file("model,I,O,J/token\nm,64,128,0.5\n").cells
