"""Reading cells.csv as the workflow writes it."""

from sweetspot.analysis import cells
from sweetspot.measure.cells_table import HEADER
from sweetspot.measure.record import CellRecord


def test_texts_that_may_be_empty_are_those_of_the_records():
    texts = [name for name, field in CellRecord.model_fields.items() if field.default == ""]
    assert sorted(cells._OPTIONAL_TEXT) == sorted(texts)


def test_column_without_a_value_is_text_where_it_holds_text(tmp_path):
    row = dict.fromkeys(HEADER, "") | dict.fromkeys(cells._POSITIVE, "1")
    row |= {"cell": "c", "model": "m", "engine": "e", "gpu": "g", "status": "ok"}
    row["simulated"] = "False"
    path = tmp_path / "cells.csv"
    path.write_text(",".join(HEADER) + "\n" + ",".join(row[name] for name in HEADER) + "\n")
    found = cells.read_cells(path)
    assert found["calibration"].tolist() == found["remarks"].tolist() == [""]
    assert found["calibration"].fillna("x").tolist() == [""]
