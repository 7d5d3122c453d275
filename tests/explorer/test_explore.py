"""The data of `sweetspot explore`: what is simulated of a model on a board, and what is refused."""

import json
from itertools import product

import pytest

from sweetspot.errors import InputError
from sweetspot.explorer import explore
from sweetspot.explorer.explore import explored

# as Llama 3.1 70B's, which needs two boards of 80 GB
LARGE = {
    "_name_or_path": "large",
    "model_type": "llama",
    "hidden_size": 8192,
    "num_hidden_layers": 80,
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "intermediate_size": 28672,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "torch_dtype": "bfloat16",
}


def of_loads(data):
    """Return what the grids are of."""
    return [
        (each["model"], each["gpu"], each["weights"], each["max_batch_size"], *each["load"].items())
        for each in data["grids"]
    ]


def test_page_has_a_grid_for_each_load_batch_limit_and_precision(few_lengths):
    shares = []
    data = explored(["llama-3.2-1b"], ["h100", "h100-sxm", "a100-80gb"], progress=shares.append)
    found = of_loads(data)
    assert len(found) == len(set(found))
    loads = {*product((32, 256, 1024), [("requests", 100), ("requests", 1000)])}
    loads |= {(256, ("rate", each)) for each in explore.RATES_PER_S}
    plain = {("model", *each) for each in loads}
    assert {each[2:] for each in found if each[1] == "a100-80gb"} == plain  # it has no FP8
    in_fp8 = {("fp8", *each) for each in loads}
    assert {each[2:] for each in found if each[1] == "h100-sxm"} == plain | in_fp8
    assert data["title"] == (
        "Llama 3.2 (1B) on NVIDIA H100 SXM (80 GB) and NVIDIA A100 SXM (80 GB)"
    )
    assert shares == sorted(shares)
    assert shares[0] == 0
    json.dumps(data, allow_nan=False)


def test_model_is_shared_by_as_few_boards_as_hold_it(few_lengths):
    data = explored([LARGE], ["h100-sxm"])
    assert {each["tensor_parallel"] for each in data["grids"]} == {2}
    assert any("large is shared by 2 x h100-sxm" in note for note in data["notes"])


def test_cells_stand_beside_with_what_is_to_be_known_of_them(few_lengths, tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("I,O,J per token\n64,32,0.5\n")
    columns = {"input_tokens": "I", "output_tokens": "O"}
    data = explored(["llama-3.2-1b"], ["h100"], engine="vllm", cells=path, columns=columns)
    (cell,) = data["cells"]
    assert (cell["energy_per_token_j"], cell["source"], cell["simulated"]) == (
        0.5,
        "mine.csv",
        False,
    )
    assert cell["gpu"] == "h100-sxm"  # the only one
    assert any("J per token" in note for note in data["notes"])
    assert {each["engine"] for each in data["grids"]} == {"vllm"}


@pytest.mark.parametrize(
    ("models", "gpus", "why"),
    [
        ([], ["h100"], "0 models on 1 GPUs are 0 pairs, and a page holds 1 to 10"),
        (["opt-1.3b", "opt-2.7b"], ["l4", "l40s", "h100", "h200", "b200", "a100-80gb"], "12 pairs"),
        ([LARGE, LARGE | {"num_hidden_layers": 8}], ["h100"], "two models are called large"),
        ([LARGE | {"num_hidden_layers": 8000}], ["h100"], "does not fit h100-sxm"),
        (["opt-1.3b"], ["h1000"], "unknown GPU"),
    ],
)
def test_what_makes_no_page_is_refused(models, gpus, why):
    with pytest.raises(InputError, match=why):
        explored(models, gpus)
