"""Calibration files: what ships, what is refused, and what another GPU gets."""

import json

import pytest

from sweetspot.catalog import gpu, gpu_ids
from sweetspot.errors import InputError
from sweetspot.simulator.constants.calibration_file import (
    load_calibration,
    shipped_calibrations,
)
from sweetspot.simulator.constants.constants import Constants, at_bound, transfer


@pytest.fixture
def shipped():
    """Return the shipped calibration as plain data."""
    return shipped_calibrations()["h100-sxm"].model_dump(mode="json")


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a calibration file."""

    def file(content):
        path = tmp_path / "calibration.json"
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        return path

    return file


def refusal(path, gpu_id="h100-sxm"):
    with pytest.raises(InputError) as caught:
        load_calibration(gpu(gpu_id), path)
    message = str(caught.value)
    assert str(path) in message
    return " ".join(message.split())


def test_shipped_file_is_the_default_and_round_trips(board, shipped, write):
    default = load_calibration(board)
    assert default.name == "h100-sxm-published"
    assert default.level == "published numbers"
    assert load_calibration(board, write(shipped)) == default


@pytest.mark.parametrize("name", list(shipped_calibrations()))
def test_shipped_file_names_the_constants_at_a_bound(name):
    found = shipped_calibrations()[name]
    assert found.gpu == name
    assert found.at_bound == at_bound(found.to_constants())
    assert found.seen


@pytest.mark.parametrize("gpu_id", [g for g in gpu_ids() if g not in shipped_calibrations()])
def test_other_gpu_gets_a_transfer_that_says_so(gpu_id, board, constants):
    found = load_calibration(gpu(gpu_id))
    assert found.constants == transfer(constants, board, gpu(gpu_id))
    assert found.level == "data sheet"
    assert found.name == f"data sheet of {gpu_id}, efficiencies of h100-sxm-published"
    assert found.seen == load_calibration(board).seen


@pytest.mark.parametrize("name", list(Constants.__dataclass_fields__))
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e-15, 1e300, "fast", None])
def test_constant_that_is_not_a_number_is_refused_by_name(shipped, write, name, value):
    shipped["constants"][name] = value
    assert f"constants.{name}" in refusal(write(shipped))


def test_missing_and_unknown_constants_are_refused(shipped, write):
    value = shipped["constants"].pop("logit_bytes")
    assert "must hold exactly these constants: flop_efficiency" in refusal(write(shipped))
    shipped["constants"]["logits_bytes"] = value
    assert "must hold exactly these constants" in refusal(write(shipped))
    shipped["constants"]["logit_bytes"] = value
    assert "must hold exactly these constants" in refusal(write(shipped))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("flop_efficiency", 0, "flop_efficiency must be above 0 and at most 1, not 0"),
        ("bandwidth_efficiency", 1.2, "bandwidth_efficiency must be above 0 and at most 1"),
        ("kv_bandwidth_efficiency", 0.0, "kv_bandwidth_efficiency must be above 0"),
        ("active_power_w", 700, "active_power_w must be below the 700 W power limit of h100-sxm"),
        ("run_overhead_w", 701, "run_overhead_w must be at most the 700 W power limit"),
    ],
)
def test_constant_that_no_board_has_is_refused(shipped, write, name, value, message):
    shipped["constants"][name] = value
    assert message in refusal(write(shipped))


def test_file_for_another_gpu_is_refused_with_the_way_out(shipped, write):
    message = refusal(write(shipped), "a100-80gb")
    assert "is a calibration for h100-sxm, not for a100-80gb; set gpu: h100-sxm" in message


@pytest.mark.parametrize("version", [0, 2, "1", [1]])
def test_other_schema_version_is_refused(shipped, write, version):
    message = refusal(write(shipped | {"schema_version": version}))
    assert f"has schema_version {version!r}; this version reads 1" in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": None}, "schema_version"),
        ({"name": None}, "name"),
        ({"level": "guess"}, "level"),
        ({"constants": []}, "constants"),
        ({"colour": "blue"}, "colour"),
        ({"errors_percent": {"x": -1}}, "errors_percent.x"),
    ],
)
def test_wrong_entry_is_refused_by_name(shipped, write, change, message):
    assert f"is not a calibration: {message}: " in refusal(write(shipped | change))


@pytest.mark.parametrize("text", ["", "{", "nonsense", '{"a": 1,}', "[" * 100_000])
def test_broken_json_is_refused(write, text):
    message = refusal(write(text))
    assert "is not valid JSON" in message or "is nested too deeply" in message


@pytest.mark.parametrize("text", ["[]", "7", '"h100"', "null", "{}"])
def test_json_that_is_not_a_calibration_is_refused(write, text):
    assert "is not a calibration" in refusal(write(text))


def test_file_that_cannot_be_read_is_refused(tmp_path):
    assert "No such file" in refusal(tmp_path / "missing.json")
    assert "Is a directory" in refusal(tmp_path)
    latin = tmp_path / "latin.json"
    latin.write_bytes(b'{"name": "\xe9"}')
    assert "is not valid JSON" in refusal(latin)
