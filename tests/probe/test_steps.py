"""Steps of a probe: their work, and that each has an end in itself."""

from pathlib import Path

import pytest

from sweetspot.probe.board import _TOLD
from sweetspot.probe.steps import GIB, small, steps


def test_steps_have_names_of_their_own_and_begin_with_what_tells_most():
    ids = [step.id for step in steps()]
    assert len(ids) == len(set(ids))
    kinds = [step.kind for step in steps()[:6]]
    assert kinds == ["cold", "wait", "tick", "copy", "gemm", "attention"]


@pytest.mark.parametrize(
    ("name", "flops", "moved", "kv"),
    [
        ("copy-50", 0, 4 * GIB, 0),
        ("read", 0, 2 * GIB, 0),
        ("gemm-1x8192-normal", 2 * 8192**2, 2 * (8192**2 + 2 * 8192), 0),
        # each element of the cache takes a product and a sum for every query head that shares it
        ("attention-128-by-4", 8 * GIB, 0, 2 * GIB),
        ("attention-256-by-4", 8 * GIB, 0, 2 * GIB),
        ("attention-128-by-4-fp8", 8 * GIB, 0, GIB),
        ("tick", 0, 0, 0),
        # Llama 3.1 8B's layer has 218,112,000 weights, 2 x 4096 of them norms'
        (
            "layers-1-batch-8-compiled",
            8 * (2 * 218_103_808 + 4 * 4096 * 512),
            2 * 218_103_808,
            8 * 512 * 4 * 8 * 128,
        ),
    ],
)
def test_work_of_a_step_is_counted(name, flops, moved, kv):
    (step,) = [each for each in steps() if each.id == name]
    assert (step.flops, step.bytes, step.kv_bytes) == (flops, moved, kv)


def test_page_names_every_step():
    page = (Path(__file__).parents[2] / "docs" / "probing.md").read_text(encoding="utf-8")
    for step in steps():
        assert f"`{step.id}`" in page


def test_small_steps_keep_all_but_their_sizes():
    for step in steps():
        less = small(step)
        assert (less.id, less.kind, less.data, less.duty) == (
            step.id,
            step.kind,
            step.data,
            step.duty,
        )
        assert less.sizes.keys() == step.sizes.keys()
        assert less.bytes + less.kv_bytes < 2e6


def test_what_constants_hang_on_comes_before_anything_that_is_compiled():
    order = [step.compiled for step in steps()]
    told = [place for place, step in enumerate(steps()) if step.kind in _TOLD and not step.compiled]
    assert max(told) < order.index(True)
