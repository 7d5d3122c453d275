"""Cell records: round trips, reuse, and what is set aside."""

import json
import logging
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.cells.cell import Cell
from sweetspot.errors import InputError
from sweetspot.files import write_bytes_atomic
from sweetspot.measure.record import (
    COLUMNS,
    CellRecord,
    read_block,
    read_record,
    record_bytes,
    record_path,
    trace_path,
)
from sweetspot.schema.mistakes import MistakesError
from sweetspot.schema.reading import converted
from sweetspot.schema.writing import json_text

CELL = Cell(
    model="opt-1.3b",
    engine="simulator",
    max_batch_size=8,
    requests=10,
    input_tokens=64,
    output_tokens=16,
)
RECORD = CellRecord(
    key="0123456789abcdef",
    cell=CELL.id,
    model=CELL.model,
    engine=CELL.engine,
    engine_version="1",
    gpu="h100-sxm",
    input_tokens=64,
    output_tokens=16,
    requests=10,
    max_batch_size=8,
    repeat=0,
    status="ok",
    simulated=True,
    energy_j=123.456,
    duration_s=0.1 + 0.2,
    beyond_native_context=False,
    provenance={"host": "here"},
)
FAILED = replace(RECORD, status="failed", energy_j=None, duration_s=None)


@pytest.fixture
def path(tmp_path):
    return record_path(tmp_path, CELL, RECORD.key)


def test_record_lies_under_its_cell_and_key(tmp_path):
    assert record_path(tmp_path, CELL, "abc") == Path(
        f"{tmp_path}/opt-1.3b/b8/n10/i64_o16/r0.abc.json"
    )
    assert trace_path(tmp_path, CELL, "abc").name == "r0.abc.trace.csv.gz"


@pytest.mark.parametrize("record", [RECORD, FAILED], ids=["ok", "failed"])
def test_written_record_is_reused_whole(path, record):
    write_bytes_atomic(path, record_bytes(record))
    assert read_record(path, RECORD.key) == record
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_absent_record_is_none(path):
    assert read_record(path, RECORD.key) is None


TEXT = json_text(RECORD)
DATA = json.loads(TEXT)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\x01\xff",
        TEXT[: len(TEXT) // 2].encode(),
        TEXT[:-1].encode(),
        b"{}",
        b"[]",
        b"null",
        b"7",
        json.dumps(DATA | {"schema_version": 1}).encode(),
        json.dumps(DATA | {"status": "fine"}).encode(),
        json.dumps(DATA | {"energy_j": "much"}).encode(),
        json.dumps(DATA | {"energy_j": float("nan")}).encode(),
        json.dumps(DATA | {"colour": "blue"}).encode(),
        json.dumps({k: v for k, v in DATA.items() if k != "gpu"}).encode(),
    ],
    ids=range(14),
)
def test_corrupt_record_is_set_aside_and_named(path, content, caplog):
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        assert read_record(path, RECORD.key) is None
    aside = path.with_name(f"{path.name}.corrupt")
    assert caplog.messages == [f"corrupt cell record set aside as {aside}; its cell is done again"]
    assert aside.read_bytes() == content
    assert not path.exists()


def test_record_of_another_key_is_set_aside_and_named(path, caplog):
    write_bytes_atomic(path, record_bytes(replace(RECORD, key="fedcba9876543210")))
    with caplog.at_level(logging.WARNING):
        assert read_record(path, RECORD.key) is None
    assert "misplaced cell record set aside as" in caplog.text
    assert not path.exists()
    assert path.with_name(f"{path.name}.misplaced").exists()


def test_folder_in_the_place_of_a_record_is_set_aside(path, caplog):
    (path / "inside").mkdir(parents=True)
    with caplog.at_level(logging.WARNING):
        assert read_record(path, RECORD.key) is None
    assert "corrupt cell record set aside as" in caplog.text
    write_bytes_atomic(path, record_bytes(RECORD))
    assert path.with_name(f"{path.name}.corrupt").joinpath("inside").exists()


def test_record_that_cannot_be_read_is_an_input_error(path):
    path.parent.mkdir(parents=True)
    path.symlink_to(path.name)
    with pytest.raises(InputError, match=r"cannot read cell record .*symbolic links"):
        read_record(path, RECORD.key)


@pytest.mark.parametrize("name", ["energy_j", "duration_s", "tokens_per_j", "mean_power_w"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_number_that_is_not_finite_is_not_a_record(name, value):
    with pytest.raises(MistakesError, match=name):
        converted(CellRecord, asdict(RECORD) | {name: value})


# With every line separator that Unicode has; JSON leaves the last three as they are.
REASONS = st.text(alphabet='a"\\é\r\n\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029')


@given(reasons=st.lists(REASONS, max_size=4))
def test_block_file_gives_back_its_records_whatever_their_reasons(tmp_path_factory, reasons):
    records = [replace(FAILED, reason=reason) for reason in reasons]
    path = tmp_path_factory.mktemp("block") / "block.jsonl"
    path.write_text("".join(f"{json_text(r)}\n" for r in records), encoding="utf-8")
    assert read_block(path) == records


def test_line_that_is_not_a_record_is_named(tmp_path):
    path = tmp_path / "block.jsonl"
    path.write_text(f"{TEXT}\n{TEXT[:50]}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 2 is not valid JSON: .*; delete the file"):
        read_block(path)


def test_block_file_that_cannot_be_read_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*missing"):
        read_block(tmp_path / "missing.jsonl")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"binary is not UTF-8 text"):
        read_block(tmp_path / "binary")


def test_columns_are_those_that_users_read():
    assert set(COLUMNS) >= {
        *("cell", "model", "engine", "gpu", "input_tokens", "output_tokens", "requests"),
        *("max_batch_size", "repeat", "status", "reason", "simulated", "energy_j", "duration_s"),
        *("energy_per_token_j", "tokens_per_j", "mean_power_w", "energy_source"),
        *("throughput_tokens_per_s", "max_concurrency", "beyond_native_context", "calibration"),
        "key",
    }
    assert not set(COLUMNS) & {"provenance", "schema_version"}
