"""docs/architecture.md is true: the folders (its layers of imports: test_import_graph.py)."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_listed_folders_and_files_exist():
    section = PAGE.partition("## What goes where")[2]
    listed = re.search(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[1]
    names, folder = [], ""
    for line in listed.splitlines():
        depth = len(line) - len(line.lstrip(" "))
        within = {0: "", 2: "workflow/sweetspot/", 4: folder}.get(depth, "")
        for name in line[:26].split():
            names.append(within + name)
            folder = names[-1] if depth == 2 else folder
    assert "workflow/sweetspot/simulator/schedule/" in names
    made_by_runs = {"results/"}
    assert [n for n in names if n not in made_by_runs and not (ROOT / n).exists()] == []
