"""Parameter counts of models that people run, against the published ones."""

from pathlib import Path

import pytest
import yaml

from sweetspot.catalog import architecture_from_config
from sweetspot.catalog.families import FAMILIES

TABLE = yaml.load(
    Path(__file__).with_name("published_models.yaml").read_text(encoding="utf-8"),
    yaml.CSafeLoader,
)
SHAPES = {model: architecture_from_config(row["config"], "x") for model, row in TABLE.items()}


@pytest.mark.parametrize("model", TABLE)
def test_parameters_are_the_published_ones_within_a_thousandth(model):
    assert SHAPES[model].parameters == pytest.approx(TABLE[model]["parameters"], rel=1e-3)


# a mean width of layers that differ is rounded
@pytest.mark.parametrize("model", [m for m, row in TABLE.items() if row["count"] != "blocks"])
def test_norms_are_all_that_is_left_out(model):
    """So parameters are never too many, and the rest is a few vectors a layer."""
    shape = SHAPES[model]
    left_out = TABLE[model]["parameters"] - shape.parameters
    widest = max(shape.hidden, shape.query_size, shape.state.inner if shape.state else 0)
    head_bias = shape.vocab
    assert 0 <= left_out <= (6 * shape.layers + 2) * widest + head_bias


def test_table_holds_sixty_models_of_every_kind():
    kinds = {
        "dense": [m for m, a in SHAPES.items() if not (a.experts or a.latent or a.state)],
        "experts": [m for m, a in SHAPES.items() if a.experts],
        "latent": [m for m, a in SHAPES.items() if a.latent],
        "hybrid": [m for m, a in SHAPES.items() if a.state],
    }
    assert len(TABLE) >= 60
    assert {kind: len(models) >= 4 for kind, models in kinds.items()} == dict.fromkeys(kinds, True)


# Parameters that a token is multiplied with, as published beside the whole: 1 digit or 2.
ACTIVE_B = {
    "Qwen/Qwen3-30B-A3B": 3.3,
    "Qwen/Qwen3-235B-A22B": 22,
    "deepseek-ai/DeepSeek-V3": 37,
    "deepseek-ai/DeepSeek-V2-Lite": 2.4,
    "mistralai/Mixtral-8x7B-v0.1": 12.9,
    "openai/gpt-oss-120b": 5.1,
    "openai/gpt-oss-20b": 3.6,
    "meta-llama/Llama-4-Maverick-17B-128E-Instruct": 17,
    "moonshotai/Kimi-K2-Instruct": 32,
    "ibm-granite/granite-4.0-h-small": 9,
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8": 12,
    "allenai/OLMoE-1B-7B-0924": 1.3,
}


@pytest.mark.parametrize("model", ACTIVE_B)
def test_active_parameters_are_those_of_the_models_name(model):
    """Some count the embeddings, some the output head alone."""
    shape, active = SHAPES[model], 1e9 * ACTIVE_B[model]
    table = shape.vocab * shape.hidden
    assert shape.token_weights < 1.04 * active
    assert shape.token_weights + 2 * table > 0.96 * active


def test_page_on_models_names_every_family_that_is_read():
    page = (Path(__file__).parents[2] / "docs/models.md").read_text(encoding="utf-8")
    rows = "".join(line for line in page.splitlines() if line.startswith("|"))
    listed = {name.strip() for name in rows.replace("|", ",").split(",")}
    assert {family.name for family in FAMILIES.values()} <= listed
