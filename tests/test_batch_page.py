"""docs/batch-form.md: its notebook is played, and its errors are those of the evidence."""

import doctest
import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "batch-form.md").read_text(encoding="utf-8")


def test_example_prints_what_is_shown(monkeypatch):
    monkeypatch.chdir(DOCS.parent)  # it reads data/
    [text] = re.findall(r"(?ms)^```python\n(.*?)^```", PAGE)
    example = doctest.DocTestParser().get_doctest(text, {}, "batch-form.md", None, None)
    said = []
    assert doctest.DocTestRunner(verbose=False).run(example, out=said.append).failed == 0, said


def test_evidence_has_the_errors_that_the_page_shows():
    evidence = (DOCS / "batch-evidence.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"(?ms)leave_one_cell_out_percent\n(.*?)>>>", PAGE)
    errors = re.findall(r"\d\.\d\d$", shown, re.MULTILINE)
    [row] = re.findall(r"^\| batch5 +\|.*$", evidence, re.MULTILINE)
    assert re.findall(r"\d\.\d\d", row) == errors
