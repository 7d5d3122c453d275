"""docs/architecture.md is true: the folders (its layers of imports: test_import_graph.py)."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def listed():
    """Return the paths that the page's tree names."""
    section = PAGE.partition("## What goes where")[2]
    tree = re.search(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[1]
    names, folder = [], ""
    for line in tree.splitlines():
        depth = len(line) - len(line.lstrip(" "))
        within = {0: "", 2: "workflow/sweetspot/", 4: folder}.get(depth, "")
        for name in line[:26].split():
            names.append(within + name)
            folder = names[-1] if depth == 2 else folder
    return names


def test_listed_folders_and_files_exist():
    assert "workflow/sweetspot/simulator/schedule/" in listed()
    made_by_runs = {"results/"}
    assert [n for n in listed() if n not in made_by_runs and not (ROOT / n).exists()] == []


@pytest.mark.parametrize("folder", ["workflow/sweetspot/", "workflow/sweetspot/simulator/"])
def test_whatever_the_library_holds_is_listed(folder):
    there = {
        f"{folder}{each.name}/"
        for each in (ROOT / folder).iterdir()
        if each.is_dir() and any(each.glob("*.py"))
    }
    if folder == "workflow/sweetspot/":
        there |= {f"{folder}{each.name}" for each in (ROOT / folder).glob("[!_]*.py")}
    assert sorted(there - set(listed())) == []
