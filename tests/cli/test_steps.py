"""Commands that jobs call, in one process: from a block to tables, figures and manifest."""

import csv
import json

import pytest

from sweetspot.cli import main
from sweetspot.config import parse_experiment
from sweetspot.plan.plan import plan
from sweetspot.schema.writing import json_text

LENGTHS = [64, 256, 1024]


@pytest.fixture(scope="module")
def experiment():
    return parse_experiment(
        {
            "run": "steps",
            "engine": "simulator",
            "models": ["llama-3.2-1b", "opt-1.3b"],
            "sweeps": {"grid": {"input_tokens": LENGTHS, "output_tokens": LENGTHS}},
        }
    )


def measure(blocks, folder, *options):
    return main(
        [
            *("measure", "--records", f"{folder}/records"),
            *("--block", *(block.id for block in blocks)),
            *("--settings", *(block.settings.json for block in blocks)),
            *("--cells", *(block.cell_names for block in blocks)),
            *("--out", *(f"{folder}/blocks/{block.id}.jsonl" for block in blocks)),
            *options,
        ]
    )


@pytest.fixture(scope="module")
def run(experiment, tmp_path_factory):
    """Run every step of a small experiment and return its folder."""
    folder = tmp_path_factory.mktemp("steps")
    blocks = plan(experiment).blocks
    assert measure(blocks, folder) == 0
    cells, fits, comparison = folder / "cells.csv", folder / "fits", folder / "comparison.csv"
    files = [f"{folder}/blocks/{block.id}.jsonl" for block in blocks]
    text = json_text(experiment)
    for step in (
        ["cells", "--experiment", text, "--out", cells, *files],
        ["analyse", cells, "--out", fits, "--comparison", comparison],
        ["figures", "figure2_output_length", "--cells", cells, "--out", folder / "figures"],
        ["manifest", "--experiment", text, "--out", folder / "manifest.json", cells, comparison],
    ):
        assert main([str(part) for part in step]) == 0
    return folder


def table_of(run, name):
    out = run / "tables" / name
    command = ["table", name, "--models", "llama-3.2-1b", "opt-1.3b", "--fits", f"{run}/fits"]
    code = main([*command, "--comparison", f"{run}/comparison.csv", "--out", str(out)])
    return code, out


def refused(capsys, *arguments):
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith("sweetspot: error: ")
    assert err.count("\n") == 1
    return err


def test_cells_are_the_experiments(run, experiment):
    with (run / "cells.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["cell"] for row in rows] == list(plan(experiment).sweeps)
    assert {row["status"] for row in rows} == {"ok"}
    assert {row["simulated"] for row in rows} == {"True"}


@pytest.mark.parametrize(
    "name",
    [
        "table1_forms",
        "table2_models",
        "table3_mape",
        "table4_significance",
        "table5_coefficients",
        "comparison",
    ],
)
def test_table_is_written_in_every_format(run, name):
    code, out = table_of(run, name)
    assert code == 0
    assert all(out.with_suffix(suffix).stat().st_size > 50 for suffix in (".csv", ".md", ".tex"))


def test_figure_is_written_in_both_formats(run):
    figure = run / "figures/figure2_output_length"
    assert figure.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    assert figure.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


def test_manifest_lists_what_it_was_given(run):
    found = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert list(found["files"]) == ["cells.csv", "comparison.csv"]


def test_measuring_again_reuses_and_remeasure_does_not(run, experiment, caplog):
    block = plan(experiment).blocks[0]
    with caplog.at_level("INFO"):
        assert measure([block], run) == 0
        assert measure([block], run, "--remeasure", "all") == 0
    assert [text for text in caplog.messages if "cells" in text] == [
        f"{block.id}: 9 cells, 9 of them reused"
    ]


def test_dataset_is_written(tmp_path):
    out = tmp_path / "requests.jsonl"
    sizes = ["--requests", "3", "--input-tokens", "5", "--output-tokens", "7"]
    assert main(["dataset", *sizes, "--out", str(out)]) == 0
    requests = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [(len(r["input_ids"]), r["output_tokens"]) for r in requests] == [(5, 7)] * 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "--experiment is not valid JSON"),
        ("", "--experiment is not valid JSON"),
        ("5", "--experiment must be a mapping of keys to values, not 5"),
        ("[]", "--experiment must be a mapping of keys to values, not []"),
        ('{"modells": []}', "unknown key 'modells'; did you mean 'models'?"),
        ('{"sweeps": {"grid": {"requests": [0]}}}', "must be a positive integer, not 0"),
    ],
)
@pytest.mark.parametrize("step", ["cells", "manifest"])
def test_bad_experiment_is_refused_in_one_line(capsys, tmp_path, step, text, message):
    out = tmp_path / "out"
    assert message in refused(capsys, step, "--experiment", text, "--out", out, tmp_path / "file")
    assert not out.exists()


def test_bad_block_is_refused_in_one_line(capsys, run, experiment):
    block = plan(experiment).blocks[0]
    paths = ["--records", run / "records", "--out", run / "blocks/bad.jsonl"]
    good = ["measure", "--block", block.id, *paths]
    settings = ["--settings", block.settings.json]
    assert "is not a cell" in refused(capsys, *good, *settings, "--cells", "n0/i64_o64/r0")
    assert "cannot be used" in refused(capsys, *good, "--settings", "{}", "--cells", "")
    assert "needs its own" in refused(capsys, *good, *settings, "--cells", "", "")
    assert not (run / "blocks/bad.jsonl").exists()


def test_corrupt_block_file_is_named_with_the_way_out(capsys, tmp_path, experiment):
    block = tmp_path / "block.jsonl"
    block.write_text('{"cell": "half', encoding="utf-8")
    message = refused(
        capsys,
        *("cells", "--experiment", json_text(experiment)),
        *("--out", tmp_path / "cells.csv", block),
    )
    assert f"{block} line 1 is not valid JSON: " in message
    assert "; delete the file and run again: finished cells are reused" in message


def test_too_few_cells_say_how_many_a_fit_needs(capsys, run, tmp_path):
    lines = (run / "cells.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    few = tmp_path / "cells.csv"
    few.write_text("".join(lines[:2]), encoding="utf-8")
    message = refused(capsys, "analyse", few, "--out", tmp_path / "fits")
    assert "too few cells to fit" in message
    assert not (tmp_path / "fits").exists()


def test_unknown_table_figure_and_style_are_refused_in_one_line(capsys, run):
    assert table_of(run, "table9")[0] == 2
    assert "unknown table 'table9'" in capsys.readouterr().err
    figure = ["--out", run / "figures/x"]
    assert "unknown figure 'figure9'" in refused(
        capsys, "figure", "figure9", run / "cells.csv", *figure
    )
    assert "--style" in refused(
        capsys,
        *("figure", "figure2_output_length", run / "cells.csv", *figure),
        *("--style", '{"palette": "jet"}'),
    )


@pytest.mark.parametrize(
    "step",
    [
        ["analyse", "nowhere.csv", "--out", "fits"],
        ["figure", "figure2_output_length", "nowhere.csv", "--out", "figure"],
        ["table", "table3_mape", "--models", "opt-1.3b", "--fits", "nowhere", "--out", "table"],
        ["table", "table3_mape", "--models", "opt-1.3b", "--out", "table"],
        ["table", "comparison", "--models", "opt-1.3b", "--out", "table"],
        ["table", "table2_models", "--models", "opt-1.4b", "--out", "table"],
        ["cells", "--experiment", "{}", "--out", "cells.csv", "nowhere.jsonl"],
    ],
    ids=range(7),
)
def test_missing_file_or_name_is_refused_in_one_line(capsys, tmp_path, monkeypatch, step):
    monkeypatch.chdir(tmp_path)
    refused(capsys, *step)
    assert not list(tmp_path.iterdir())


def test_folder_that_cannot_be_written_is_refused_in_one_line(capsys, run, experiment, tmp_path):
    (tmp_path / "file").write_text("in the way")
    blocked = tmp_path / "file" / "deeper"
    block = plan(experiment).blocks[0]
    capsys.readouterr()
    assert measure([block], blocked) == 2
    assert str(blocked) in capsys.readouterr().err
    cells = run / "cells.csv"
    assert "cannot write" in refused(capsys, "analyse", cells, "--out", blocked)
    assert "cannot write" in refused(
        capsys,
        *("manifest", "--experiment", "{}", "--out", run / "cells.csv" / "manifest.json"),
        run / "cells.csv",
    )


@pytest.mark.parametrize("out", ["", ".", "/", ".."])
def test_out_that_names_no_file_is_one_line(capsys, out):
    with pytest.raises(SystemExit, match="2"):
        main(["table", "table2_models", "--models", "opt-1.3b", f"--out={out}"])
    assert f"{out!r} is a folder: name a file in it" in capsys.readouterr().err
