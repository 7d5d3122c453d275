"""What README and docs/python.md show is run, and prints what they say it prints."""

import re
import shlex
from pathlib import Path
from statistics import fmean

import pytest
import shown
import yaml

from sweetspot import __version__, published
from sweetspot.catalog import catalog_entry, gpu
from sweetspot.catalog.packaged import read_packaged
from sweetspot.config import Experiment, Sweep
from sweetspot.engines.simulated import SimulatorEngine
from sweetspot.measure.cells_table import write_cells
from sweetspot.measure.estimate import estimate
from sweetspot.measure.measure import measure_block
from sweetspot.metering.trace import window_energy_j
from sweetspot.plan.busy import run_s
from sweetspot.plan.plan import plan
from sweetspot.simulator.calibration.to_published import surface_target
from sweetspot.simulator.constants.calibration_file import load_calibration, shipped_boards

ROOT = shown.ROOT
README = shown.read("README.md")
COMMANDS = shown.commands(README)


def commands(program):
    return [command for command in COMMANDS if shlex.split(command)[0] == program]


WITH_PROFILE = [c for c in commands("snakemake") if "--workflow-profile" in c]
# Planned by tests/workflow/test_plan.py: config.yaml as it stands, on a GPU.
ON_A_GPU = ["snakemake --cores all"]
RUNS = [c for c in commands("snakemake") if c not in (*WITH_PROFILE, *ON_A_GPU)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the files that the README has its reader write."""
    (model,), (experiment,) = shown.blocks("json", README), shown.blocks("yaml", README)
    (tmp_path / "my-model").mkdir()
    (tmp_path / "my-model" / "config.json").write_text(model, encoding="utf-8")
    (tmp_path / "my.yaml").write_text(experiment, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_is_of_a_kind_that_is_tested():
    tested = [*commands("make"), *commands("sweetspot"), *WITH_PROFILE, *ON_A_GPU, *RUNS]
    assert set(COMMANDS) == set(tested)
    languages = ("console", "python", "json", "yaml")
    found = sum(len(shown.blocks(language, README)) for language in languages)
    assert found == len(re.findall(r"^```\w", README, re.MULTILINE))


@pytest.mark.parametrize("command", commands("make"))
def test_make_command_is_a_target(command):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    target, *variables = command.split()[1:]
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    for name in (variable.partition("=")[0] for variable in variables):
        assert re.search(rf"^{name} \?=", makefile, re.MULTILINE)


def test_ci_runs_what_makes_the_paper_and_all_tests():
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    found = [line for line in lines if line.startswith("make ")]
    (of_paper,) = (b for b in shown.blocks("console", README) if "make paper" in b)
    assert found == [*shown.commands(f"```console\n{of_paper}```\n"), "make test-slow"]


@pytest.mark.parametrize("command", WITH_PROFILE)
def test_profile_exists(command):
    profile = ROOT / command.partition("--workflow-profile ")[2].split()[0]
    assert any((profile / name).is_file() for name in ("profile.yaml", "config.yaml"))


@pytest.mark.parametrize("command", commands("sweetspot"))
def test_sweetspot_command_prints_what_is_shown(command, folder, capsys):
    assert shown.said(command, capsys) == COMMANDS[command]


@pytest.mark.parametrize("block", shown.blocks("python", README))
def test_python_example_prints_what_is_shown(block, folder):
    shown.play(block)


def test_python_page_prints_what_is_shown(tmp_path, monkeypatch):
    """Its cells are those of `make paper` of the one model that it shows."""
    experiment = Experiment(engine="simulator", models=["llama-3.1-8b"], sweeps={"grid": {}})
    (block,) = plan(experiment).blocks
    measure_block(block, SimulatorEngine(), tmp_path / "records", tmp_path / "block.jsonl")
    cells = tmp_path / "results" / "paper-simulated" / "cells.csv"
    write_cells(experiment, [tmp_path / "block.jsonl"], cells)
    monkeypatch.chdir(tmp_path)
    shown.play("\n".join(shown.blocks("python", shown.read("docs/python.md"))))


MODELS_PAGE = shown.read("docs/models.md")
MODELS_COMMANDS = shown.commands(MODELS_PAGE)


@pytest.mark.parametrize("command", MODELS_COMMANDS)
def test_command_of_the_models_page_answers(command, tmp_path, monkeypatch, capsys):
    """With the files that the page shows; where it shows an answer, with that."""
    for name, text in re.findall(
        r"`([\w./-]+\.(?:json|yaml))` holds:\n\n```\w+\n(.*?)^```$",
        MODELS_PAGE,
        re.MULTILINE | re.DOTALL,
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    lines = shown.said(command, capsys).splitlines()
    assert lines
    assert all(line in lines for line in MODELS_COMMANDS[command].splitlines())


@pytest.mark.slow(reason="Snakemake, one of them a whole run")
@pytest.mark.parametrize("command", RUNS)
def test_snakemake_command_runs(command, folder, forked_snakemake):
    done = forked_snakemake([*shlex.split(command)[1:], "-s", ROOT / "Snakefile"])
    assert done.returncode == 0, done.stderr
    if " -n " in command:
        assert " cells to do" in done.stdout.splitlines()[-1]
    else:
        run = folder / "results" / "my-model-a100"
        assert len((run / "cells.csv").read_text(encoding="utf-8").splitlines()) == 7
        assert (run / "figures" / "figure2_output_length.png").is_file()


def simulated(sweep):
    """Return [(cell, output tokens per J)] of a sweep on the default GPU and limits."""
    found = []
    for block in plan(Experiment(engine="simulator", sweeps={"one": sweep})).blocks:
        session = SimulatorEngine().load(block.settings)
        for cell in block.cells:
            session.meter.start()
            run = session.run(cell)
            energy_j = window_energy_j(session.meter.stop().trace, run.start_s, run.end_s)
            found.append((cell, run.output_tokens / energy_j))
    return found


def test_numbers_under_how_accurate_are_the_simulators():
    headline = published.headline().set_index("id")["value"]
    few = [e for _, e in simulated(Sweep(models=["falcon-rw-7b"], requests=[10]))]
    batch = simulated(Sweep(models=["llama-3.2-1b"], input_tokens=[64], max_batch_size=[64, 256]))
    rows = {
        "llama_3_2_1b_peak_batch_64": max(e for c, e in batch if c.max_batch_size == 64),
        "llama_3_2_1b_long_output_batch_256": next(
            e for c, e in batch if (c.max_batch_size, c.output_tokens) == (256, 4096)
        ),
        "falcon_rw_7b_10_requests_max": max(few),
        "falcon_rw_7b_10_requests_min": min(few),
    }
    for name, ours in rows.items():
        difference = f"{100 * (ours / headline[name] - 1):+.1f}".replace("-", "−")
        row = f"| {ours:.2f} tokens/J | {headline[name]:.2f} | {difference} % |"
        assert row in README, f"{name}: the README should say {row}"


def test_errors_on_what_was_fitted_to_are_the_simulators():
    surface = published.surface_cells().set_index("cell")["tokens_per_j"]
    errors = {}
    for cell, tokens_per_j in simulated(Sweep()):
        error = abs(surface[cell.id] / tokens_per_j - 1)  # of energy, as it was fitted
        errors.setdefault(cell.model, []).append(100 * error)
    of_models = {model: fmean(values) for model, values in errors.items()}
    mean, worst = fmean(of_models.values()), max(of_models.values())
    throughput = shipped_boards()["h100-sxm"].errors_percent["throughput_llama_3_1_8b_fp16"]
    assert f"| {mean:.2f} % on average, {worst:.2f} % for the worst model |" in README
    assert f"| {throughput:.2f} % on average |" in README

    page = " ".join(shown.read("docs/simulator.md").split())
    name = catalog_entry(max(of_models, key=of_models.__getitem__)).name.replace("(", "")
    assert f"{mean:.2f} % and {throughput:.2f} % on average; by model up to {worst:.2f} %" in page
    assert f"{worst:.2f} % ({name}." in page


def test_hours_of_the_papers_experiment_are_what_the_measuring_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where nothing was measured
    shares = estimate(Experiment()).models
    hours = {share.model: share.gpu_hours.expected for share in shares}
    longest = max(max(run_s(b, b.cells).values()) for b in plan(Experiment()).blocks) / 3600
    page = " ".join(shown.read("docs/measuring.md").split())
    assert f"by the simulator: {sum(hours.values()):.0f} h for the paper's 798 cells" in page
    shortest, most = min(hours, key=hours.__getitem__), max(hours, key=hours.__getitem__)
    assert (shortest, most) == ("qwen2-1.5b", "falcon-rw-7b")
    assert f"from {hours[shortest]:.1f} h (Qwen2 1.5B) to {hours[most]:.1f} h (Falcon-RW" in page
    assert f"the longest cell {longest:.1f} h" in page


def test_disk_space_of_the_papers_models_is_what_the_measuring_page_says():
    published_bytes = engine_bytes = 0
    for model_id, entry in read_packaged("models.yaml").items():
        architecture = catalog_entry(model_id).architecture
        engine_bytes += architecture.weight_bytes
        wide = entry["config"]["torch_dtype"] == "float32"
        published_bytes += architecture.weight_bytes * (2 if wide else 1)
    page = shown.read("docs/measuring.md")
    assert f"files: {published_bytes / 1e9:.0f} GB for the paper's 13" in page
    assert f"and {engine_bytes / 1e9:.0f} GB for the engines" in page


def test_end_of_a_run_weighs_what_the_simulators_page_says():
    board = gpu("h100-sxm")
    constants = load_calibration(board).constants
    engine = constants.engine
    energy_j = surface_target(board).runs.taken(board, constants).energy_j
    share = max(engine.run_overhead_s * engine.run_overhead_w / energy_j)
    page = " ".join(shown.read("docs/simulator.md").split())
    assert f"ends with {engine.run_overhead_s:g} s in which no request runs" in page
    assert f"up to {share:.0%} of a grid cell's energy".replace("%", " %") in page


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))]
)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text)
    local = [target for target in targets if "://" not in target]
    missing = [t for t in local if not ((ROOT / page).parent / t).exists()]
    assert missing == []


def test_release_files_name_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    assert f"\n## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_figures_of_left_out_models_are_those_of_the_accuracy_page():
    page = shown.read("docs/accuracy.md")
    rows = page.partition("`leave-one-model-out`")[2].splitlines()[:2]
    mean, worst = (re.search(r"(\d+\.\d\d) %", row)[1] for row in rows)
    assert f"| {mean} % on average, {worst} % for the worst model |" in README


def test_figures_of_measured_cells_are_those_of_the_accuracy_page():
    page = shown.read("docs/accuracy.md")
    of_test = page.partition("`measured-h200-vllm`")[2].partition("`measured-")[0]
    for model, name in (
        *(("llama-3.1-8b", "Llama 3.1 8B"), ("llama-3.2-1b", "Llama 3.2 1B")),
        ("gemma-2-2b", "Gemma 2 2B"),
    ):
        errors = re.findall(rf", {re.escape(model)} (\d+\.\d\d) %", of_test)
        (row,) = re.findall(rf"^\| {re.escape(name)}, 14 cells.*$", README, re.MULTILINE)
        printed = re.findall(r"(\d+\.\d) %", row)
        assert [float(e) for e in errors] == pytest.approx([float(t) for t in printed], abs=0.06)
