"""docs/serving-measure.md: its experiment is measured at a server of the tests' own."""

import re
from pathlib import Path

import pytest
import shown
import yaml

from sweetspot.cli import main
from sweetspot.config import parse_experiment
from sweetspot.measure.cells_table import write_cells

PAGE = shown.read("docs/serving-measure.md")
FORM = r"\S+ endpoint b\d+ n\d+ i\d+ o\d+: [\d.]+ J/token, [\d.]+ to [\d.]+ \(95 %, 5 repeats\)"


def test_experiment_of_the_page_gives_joules_per_token_with_an_interval(
    server, measure_endpoint, tmp_path, capsys
):
    (text,) = shown.blocks("yaml", PAGE)
    experiment = yaml.safe_load(text)
    (line,) = [line for line in PAGE.splitlines() if line.startswith("llama-3.1-8b endpoint")]
    assert re.fullmatch(FORM, line)
    small = {"requests": [4]}  # 256 streams would only take longer
    server.token_s = 0.0
    experiment["sweeps"]["serve"] |= small
    experiment["endpoint"]["url"] = server.url
    records = measure_endpoint(server.url, whole=experiment)
    assert [record.status for record in records] == ["ok"] * 5
    cells = tmp_path / "cells.csv"
    write_cells(parse_experiment(experiment), [tmp_path / "block.jsonl"], cells)
    capsys.readouterr()
    assert main(["repeats", str(cells)]) == 0
    (said,) = capsys.readouterr().out.splitlines()
    assert re.fullmatch(FORM, said)


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n"])
def test_table_that_is_no_run_is_one_line(tmp_path: Path, capsys, content):
    path = tmp_path / "cells.csv"
    path.write_text(content)
    assert main(["repeats", str(path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
