"""Scans of states: a chunk by hand, and the two kinds beside one another."""

from dataclasses import replace
from pathlib import Path

import yaml

from sweetspot.catalog import architecture_from_config
from sweetspot.simulator.cost import scan

TABLE = yaml.load(
    (Path(__file__).parents[2] / "catalog/published_models.yaml").read_text(encoding="utf-8"),
    yaml.CSafeLoader,
)


def published(model):
    return architecture_from_config(TABLE[model]["config"], "x")


GRANITE = published("ibm-granite/granite-4.0-h-small")
QWEN = published("Qwen/Qwen3.5-35B-A3B")


def test_scan_of_a_chunk_is_the_sum_of_its_products():
    """One layer of Granite 4 H Small: C with B, that with inputs, states made and asked."""
    chunk, inner, state = 256, 128 * 64, 128
    c_b, with_inputs = 2 * chunk * chunk * state, 2 * chunk * chunk * inner
    states = 2 * (2 * chunk * inner * state)
    assert chunk * scan.prompt_flops(GRANITE.state) == 36 * (c_b + with_inputs + states)
    passed = 4 * 4 * inner * state  # four times, of four bytes
    assert chunk * scan.prompt_bytes(GRANITE.state) == 36 * passed


def test_delta_rule_does_more_than_mamba_for_the_same_state():
    plain = replace(QWEN.state, delta_rule=False)
    assert scan.decode_flops(QWEN.state) == 7 / 5 * scan.decode_flops(plain)
    assert scan.prompt_flops(QWEN.state) > scan.prompt_flops(plain)
    assert QWEN.state.projected - plain.projected == QWEN.state.heads
    assert QWEN.state_bytes > replace(QWEN, state=replace(QWEN.state, float32=False)).state_bytes
