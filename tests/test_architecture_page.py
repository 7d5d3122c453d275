"""docs/architecture.md is true: the layers of imports and the folders."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "workflow" / "sweetspot"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def block(after, language=""):
    text = PAGE.partition(after)[2]
    return re.search(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[1]


LAYERS = [line.split() for line in block("## Imports", "layers").splitlines()]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
# The namespace itself, which loads prediction on first use, and `python -m`.
ENTRANCES = {"__init__", "__main__"}


def part_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_parts(path):
    """Yield the part of the package of every import in a file, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "sweetspot":
            yield from (alias.name for alias in node.names if alias.name != "__version__")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sweetspot."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (a.name.split(".")[1] for a in node.names if a.name.startswith("sweetspot."))


def test_every_part_of_the_package_has_a_layer():
    parts = {part_of(path) for path in PACKAGE.rglob("*.py")} - ENTRANCES
    assert sorted(LEVEL) == sorted(parts)


@pytest.mark.parametrize("part", sorted(LEVEL))
def test_part_imports_from_lower_layers_only(part):
    files = [path for path in PACKAGE.rglob("*.py") if part_of(path) == part]
    wrong = {
        f"{path.relative_to(PACKAGE)} imports {other}"
        for path in files
        for other in imported_parts(path)
        if other != part and LEVEL[other] >= LEVEL[part]
    }
    assert wrong == set()


def test_listed_folders_and_files_exist():
    listed = block("## What goes where")
    names = [
        ("" if not line.startswith("  ") else "workflow/sweetspot/") + name
        for line in listed.splitlines()
        for name in line[:26].split()
    ]
    assert "workflow/sweetspot/plan.py" in names
    made_by_runs = {"results/"}
    assert [n for n in names if n not in made_by_runs and not (ROOT / n).exists()] == []


def test_library_imports_nothing_of_snakemake():
    importing = [
        path
        for path in PACKAGE.rglob("*.py")
        if re.search(r"^\s*(import|from) snakemake", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert importing == []
