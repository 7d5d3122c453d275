"""Calibration files: what ships, how boards and engines pair, what is refused, and what is not."""

import json
from dataclasses import replace

import pytest

from sweetspot.catalog import gpu, gpu_ids
from sweetspot.config import Traits
from sweetspot.errors import InputError
from sweetspot.schema.writing import plain
from sweetspot.simulator.constants.calibration_file import (
    CalibrationFile,
    engine_traits,
    load_calibration,
    shipped_boards,
    shipped_engines,
)
from sweetspot.simulator.constants.constants import (
    BOARD,
    ENGINE,
    METADATA,
    stated_on,
    transfer,
)
from sweetspot.simulator.constants.kernels import kernel_constants

BOARDS, ENGINES = shipped_boards(), shipped_engines()


@pytest.fixture
def board_file():
    """Return the shipped board as plain data."""
    return plain(BOARDS["h100-sxm"])


@pytest.fixture
def engine_file():
    """Return the shipped engine as plain data."""
    return plain(ENGINES["tensorrt-llm"])


@pytest.fixture
def write(tmp_path):
    """Return a function that writes a calibration file."""

    def file(content):
        path = tmp_path / "calibration.json"
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        return path

    return file


def refusal(path, gpu_id="h100-sxm", engine=None):
    with pytest.raises(InputError) as caught:
        load_calibration(gpu(gpu_id), path, engine)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_shipped_files_are_the_default_and_round_trip(board, board_file, engine_file, write):
    default = load_calibration(board)
    assert default.name == "h100-sxm, published numbers + tensorrt-llm, published numbers"
    assert (default.engine, default.level) == ("tensorrt-llm", "published numbers")
    for content in (board_file, engine_file):
        assert load_calibration(board, write(content)) == default
    both = board_file | {"engine": engine_file["engine"], "name": "both"}
    found = load_calibration(board, write(both))
    assert (found.constants, found.name) == (default.constants, "both")


@pytest.mark.parametrize("name", BOARDS)
def test_shipped_board_is_one_fitted_within_its_bounds(name):
    found = BOARDS[name]
    assert found.board.gpu == name
    assert found.engine is None
    assert found.at_bound == []
    assert found.seen
    assert set(found.fitted) <= set(BOARD)


@pytest.mark.parametrize("name", ENGINES)
def test_shipped_engine_is_one_alone_within_its_bounds(name):
    found = ENGINES[name]
    assert (found.engine.name, found.board) == (name, None)
    assert found.at_bound == []
    assert set(found.fitted) <= set(ENGINE)
    for constant, value in found.engine.constants.items():
        meta = METADATA[constant]
        assert meta["low"] <= value <= max(meta["high"], 0.06)  # steps of eager engines are long


def test_engine_that_nothing_was_fitted_to_ships_as_it_is_stated(board):
    found = ENGINES["transformers"]
    assert (found.fitted, found.level) == ([], "data sheet")
    assert found.engine.to_constants() == stated_on(board, "transformers").engine


def test_engine_that_was_measured_otherwise_differs_in_what_is_stated_alone(board):
    measured, found = ENGINES["vllm-uncompiled"], ENGINES["vllm"]
    stated = [stated_on(board, name).engine for name in ("vllm-uncompiled", "vllm")]
    for name in ENGINE:
        of_measured, of_found = (each.engine.constants[name] for each in (measured, found))
        before, after = (getattr(each, name) for each in stated)
        assert of_found == (of_measured if before == after else after)
    assert found.held_out_intervals is None
    assert (found.seen, found.seen_engine) == (measured.seen, "vllm-uncompiled")
    assert found.name == "vllm, published numbers"


def test_papers_engine_is_the_first():
    assert next(iter(ENGINES)) == "tensorrt-llm"


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("gpu_id", ["h100-sxm", "h200-sxm", "a100-80gb"])
def test_any_board_pairs_with_any_engine(gpu_id, engine):
    found = load_calibration(gpu(gpu_id), engine=engine)
    of_engine = ENGINES[engine]
    assert found.engine == engine
    assert found.constants.engine == of_engine.engine.to_constants()
    assert found.constants.kernels == kernel_constants(gpu(gpu_id), engine)
    other = load_calibration(gpu(gpu_id)).constants
    assert found.constants.board == other.board
    assert found.engine_version == of_engine.engine.version
    assert set(of_engine.seen) <= set(found.seen)
    assert len(found.seen) == len(set(found.seen))


@pytest.mark.parametrize("gpu_id", [g for g in gpu_ids() if g not in BOARDS])
def test_other_gpu_gets_a_transfer_that_says_so(gpu_id, board, constants):
    found = load_calibration(gpu(gpu_id))
    assert found.constants.board == transfer(constants.board, gpu(gpu_id))
    assert found.level == "data sheet"
    assert found.name.startswith(f"{gpu_id}, by data sheet from h100-sxm + tensorrt-llm")
    assert found.seen == load_calibration(board).seen


@pytest.mark.parametrize(
    ("of_board", "of_engine", "level"),
    [
        ("own measurements", "published numbers", "published numbers"),
        ("data sheet", "published numbers", "data sheet"),
        ("published numbers", "data sheet", "data sheet"),
    ],
)
def test_level_is_that_of_the_weaker_part(
    monkeypatch, board, board_file, write, of_board, of_engine, level
):
    paper = replace(ENGINES["tensorrt-llm"], level=of_engine)
    monkeypatch.setitem(ENGINES, "tensorrt-llm", paper)
    assert load_calibration(board, write(board_file | {"level": of_board})).level == level


def test_file_of_one_part_leaves_the_other_to_what_ships(board, board_file, engine_file, write):
    board_file["board"]["constants"]["byte_energy_j"] = 1.5e-10
    board_file |= {"name": "mine", "seen": ["my cells"]}
    found = load_calibration(board, write(board_file), "vllm")
    assert found.constants.board.byte_energy_j == 1.5e-10
    assert found.constants.engine == ENGINES["vllm"].engine.to_constants()
    assert found.name == "mine + vllm, published numbers"
    assert found.seen[0] == "my cells"
    engine_file["engine"] |= {"name": "my-engine", "version": "2"}
    engine_file["engine"]["constants"]["logit_bytes"] = 99.0
    found = load_calibration(gpu("a100-80gb"), write(engine_file))
    assert (found.engine, found.engine_version) == ("my-engine", "2")
    assert found.constants.engine.logit_bytes == 99
    assert found.constants.board == load_calibration(gpu("a100-80gb")).constants.board
    assert found.constants.kernels == kernel_constants(gpu("a100-80gb"), "my-engine")


def test_parts_of_a_file_are_files_of_their_own(board, constants):
    whole = CalibrationFile.of(
        constants,
        gpu=board.id,
        engine="vllm",
        version="0.24.0",
        traits=Traits(cuda_graphs="vllm"),
        name="mine",
        level="own measurements",
        seen=["cells"],
        fitted=["flop_energy_j", "logit_bytes"],
        at_bound=["logit_bytes"],
    )
    of_board, of_engine = whole.only("board"), whole.only("engine")
    assert (of_board.engine, of_engine.board) == (None, None)
    assert (of_board.name, of_engine.name) == (
        "h100-sxm, own measurements",
        "vllm, own measurements",
    )
    assert (of_board.fitted, of_board.at_bound) == (["flop_energy_j"], [])
    assert (of_engine.fitted, of_engine.at_bound) == (["logit_bytes"], ["logit_bytes"])
    assert of_engine.engine.traits == Traits(cuda_graphs="vllm")
    for part, names in ((whole.board, BOARD), (whole.engine, ENGINE)):
        for name in names:
            assert part.constants[name] == pytest.approx(constants.of(name), rel=1e-4)


def test_traits_are_those_of_the_engines_file():
    assert engine_traits("vllm") == Traits(sliding_windows=True, cuda_graphs="vllm")
    assert engine_traits("tensorrt-llm") == Traits()
    assert engine_traits("measured-only") == Traits()


def test_unknown_engine_is_refused_with_the_nearest_and_all_known(board):
    with pytest.raises(InputError, match=r"unknown engine 'vlm'.*vllm"):
        load_calibration(board, engine="vlm")


def test_engine_other_than_the_files_is_refused_with_the_way_out(engine_file, write):
    message = refusal(write(engine_file), engine="vllm")
    assert "is a calibration for tensorrt-llm, not for vllm; leave the engine out" in message


@pytest.mark.parametrize("name", METADATA)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1e-15, 1e300, "fast", None])
def test_constant_that_is_not_a_number_is_refused_by_name(
    board_file, engine_file, write, name, value
):
    part, content = ("board", board_file) if name in BOARD else ("engine", engine_file)
    content[part]["constants"][name] = value
    assert f"{part}.constants.{name}" in refusal(write(content))


@pytest.mark.parametrize(("part", "name"), [("board", "byte_energy_j"), ("engine", "logit_bytes")])
def test_missing_and_unknown_constants_are_refused(board_file, engine_file, write, part, name):
    content = board_file if part == "board" else engine_file
    first = BOARD[0] if part == "board" else ENGINE[0]
    constants = content[part]["constants"]
    value = constants.pop(name)
    message = f"{part}: must hold exactly these constants: {first}"
    assert message in refusal(write(content))
    constants[name + "s"] = value
    assert message in refusal(write(content))
    constants[name] = value
    assert message in refusal(write(content))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("active_power_w", 700, "active_power_w must be below the 700 W power limit of h100-sxm"),
        ("active_power_w", 60, r"idle_power_w must be at most active_power_w (60), not 78"),
        ("voltage_share", 1.1, "voltage_share must be at most 1, not 1.1"),
        ("on_die_share", 2, "on_die_share must be at most 1, not 2"),
        ("kv_energy_sharing", 32, "kv_energy_sharing must be at most 1, not 32"),
        ("host_ahead", 0.5, "host_ahead must be 0 or 1, not 0.5"),
        ("run_overhead_w", 701, "run_overhead_w must be at most the 700 W power limit"),
    ],
)
def test_constant_that_no_board_has_is_refused(
    board_file, engine_file, write, name, value, message
):
    part, content = ("board", board_file) if name in BOARD else ("engine", engine_file)
    content[part]["constants"][name] = value
    assert message in refusal(write(content))


def test_file_for_another_gpu_is_refused_with_the_way_out(board_file, write):
    message = refusal(write(board_file), "a100-80gb")
    assert "is a calibration for h100-sxm, not for a100-80gb; set gpu: h100-sxm" in message


@pytest.mark.parametrize("version", [0, 1, 3, "2", [2]])
def test_other_schema_version_is_refused_with_what_to_do(board_file, write, version):
    message = refusal(write(board_file | {"schema_version": version}))
    assert f"has schema_version {version!r}; this version reads 2: fit it again" in message
    assert "sweetspot calibrate" in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": None}, "schema_version must be 2, not None"),
        ({"name": None}, "name must be text, not None"),
        ({"level": "guess"}, "level must be 'data sheet', 'published numbers' or"),
        ({"board": []}, "board must be a section"),
        ({"colour": "blue"}, "unknown key 'colour'"),
        ({"errors_percent": {"x": -1}}, "errors_percent.x must be at least 0, not -1"),
    ],
)
def test_wrong_entry_is_refused_by_name(board_file, write, change, message):
    assert f"is not a calibration: {message}" in refusal(write(board_file | change))


def test_file_of_no_part_is_refused(board_file, write):
    assert "neither board nor engine is there" in refusal(write(board_file | {"board": None}))


@pytest.mark.parametrize("text", ["", "{", "nonsense", '{"a": 1,}', "[" * 100_000])
def test_broken_json_is_refused(write, text):
    message = refusal(write(text))
    assert "is not valid JSON" in message or "is nested too deeply" in message


@pytest.mark.parametrize("text", ["[]", "7", '"h100"', "null", "{}"])
def test_json_that_is_not_a_calibration_is_refused(write, text):
    assert "is not a calibration" in refusal(write(text))


def test_name_of_a_board_of_ones_own_decides_nothing_and_whose_kernels_it_has_is_said():
    mine = replace(gpu("a100-40gb"), id="my-gpu", kernels_of="h100-sxm")
    called_a100 = replace(mine, id="a100-mine")
    found = load_calibration(mine)
    assert load_calibration(called_a100).constants == found.constants
    assert found.name == (
        "my-gpu, by data sheet from h100-sxm + tensorrt-llm, published numbers"
        " + kernels of h100-sxm"
    )
    like_ada = load_calibration(replace(mine, kernels_of="l4"))
    assert like_ada.name.endswith(" + kernels of a100-80gb")
    assert like_ada.constants.kernels != found.constants.kernels


def test_file_that_cannot_be_read_is_refused(tmp_path):
    assert "No such file" in refusal(tmp_path / "missing.json")
    assert "Is a directory" in refusal(tmp_path)
    latin = tmp_path / "latin.json"
    latin.write_bytes(b'{"name": "\xe9"}')
    assert "is not valid JSON" in refusal(latin)
