"""The command `kernels`: what it prints, and that the page in docs/ is what it writes."""

import json
import re
from pathlib import Path

from sweetspot.cli import main

DOCS = Path(__file__).parents[2] / "docs"


def without_numbers(page):
    """Return a page whose numbers, and what they are padded with, are masked."""
    return re.sub(r"[ |:-]+", " ", re.sub(r"[-+]?\d[\d.]*", "#", page))


def test_command_prints_constants_and_errors_and_writes_file_and_page(tmp_path, capsys):
    file, page = tmp_path / "kernels.json", tmp_path / "kernels.md"
    assert main(["kernels", "--out", str(file), "--page", str(page)]) == 0
    out = capsys.readouterr().out
    assert [line.split()[1] for line in out.splitlines() if "overlap_norm" in line] == [
        "overlap_norm"
    ]
    assert "tensorrt-llm 1.3.0rc20" in out
    gpus = json.loads(file.read_text(encoding="utf-8"))["gpus"]
    assert list(gpus) == ["a100-80gb", "h100-sxm", "h200-sxm", "b200"]
    committed = (DOCS / "kernels.md").read_text(encoding="utf-8")
    assert without_numbers(committed) == without_numbers(page.read_text(encoding="utf-8")), (
        "run `make kernels`"
    )
