"""The carried kernel tables: which there are, and what was left out of them."""

import pytest

from sweetspot.catalog import gpu_ids
from sweetspot.published import kernels

TABLE = ["gpu", "engine", "version"]


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (kernels.gemms, "dtype"),
        (kernels.decode_attention, "kv_cache"),
        (kernels.prompt_attention, "kv_cache"),
    ],
)
def test_tables_are_of_catalog_gpus_and_metered_in_one_release(read, kind):
    table = read()
    assert set(table["gpu"]) == {"a100-80gb", "h100-sxm", "h200-sxm", "b200"} <= set(gpu_ids())
    assert set(table["engine"]) == {"tensorrt-llm", "vllm"}
    assert set(table[kind]) == {"bfloat16", "fp8"}
    assert (table["latency_us"] > 0).all()
    assert set(table.loc[table["power_w"].notna(), "version"]) == {"0.22.0"}


def test_gemms_hold_400_rows_a_table():
    sizes = kernels.gemms().groupby([*TABLE, "dtype"]).size()
    assert set(sizes) == {400}
    assert len(sizes) == 16


def test_attention_holds_what_the_laws_are_for():
    decode = kernels.decode_attention()
    assert (decode["heads"] <= 16 * decode["kv_heads"]).all()
    assert kernels.prompt_attention()["input_tokens"].min() == 32
