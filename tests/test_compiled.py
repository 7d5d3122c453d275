"""The event loop compiled by mypyc, as docs/performance.md has it: the same answers."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LOADS = """
import sys
from sweetspot.ask.load import simulate_load
from sweetspot.config import Limits
from sweetspot.simulator import serve
from sweetspot.simulator.schedule.requests import Lengths, generated
lengths = Lengths(mean=600, stdev=300, shape="lognormal"), Lengths(mean=200, stdev=100)
for model, scheduling in (
    ("llama-3.1-8b", "guaranteed-no-evict"),
    ("gemma-2-9b", "max-utilization"),  # windows slide
    ("opt-1.3b", "static"),
):
    load = generated(2000, *lengths, max_seq_len=2048, rate_per_s=15)
    limits = Limits(max_batch_size=512, max_seq_len=2048)
    print(repr(simulate_load(model, "h100-sxm", load, limits=limits, scheduling=scheduling).served))
print(serve.__file__, file=sys.stderr)
"""


def answers(package):
    """Return what loads come to by a package's folder, and the file that its loop is in."""
    done = subprocess.run(
        [sys.executable, "-c", LOADS],
        env=os.environ | {"PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, Path(done.stderr.split()[-1])


@pytest.mark.slow(reason="C is compiled for a minute")
def test_the_compiled_loop_gives_the_same_answers(tmp_path):
    if not shutil.which("cc") and not os.environ.get("CI"):
        pytest.skip("no C compiler here")
    copy, built = tmp_path / "copy", tmp_path / "built"
    ignored = shutil.ignore_patterns("__pycache__", "*.so")
    shutil.copytree(ROOT / "workflow", copy / "workflow", ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    made = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path, copy],
        env={k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV_CORE"))}
        | {"HATCH_BUILD_HOOK_ENABLE_MYPYC": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    (wheel,) = tmp_path.glob("sweetspot_llm-*.whl")
    zipfile.ZipFile(wheel).extractall(built)
    compiled, plain = answers(built), answers(ROOT / "workflow")
    assert compiled[1].suffix == ".so"
    assert plain[1].suffix == ".py"
    assert compiled[0] == plain[0]
