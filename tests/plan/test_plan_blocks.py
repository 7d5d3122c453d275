"""Blocks and cells of an experiment, and which experiments are refused."""

from dataclasses import replace

import pytest

from sweetspot.catalog import load_model
from sweetspot.config import Experiment, parse_experiment
from sweetspot.errors import InputError
from sweetspot.plan.block import parse_block
from sweetspot.plan.plan import plan


@pytest.mark.parametrize("engine", ["simulator", "tensorrt-llm"])
def test_default_experiment_is_17_blocks_of_798_cells(engine):
    found = plan(Experiment(engine=engine))
    assert len(found.blocks) == 17
    cells = list(found.cells)
    assert len(cells) == len(set(cells)) == len(found.sweeps) == 798
    # grid 13 x 49, requests 2 x 49, batch 2 x 5 x 7 of which 7 (N = 1000, b1024) are in the grid
    assert 13 * 49 + 2 * 49 + 2 * 5 * 7 - 7 == 798
    by_id = {block.id: len(block.cells) for block in found.blocks}
    assert by_id["falcon-rw-7b/b1024"] == 3 * 49
    assert by_id["llama-3.2-1b/b1024"] == 49 + 7
    assert by_id["llama-3.2-1b/b64"] == 14


def test_cell_of_two_sweeps_exists_once_and_names_both():
    found = plan(Experiment())
    assert found.sweeps["llama-3.2-1b/b1024/n1000/i64_o256/r0"] == ("grid", "batch")
    assert found.sweeps["llama-3.2-1b/b64/n1000/i64_o256/r0"] == ("batch",)
    assert sum(len(names) > 1 for names in found.sweeps.values()) == 7


def test_blocks_follow_the_order_of_the_models():
    models = ["opt-2.7b", "llama-3.2-1b", "gemma-2-2b"]
    found = plan(Experiment(models=models, sweeps={"grid": {}}))
    assert [block.settings.model.id for block in found.blocks] == models


@pytest.mark.parametrize(
    ("size", "blocks", "first"),
    [
        ("model", 17, "llama-3.2-1b/b64"),
        ("input", 13 * 7 + 2 * 7 + 2 * 5 - 1, "llama-3.2-1b/b64/n128_i64"),
        ("cell", 798, "llama-3.2-1b/b64/n128_i64_o64_r0"),
    ],
)
def test_block_size_groups_the_same_cells(size, blocks, first):
    whole = plan(Experiment())
    found = plan(parse_experiment({"measure": {"block": size}}))
    assert len(found.blocks) == len({block.id for block in found.blocks}) == blocks
    assert found.blocks[0].id == first
    assert list(found.cells) == list(whole.cells)
    assert {b.key(c) for b in found.blocks for c in b.cells} == {
        b.key(c) for b in whole.blocks for c in b.cells
    }


def test_every_block_has_one_model_and_one_batch_size():
    for block in plan(Experiment()).blocks:
        assert {cell.model for cell in block.cells} == {block.settings.model.id}
        assert {cell.max_batch_size for cell in block.cells} == {block.settings.max_batch_size}


@pytest.mark.parametrize("engine", ["simulator", "tensorrt-llm"])
def test_block_survives_its_command_line(engine):
    for block in plan(Experiment(engine=engine)).blocks:
        found = parse_block(block.id, block.settings.json, block.cell_names)
        assert found.cells == block.cells
        assert found.settings.json == block.settings.json
        assert [found.key(c) for c in found.cells] == [block.key(c) for c in block.cells]
        left_out = {"source": ""} | ({} if engine == "simulator" else {"max_clock_mhz": 0.0})
        alone = {"nvlink_bytes_per_s": None, "pcie_bytes_per_s": 0.0}
        decisive = replace(block.settings.gpu, **left_out, **alone)
        assert found.settings == replace(block.settings, gpu=decisive)


def test_block_of_several_gpus_in_fp8_survives_its_command_line(small_experiment):
    changes = {"limits": {"tensor_parallel": 2}, "precision": {"weights": "fp8"}}
    for block in plan(small_experiment(**changes)).blocks:
        found = parse_block(block.id, block.settings.json, block.cell_names)
        assert found.settings.precision.weights == "fp8"
        assert found.settings.gpu.link_bytes_per_s == block.settings.gpu.link_bytes_per_s == 450e9
        assert [found.key(c) for c in found.cells] == [block.key(c) for c in block.cells]


@pytest.mark.parametrize(
    "name",
    ["n0/i64_o64/r0", "n1/i0_o64/r0", "n1/i64_o-1/r0", "n1/i64/r0", "n1000", "x", "n1/i1_o1/r0x"],
)
def test_cell_name_that_cannot_be_read_is_refused(name):
    block = plan(Experiment()).blocks[0]
    with pytest.raises(InputError, match=f"'{name}' is not a cell; cells look like n1000/i64_o256"):
        parse_block(block.id, block.settings.json, f"n1/i64_o64/r0 {name}")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"engine": 1}', "nonsense"])
def test_settings_that_cannot_be_read_are_refused(text):
    with pytest.raises(InputError, match=r"^--settings of block a/b64 "):
        parse_block("a/b64", text, "n1/i64_o64/r0")


def test_unknown_model_is_refused():
    with pytest.raises(InputError, match=r"unknown model 'lama-3\.2-1b'; did you mean 'llama-3\.2"):
        plan(Experiment(models=["lama-3.2-1b"], sweeps={"grid": {}}))


def test_two_models_of_one_name_are_refused(tmp_path, write_model):
    small = {"num_hidden_layers": 4}
    models = [
        write_model(tmp_path / "a" / "mine", **small),
        write_model(tmp_path / "b" / "mine", num_hidden_layers=5),
    ]
    with pytest.raises(InputError, match=r"are called 'mine', .*a/mine and .*b/mine; rename"):
        plan(Experiment(models=models, sweeps={"grid": {}}))


def test_one_model_by_two_paths_is_one_model(tmp_path, write_model):
    small = {"num_hidden_layers": 4}
    models = [write_model(tmp_path / x / "mine", **small) for x in "ab"]
    found = plan(Experiment(sweeps={f"grid{n}": {"models": [m]} for n, m in enumerate(models)}))
    assert len(list(found.cells)) == 49
    assert {block.model_reference for block in found.blocks} == {models[0]}
    assert set(found.sweeps.values()) == {("grid0", "grid1")}
    with pytest.raises(InputError, match=r"duplicate cell: sweeps.grid has the model 'mine' twice"):
        plan(Experiment(models=models, sweeps={"grid": {}}))


@pytest.mark.parametrize("engine", ["simulator", "tensorrt-llm"])
def test_model_that_does_not_fit_is_refused_before_any_job(tmp_path, engine, write_model):
    model = write_model(tmp_path / "llama-70b")
    assert load_model(model).weight_bytes > 140e9
    with pytest.raises(InputError, match="model llama-70b does not fit l40s: its weights take 141"):
        plan(Experiment(engine=engine, models=[model], gpu="l40s", sweeps={"grid": {}}))
    plan(Experiment(engine=engine, models=[model], gpu="b200", sweeps={"grid": {}}))


def test_calibration_of_another_gpu_is_refused(tmp_path, small_experiment, write_calibration):
    changes = {"simulator": write_calibration(tmp_path), "gpu": "l40s"}
    with pytest.raises(InputError, match="is a calibration for h100-sxm, not for l40s"):
        plan(small_experiment(**changes))
    # an engine that measures needs none, and does not read it
    assert plan(small_experiment(**changes, engine="tensorrt-llm")).blocks


def test_what_several_gpus_or_a_gpu_cannot_do_is_refused_before_any_job(small_experiment):
    with pytest.raises(InputError, match="cannot be shared by tensor_parallel 3 GPUs"):
        plan(small_experiment(limits={"tensor_parallel": 3}))
    with pytest.raises(InputError, match="a100-80gb has no FP8"):
        plan(small_experiment(gpu="a100-80gb", precision={"kv_cache": "fp8"}))
