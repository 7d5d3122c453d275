"""A run is what it says: a changed number is found in every kind of file, and by its own check."""

import gzip
import json
import re
from pathlib import Path

import pytest

from sweetspot.cli import main
from sweetspot.config import parse_experiment
from sweetspot.engines.simulated import SimulatorEngine
from sweetspot.errors import InputError
from sweetspot.measure.cells_table import write_cells
from sweetspot.measure.manifest import MANIFEST, write_manifest
from sweetspot.measure.measure import measure_block
from sweetspot.measure.result import RATIOS
from sweetspot.outputs import figures_of, tables_of
from sweetspot.plan.plan import plan
from sweetspot.plan.split import parts
from sweetspot.report.write import write_page
from sweetspot.verify.check import read_rows
from sweetspot.verify.derived import check_derived
from sweetspot.verify.records import read_records
from sweetspot.verify.verify import verify

NEWER = {"window_start_s", "window_end_s", "trace_utc_s", *RATIOS}  # than records of schema 2
RECORDS = "records: one a cell, under its key"
TRACES = "energies from power traces, to the bit"
BLOCKS = "blocks/ from records"
CELLS = "cells.csv from records"
DERIVED = ("fits/ from cells.csv", "comparison.csv from cells.csv", "tables/ from cells.csv")
FIGURES = "figures/ by their hashes in manifest.json"
SHOWN = "report.html from what it shows"
HASHES = "all other hashes in manifest.json"


def found(folder):
    """Return the differences of each check that has some."""
    return {check.what: check.differences for check in verify(folder).checks if check.differences}


def places(differences):
    """Return the files or cells that differences begin with."""
    return [each.partition(":")[0].partition(" line ")[0] for each in differences]


def other_digit(text, before):
    """Change the last digit of the first decimal after what `before` matches."""
    match = re.search(rf"{before}\d+\.\d*(\d)", text)
    digit = "7" if match[1] != "7" else "3"
    return text[: match.start(1)] + digit + text[match.end(1) :]


def change(path, before=""):
    """Change a digit in a file, as an editor might."""
    path.write_text(other_digit(path.read_text(), before))


def test_run_as_it_was_made_is_verified_in_every_file(small_run, capsys):
    assert main(["verify", str(small_run)]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == f"{small_run}: run small, simulated"
    assert [line for line in lines if not line.endswith("  ok")] == []
    counts = {re.split(r"  +", line)[1]: int(re.findall(r"\d+", line)[-1]) for line in lines}
    assert counts[RECORDS] == counts[TRACES] == counts[CELLS] == 9
    files = [path for path in small_run.rglob("*") if path.is_file()]
    traces_and_records = 2 * 9
    assert counts[FIGURES] + counts[HASHES] + counts[BLOCKS] + traces_and_records + 1 == len(files)


def test_run_whose_blocks_were_split_is_verified_by_the_files_of_its_jobs(run):
    (whole,) = (run / "blocks").rglob("*.jsonl")
    (planned,) = plan(
        parse_experiment(json.loads((run / MANIFEST).read_text())["experiment"])
    ).blocks
    lines = whole.read_text().splitlines(keepends=True)
    line_of = dict(zip(planned.cells, lines, strict=True))
    whole.unlink()
    smaller = [run / f"blocks/{part.id}.jsonl" for part in parts(planned, "cell")]
    for path, part in zip(smaller, parts(planned, "cell"), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(line_of[cell] for cell in part.cells))
    assert found(run) == {}
    smaller[4].unlink()
    ((what, (line,)),) = found(run).items()
    assert (what, line.partition(":")[0]) == (BLOCKS, smaller[4].relative_to(run).as_posix())


def test_changed_number_of_a_cell_is_found_in_each_file_that_has_it(run):
    rows = read_rows(run / "cells.csv")[1:]
    cells = [row[0] for row in rows]
    records = [run / f"records/{row[0]}.{row[2]}.json" for row in rows]
    change(records[0], '"energy_j": ')
    trace = records[1].with_suffix(".trace.csv.gz")
    power = other_digit(gzip.decompress(trace.read_bytes()).decode(), r"\n[\d.]+,")
    trace.write_bytes(gzip.compress(power.encode()))
    (block,) = (run / "blocks").rglob("*.jsonl")
    change(block, f'"{cells[2]}".*"energy_j":')
    change(run / "cells.csv", f"{cells[3]},.*,integration,,")
    records[4].write_text(records[4].read_text().replace('"requests": 1000,', '"requests": 1001,'))
    records[5].unlink()
    records[6].rename(records[6].with_name("r0.0123456789abcdef.json"))
    change(run / "figures/figure2_output_length.png")

    wrong = found(run)
    assert places(wrong[RECORDS]) == cells[4:7]
    assert wrong[RECORDS][0].endswith("its record has requests 1001, not 1000")
    assert "there is r0.0123456789abcdef.json: of another experiment" in wrong[RECORDS][2]
    assert wrong[TRACES][0].startswith(f"{cells[0]}: energy_j is ")
    assert set(places(wrong[TRACES])) == set(cells[:2])
    lines = [each.partition("the line of ")[2].partition(" ")[0] for each in wrong[BLOCKS]]
    assert lines == [cells[0], cells[2]]
    values = [each.partition(" is ")[0] for each in wrong[CELLS]]
    assert values == [
        f"cells.csv: energy_j of {cells[0]}",
        f"cells.csv: energy_per_total_token_j of {cells[0]}",
        f"cells.csv: energy_per_request_j of {cells[0]}",
        f"cells.csv: energy_integration_j of {cells[3]}",
    ]
    assert places(wrong[FIGURES]) == ["figures/figure2_output_length.png"]
    assert places(wrong[HASHES]) == ["cells.csv"]


def test_run_of_an_earlier_version_derives_from_its_records(run):
    def older(line):
        record = json.loads(line)
        return {k: v for k, v in record.items() if k not in NEWER} | {"schema_version": 2}

    for path in (run / "records").rglob("r0.*.json"):
        path.write_text(json.dumps(older(path.read_text())))
    for path in (run / "blocks").rglob("*.jsonl"):
        lines = path.read_text().splitlines()
        path.write_text("".join(f"{json.dumps(older(line))}\n" for line in lines))
    assert found(run) == {}


def test_changed_number_of_the_analysis_is_found_in_each_file_that_has_it(run):
    fits, tables = [f"fits/{path.name}" for path in sorted((run / "fits").iterdir())], []
    fits = [name for name in fits if len(read_rows(run / name)) > 1]
    for name in fits:
        change(run / name)
    change(run / "comparison.csv")
    for suffix in ("csv", "html", "md", "tex"):
        tables.append(f"tables/table5_coefficients.{suffix}")
        change(run / tables[-1], before="(?si)1b.*?")
    wrong = found(run)
    assert {"fits/quality.csv", "fits/coefficients.csv", "fits/extremes.csv"} <= set(fits)
    expected = (fits, ["comparison.csv"], tables)
    for what, names in zip(DERIVED, expected, strict=True):
        assert places(wrong[what]) == names
    assert places(wrong[HASHES]) == ["comparison.csv", *fits, *tables]
    assert wrong.keys() == {*DERIVED, HASHES}


def test_changed_page_is_found_though_the_manifest_was_changed_with_it(run):
    path, page = run / MANIFEST, run / "report.html"
    manifest = json.loads(path.read_text())
    experiment = parse_experiment(manifest["experiment"])
    planned = plan(experiment)
    for name in figures_of(list(planned.cells)):
        for suffix in ("png", "alt.txt"):
            (run / f"figures/{name}.{suffix}").write_text("a figure")
    write_page(
        run,
        run="small",
        blocks=(run / "blocks").rglob("*.jsonl"),
        models=experiment.models,
        table_names=tables_of(list(planned.cells)),
        figure_names=figures_of(list(planned.cells)),
        out=page,
    )
    files = [run / name for name in (*manifest["files"], "report.html")]
    files += [each for each in (run / "figures").iterdir() if each not in files]
    write_manifest(experiment, files, path)
    assert found(run) == {}
    page.write_text(page.read_text().replace("9 cells", "8 cells"))
    write_manifest(experiment, files, path)
    assert [(what, places(of)) for what, of in found(run).items()] == [(SHOWN, ["report.html"])]


def test_difference_ends_the_command_with_1(run, capsys):
    (run / "cells.csv").unlink()
    with pytest.raises(SystemExit) as ended:
        main(["verify", str(run)])
    assert ended.value.code == 1
    out = capsys.readouterr().out
    assert re.search(r"  cells.csv from records +0 rows +1 DIFFERENCE\n", out)
    missing = f"  cells.csv: cannot read cells {run / 'cells.csv'}: No such file or directory"
    assert f"\nwhat derives from cells.csv:\n{missing}\n" in out


def test_manifest_of_another_experiment_or_other_files_is_found(run):
    (run / "cells.csv").unlink()  # so that nothing is fitted here
    path = run / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["simulated"] = False
    manifest["files"]["fits/extremes.csv"]["bytes"] += 1
    (run / "comparison.csv").rename(run.parent / "comparison.csv")
    manifest["files"]["../comparison.csv"] = manifest["files"].pop("comparison.csv")
    manifest["files"]["figures/figure9.png"] = manifest["files"].pop("fits/quality.csv")
    path.write_text(json.dumps(manifest))
    wrong = found(run)
    assert wrong["what the manifest says of the engine"] == (
        "manifest.json: simulated is False, and the engine simulator",
    )
    assert places(wrong[HASHES]) == ["cells.csv", "fits/extremes.csv", "../comparison.csv"]
    assert places(wrong[FIGURES]) == ["figures/figure9.png"]
    assert wrong["nothing beside what manifest.json lists"] == (
        "fits/quality.csv: is not in manifest.json",
    )


def test_record_of_other_settings_is_no_record(small_run):
    manifest = json.loads((small_run / "manifest.json").read_text())
    limits = manifest["experiment"]["limits"] | {"max_num_tokens": 4096}  # part of every key
    changed = parse_experiment(manifest["experiment"] | {"limits": limits})
    records, check = read_records(plan(changed), small_run / "records")
    assert (records, len(check.differences)) == ({}, 9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (None, "cannot read manifest .*; is .* the folder of a finished run"),
        ({"schema_version": 9}, "manifest .* cannot be used: schema_version"),
        ({"experiment": {"engine": "none"}}, "the experiment of .*manifest.json: engine"),
        ({"experiment": {"models": ["./gone"]}}, "gone.*; verify in the folder that the run was"),
    ],
)
def test_folder_that_is_no_run_is_refused(tmp_path, small_run, changes, message):
    if changes:
        manifest = json.loads((small_run / "manifest.json").read_text())
        (tmp_path / "manifest.json").write_text(json.dumps(manifest | changes))
    with pytest.raises(InputError, match=message):
        verify(tmp_path)


def test_data_of_a_campaign_are_refused_with_what_checks_them():
    with pytest.raises(InputError, match="campaign's data, not a run: `sweetspot campaign-report`"):
        verify(Path(__file__).parents[2] / "data" / "h200-vllm")


def test_run_of_too_few_lengths_for_all_fits_needs_no_comparison(small_experiment, tmp_path):
    lengths = {"input_tokens": [512], "output_tokens": [64, 128, 256, 512, 1024], "requests": [20]}
    experiment = small_experiment(sweeps={"chat": lengths})
    planned = plan(experiment)
    (block,) = planned.blocks
    blocks = tmp_path / "block.jsonl"
    measure_block(block, SimulatorEngine(), tmp_path / "records", blocks)
    write_cells(experiment, [blocks], tmp_path / "cells.csv")
    assert [check.what for check in check_derived(experiment, planned, tmp_path)] == [
        "fits/ from cells.csv",
        "tables/ from cells.csv",
    ]
