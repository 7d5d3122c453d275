"""What changes the key of a cell's record: all that decides its value, and nothing else."""

from dataclasses import asdict, replace

import pytest
import yaml

from sweetspot.catalog.packaged import read_packaged
from sweetspot.config import Experiment
from sweetspot.errors import InputError
from sweetspot.plan import plan as plan_module
from sweetspot.plan.block import PROTOCOL, SHARED_PROTOCOL
from sweetspot.plan.plan import plan
from sweetspot.simulator.constants.calibration_file import shipped_engine


@pytest.fixture
def keys(small_experiment):
    """Return a function that gives the keys of a small experiment's cells, with changes."""

    def found(**changes):
        blocks = plan(small_experiment(**changes)).blocks
        return {cell.id: block.key(cell) for block in blocks for cell in block.cells}

    return found


@pytest.mark.parametrize(
    "change",
    [
        {"limits": {"max_num_tokens": 4096}},
        {"limits": {"max_seq_len": 4096}},
        {"limits": {"kv_cache_memory_fraction": 0.8}},
        {"limits": {"tokens_per_block": 64}},
        {"dataset": {"seed": 421}},
        {"dataset": {"vocab_size": 32000}},
        {"gpu": "a100-80gb"},
        {"limits": {"tensor_parallel": 2}},
        {"precision": {"weights": "fp8"}},
        {"precision": {"kv_cache": "fp8"}},
        {"gpu_settings": {"power_limit_w": 500}},
        {"gpu_settings": {"clock_mhz": 1500}},
        {"simulator": {"engine": "vllm"}},
        {"simulator": {"cuda_graphs": "vllm"}},
        {"simulator": {"cuda_graphs": "tensorrt-llm"}},
    ],
    ids=str,
)
def test_key_changes_with_what_decides_the_value(keys, change):
    before, after = keys(), keys(**change)
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())


def test_key_changes_with_the_batch_limit_and_the_engine(keys):
    before = set(keys().values())
    assert not before & set(keys(limits={"max_batch_size": 512}).values())
    assert not before & set(keys(engine="tensorrt-llm").values())


@pytest.mark.parametrize(
    ("engine", "change"),
    [
        ("tensorrt-llm", {"tensorrt_llm": {"version": "1.2.1"}}),
        ("tensorrt-llm", {"tensorrt_llm": {"mode": "llm-api"}}),
        ("vllm", {"vllm": {"weights": "random"}}),
        ("transformers", {"transformers": {"cache": "static"}}),
        ("vllm", {"measure": {"protocol": "paper"}}),
        ("vllm", {"measure": {"min_window_s": 20}}),
    ],
    ids=str,
)
def test_key_of_a_measured_cell_changes_with_how_it_is_measured(keys, engine, change):
    assert not set(keys(engine=engine, **change).values()) & set(keys(engine=engine).values())


@pytest.mark.parametrize("engine", ["tensorrt-llm", "vllm", "transformers"])
def test_key_of_a_measured_cell_stays_with_other_engines_and_the_node(keys, engine):
    others = {"tensorrt_llm": {"warmup": 7}, "vllm": {"warmup": 7}, "transformers": {"warmup": 7}}
    del others[engine.replace("-", "_")]
    node = {"workspace": "elsewhere", "timeout_s": 60, "python": "/opt/python"}
    assert keys(engine=engine, node=node, **others) == keys(engine=engine)


def test_key_changes_with_a_constant_and_not_with_where_it_is_read(
    keys, tmp_path, write_calibration
):
    shipped = shipped_engine("tensorrt-llm").engine.constants["logit_bytes"]
    assert keys(simulator=write_calibration(tmp_path)) == keys()
    changed = keys(simulator=write_calibration(tmp_path, logit_bytes=shipped * 1.001))
    assert not set(changed.values()) & set(keys().values())


def test_key_changes_with_what_a_gpu_file_holds_and_not_with_where_it_lies(keys, tmp_path):
    row = read_packaged("gpus.yaml")["l40s"]
    found = []
    for place, watts in (("a", 350), ("b", 350), ("c", 300)):
        path = tmp_path / place / "mine.yaml"
        path.parent.mkdir()
        path.write_text(yaml.safe_dump(row | {"power_limit_w": watts, "source": place}))
        found.append(keys(gpu=str(path)))
    assert found[0] == found[1]
    assert not set(found[0].values()) & set(found[2].values())


def test_key_changes_with_the_quantization_of_a_checkpoint(keys, tmp_path, write_model):
    awq = {"quant_method": "awq", "bits": 4, "group_size": 128}
    found = [
        keys(models=[write_model(tmp_path / place / "mine", num_hidden_layers=4, **more)])
        for place, more in (
            ("plain", {}),
            ("nothing", {"quantization_config": {}}),
            ("awq", {"quantization_config": awq}),
            ("awq64", {"quantization_config": awq | {"group_size": 64}}),
        )
    ]
    assert found[0] == found[1]
    assert len({tuple(each.values()) for each in found}) == 3


def test_random_weights_of_a_quantized_checkpoint_are_refused(keys, tmp_path, write_model):
    awq = {"quant_method": "awq", "bits": 4, "group_size": 128}
    models = [write_model(tmp_path / "mine", quantization_config=awq)]
    assert keys(engine="vllm", models=models)
    with pytest.raises(InputError, match=r"mine is quantized, AWQ .* set weights to check"):
        keys(engine="vllm", vllm={"weights": "random"}, models=models)


def test_key_changes_with_the_architecture_and_not_with_its_path(keys, tmp_path, write_model):
    small = {"num_hidden_layers": 4}
    first = keys(models=[write_model(tmp_path / "a" / "mine", **small)])
    same = keys(models=[write_model(tmp_path / "b" / "mine", **small)])
    other = keys(models=[write_model(tmp_path / "c" / "mine", num_hidden_layers=5)])
    assert first == same
    assert first.keys() == other.keys()
    assert not set(first.values()) & set(other.values())


def test_key_changes_with_the_protocol(small_experiment):
    block = plan(small_experiment()).blocks[0]
    newer = replace(block, settings=replace(block.settings, protocol=PROTOCOL + 1))
    assert all(newer.key(cell) != block.key(cell) for cell in block.cells)


@pytest.mark.parametrize(
    "change",
    [
        {"run": "other"},
        {"figures": {"palette": "okabe_ito", "dpi": 600}},
        {"measure": {"block": "cell"}},
        {"measure": {"remeasure": "all"}},
        {"measure": {"idle_s": 0}},
        {"vllm": {"warmup": 7}},
        {"node": {"workspace": "elsewhere", "timeout_s": 60}},
    ],
    ids=str,
)
def test_key_stays_with_what_decides_no_value(keys, change):
    assert keys(**change) == keys()


def test_key_stays_when_cells_join(keys, small_experiment):
    before = keys()
    grid = asdict(small_experiment().sweeps["grid"])
    more = keys(
        models=["llama-3.2-1b", "opt-1.3b"],
        measure={"repeats": 2},
        sweeps={
            "more": {"input_tokens": [256], "output_tokens": [8]},
            "grid": grid | {"input_tokens": [32, 64, 128]},
        },
    )
    assert before.items() <= more.items()
    assert len(set(more.values())) == len(more) == (6 * 2 + 2) * 2


def test_key_stays_when_only_the_source_of_a_gpus_numbers_changes(keys, monkeypatch):
    before = keys()
    known = plan_module.catalog_gpu
    monkeypatch.setattr(
        plan_module, "catalog_gpu", lambda gpu_id: replace(known(gpu_id), source="another page")
    )
    assert keys() == before


def test_key_stays_when_only_the_interval_of_a_calibration_changes(keys, monkeypatch):
    before = keys()
    known = plan_module.load_calibration

    def less_sure(*given):
        found = known(*given)
        energy = replace(found.intervals.energy, factor=2.0, rests_on="doubts")
        return replace(found, intervals=replace(found.intervals, energy=energy))

    monkeypatch.setattr(plan_module, "load_calibration", less_sure)
    assert keys() == before


def test_links_decide_values_of_several_gpus_only(small_experiment, monkeypatch):
    def settings_json(gpus):
        return plan(small_experiment(limits={"tensor_parallel": gpus})).blocks[0].settings.json

    before = {gpus: settings_json(gpus) for gpus in (1, 2)}
    known = plan_module.catalog_gpu
    monkeypatch.setattr(
        plan_module, "catalog_gpu", lambda name: replace(known(name), nvlink_bytes_per_s=1e9)
    )
    assert settings_json(1) == before[1]
    assert settings_json(2) != before[2]


def test_records_from_before_precision_and_traits_could_be_chosen_keep_their_keys(
    small_experiment,
):
    said = plan(small_experiment()).blocks[0].settings.json
    assert "precision" not in said
    assert "traits" not in said
    assert "noise" not in said
    assert "sliding_windows" not in said
    assert "nvlink" not in said
    assert "pcie" not in said


def test_what_several_gpus_cost_is_in_the_keys_of_their_cells_only(small_experiment):
    def with_and_after(gpus):
        [block] = plan(small_experiment(limits={"tensor_parallel": gpus})).blocks
        newer = replace(block.settings, shared_protocol=SHARED_PROTOCOL + 1)
        return block.settings.json, newer.json

    alone, alone_after = with_and_after(1)
    assert alone == alone_after
    shared, shared_after = with_and_after(2)
    assert shared != shared_after


def test_windows_decide_values_of_models_that_have_them_only(keys):
    windows = {"simulator": {"sliding_windows": True}}
    assert keys(**windows) == keys()
    before, after = keys(models=["gemma-2-2b"]), keys(models=["gemma-2-2b"], **windows)
    assert before.keys() == after.keys()
    assert not set(before.values()) & set(after.values())


@pytest.mark.parametrize("engine", ["tensorrt-llm", "vllm", "transformers"])
def test_key_of_a_measured_cell_stays_with_what_is_simulated(keys, engine):
    simulated = {"sliding_windows": True, "cuda_graphs": "vllm"}
    assert keys(engine=engine, models=["gemma-2-2b"], simulator=simulated) == keys(
        engine=engine, models=["gemma-2-2b"]
    )


def test_batch_limit_that_a_sweep_states_itself_does_not_change_its_cells(keys):
    sweep = {"input_tokens": [64], "output_tokens": [8], "max_batch_size": [32]}
    before = keys(sweeps={"batch": sweep})
    assert keys(sweeps={"batch": sweep}, limits={"max_batch_size": 512}) == before


def test_key_of_a_measured_cell_is_that_of_earlier_releases():
    """Whatever the process: what was measured is found again. PROTOCOL alone may change it."""
    one = {"input_tokens": [64], "output_tokens": [8], "requests": [10]}
    [block] = plan(Experiment(models=["llama-3.2-1b"], sweeps={"grid": one})).blocks
    assert [block.key(cell) for cell in block.cells] == ["80aa426a4256b79f"]


def test_whose_kernels_a_board_has_is_in_keys_of_simulated_cells_only(keys, tmp_path):
    def own(kernels_of):
        row = read_packaged("gpus.yaml")["a100-80gb"] | {"kernels_of": kernels_of}
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(row), encoding="utf-8")
        return {"gpu": str(tmp_path / "mine.yaml")}

    def of_both(engine):
        return [keys(engine=engine, **own(board)) for board in ("h100-sxm", "a100-80gb")]

    before, after = of_both("simulator")
    assert not set(before.values()) & set(after.values())
    measured, measured_after = of_both("tensorrt-llm")
    assert measured == measured_after
