"""Reading cells, of a run's table and of a campaign's records, and what is refused of them."""

import json
from dataclasses import fields

import pandas as pd
import pytest

from sweetspot.cells.read import OPTIONAL_TEXTS, booleans, positive, read_cells
from sweetspot.errors import InputError
from sweetspot.measure.cells_table import HEADER
from sweetspot.measure.record import CellRecord

CELL = {
    "model": "null",  # a name is a text, whatever it is called
    "engine": "e",
    "gpu": "007",
    "status": "ok",
    "simulated": False,
    "requests": 10,
    "max_batch_size": 8,
    "input_tokens": 64,
    "output_tokens": 128,
    "energy_j": 0.1 + 0.2,
}


@pytest.fixture(params=["csv", "jsonl"])
def write(request, tmp_path):
    """Return a function that writes cells as a table, and one that writes them as records."""

    def file(*rows):
        path = tmp_path / f"cells.{request.param}"
        if request.param == "csv":
            pd.DataFrame(rows).to_csv(path, index=False)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return file


def refusal(path):
    with pytest.raises(InputError) as caught:
        read_cells(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_texts_that_may_be_empty_are_those_of_the_records():
    texts = [each.name for each in fields(CellRecord) if each.default == ""]
    assert sorted(OPTIONAL_TEXTS) == sorted([*texts, "cell"])


def test_cells_are_the_same_from_table_and_records(write):
    failed = CELL | {"status": "failed", "energy_j": None, "simulated": True}
    found = read_cells(write(CELL, failed))
    assert found["model"].tolist() == ["null", "null"]
    assert found["gpu"].tolist() == ["007", "007"]
    assert found["simulated"].tolist() == [False, True]
    assert found["requests"].tolist() == [10, 10]
    assert found["energy_j"][0] == pytest.approx(CELL["energy_j"], rel=1e-15)
    assert pd.isna(found["energy_j"][1])


def test_column_without_a_value_is_text_where_it_holds_text(tmp_path):
    row = dict.fromkeys(HEADER, "") | CELL
    path = tmp_path / "cells.csv"
    pd.DataFrame([row]).to_csv(path, index=False)
    found = read_cells(str(path))
    assert found["calibration"].tolist() == found["remarks"].tolist() == [""]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gpu": None}, "row 2: gpu must be a name, not empty"),
        ({"status": "fine"}, "row 2: status must be ok, failed or invalid, not fine"),
        ({"simulated": "perhaps"}, "row 2: simulated must be True or False, not perhaps"),
        ({"simulated": None, "cell": "c7"}, "cell c7: simulated must be True or False, not"),
    ],
)
def test_row_that_says_nothing_is_refused_by_its_place(write, changes, message):
    assert message in refusal(write(CELL | {"cell": ""}, CELL | {"cell": ""} | changes))


def test_missing_columns_are_all_named(write):
    kept = {name: CELL[name] for name in CELL if name not in ("gpu", "requests")}
    assert refusal(write(kept)).endswith("lacks the columns gpu, requests")
    assert refusal(write(kept | {"gpu": "g"})).endswith("lacks the column requests")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b'a,b\n1,2,3\n"', b"\0"])
def test_file_that_is_not_a_table_is_refused(tmp_path, content):
    path = tmp_path / "cells.csv"
    path.write_bytes(content)
    refusal(path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2 is not valid JSON"),
        ("[1]", "line 2 must be a mapping"),
        ("[" * 50_000, "line 2 is nested too deeply"),
    ],
)
def test_record_that_is_none_is_refused_by_its_line(tmp_path, line, message):
    path = tmp_path / "records.jsonl"
    path.write_text(f"{json.dumps(CELL)}\n{line}\n")
    assert message in refusal(path)


def test_missing_file_is_refused(tmp_path):
    assert "cannot read cells" in refusal(tmp_path / "cells.csv")
    assert "cannot read cells" in refusal(tmp_path / "records.jsonl")


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), "many", None])
def test_number_that_is_not_positive_is_refused_by_its_cell(value):
    cells = pd.DataFrame({"cell": ["a", "b"], "energy_j": [1.0, value]})
    with pytest.raises(InputError, match=r"^here, cell b: energy_j must be a positive number"):
        positive(cells, "energy_j", "here")
    assert positive(cells[:1], "energy_j", "here").tolist() == [1.0]


def test_count_that_is_not_whole_is_refused_by_its_cell():
    cells = pd.DataFrame({"cell": ["a", "b"], "requests": [10, 1.5]})
    with pytest.raises(InputError, match=r"^here, cell b: requests must be a positive integer"):
        positive(cells, "requests", "here")


def test_booleans_are_read_however_they_are_written():
    cells = pd.DataFrame({"simulated": [True, "False", "true", "FALSE"]})
    assert booleans(cells, "simulated", "here").tolist() == [True, False, True, False]
