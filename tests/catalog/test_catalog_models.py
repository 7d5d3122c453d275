"""The catalog's models: the paper's list, and where its numbers and the published ones part."""

import subprocess
import sys

import pytest

from sweetspot.catalog import catalog_entry, model_ids
from sweetspot.errors import InputError

ENTRIES = [catalog_entry(model) for model in model_ids()]


def test_models_are_the_papers_in_its_order():
    assert [(entry.id, entry.name, entry.size_family) for entry in ENTRIES] == [
        ("llama-3.2-1b", "Llama 3.2 (1B)", "XS"),
        ("opt-1.3b", "OPT (1.3B)", "XS"),
        ("qwen2-1.5b", "Qwen 2 (1.5B)", "XS"),
        ("gemma-2-2b", "Gemma 2 (2B)", "S"),
        ("opt-2.7b", "OPT (2.7B)", "S"),
        ("llama-3.2-3b", "Llama 3.2 (3B)", "S"),
        ("granite-3b", "Granite (3B)", "S"),
        ("opt-6.7b", "OPT (6.7B)", "M"),
        ("qwen2-7b", "Qwen 2 (7B)", "M"),
        ("falcon-rw-7b", "Falcon-RW (7.5B)", "M"),
        ("granite-8b", "Granite (8B)", "M"),
        ("llama-3.1-8b", "Llama 3.1 (8B)", "M"),
        ("gemma-2-9b", "Gemma 2 (9B)", "M"),
    ]


@pytest.mark.parametrize("entry", ENTRIES, ids=model_ids())
def test_paper_and_published_configuration_agree_unless_the_note_says_so(entry):
    shape, paper = entry.architecture, entry.paper
    assert (shape.layers, shape.heads) == (paper.layers, paper.heads)
    if entry.id == "granite-3b":
        assert (shape.hidden, paper.hidden_size) == (2560, 2048)
        assert "2048" in entry.note
        assert "2560" in entry.note
    else:
        assert shape.hidden == paper.hidden_size
    sharing = shape.heads // shape.kv_heads
    published = "MHA" if sharing == 1 else f"GQA ({sharing}x)"
    if entry.id == "llama-3.2-3b":
        assert (published, paper.attention) == ("GQA (3x)", "GQA (4x)")
        assert "GQA (4x)" in entry.note
    else:
        assert published == paper.attention


@pytest.mark.parametrize("entry", ENTRIES, ids=model_ids())
def test_every_entry_names_its_source(entry):
    assert entry.source.startswith(f"https://huggingface.co/{entry.hub_id}/")
    assert "config.json" in entry.source
    assert entry.architecture.id == entry.id
    assert entry.architecture.dtype in ("float16", "bfloat16")


def test_float32_checkpoints_are_float16_engines_and_the_note_says_so():
    for model in ("gemma-2-2b", "gemma-2-9b"):
        assert catalog_entry(model).architecture.dtype == "float16"
        assert "float32" in catalog_entry(model).note


def test_gemma_2_slides_in_every_second_layer():
    shape = catalog_entry("gemma-2-9b").architecture
    assert (shape.sliding_window, shape.sliding_layers, shape.layers) == (4096, 21, 42)


def test_falcon_rw_is_multi_head_with_alibi_and_biases():
    shape = catalog_entry("falcon-rw-7b").architecture
    assert (shape.layers, shape.heads, shape.kv_heads, shape.head_dim) == (36, 64, 64, 64)
    assert (shape.ffn, shape.gated_ffn, shape.vocab) == (16384, False, 65024)
    assert (shape.positions, shape.max_positions) == ("alibi", 2048)
    assert shape.attention_bias
    assert shape.attention_output_bias
    assert shape.mlp_bias
    assert "7.5B" in catalog_entry("falcon-rw-7b").note


def test_granite_code_and_opt_27_have_heads_of_80():
    assert catalog_entry("granite-3b").architecture.head_dim == 80
    assert catalog_entry("opt-2.7b").architecture.head_dim == 80


def test_qwen2_has_biases_in_qkv_only_and_no_window():
    shape = catalog_entry("qwen2-7b").architecture
    assert shape.attention_bias
    assert not shape.attention_output_bias
    assert (shape.sliding_window, shape.sliding_layers) == (None, 0)


def test_unknown_entry_is_refused_with_the_nearest():
    with pytest.raises(InputError, match=r"did you mean 'llama-3\.2-1b'"):
        catalog_entry("llama-3.2-1B")


def test_catalog_imports_nothing_heavy():
    code = (
        "import sys, sweetspot.catalog as c; c.load_model('opt-1.3b'); c.gpu('h100-sxm');"
        "print(sorted({'numpy', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
