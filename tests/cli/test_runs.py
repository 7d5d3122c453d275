"""`sweetspot plan`: what docs/measuring.md shows, as JSON, too, and files that are none."""

import json
from pathlib import Path

import pytest
import shown

from sweetspot.cli import main

MEASURING = shown.read("docs/measuring.md")


@pytest.fixture
def tried(tmp_path, monkeypatch):
    """A working folder with the page's experiment."""
    (text,) = (t for t in shown.blocks("yaml", MEASURING) if t.startswith("run: try\n"))
    (tmp_path / "try.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("tried")
def test_plan_prints_what_the_page_shows_and_json_the_same(capsys):
    ((command, output),) = shown.commands(MEASURING).items()
    assert shown.said(command, capsys) == output
    found = json.loads(shown.said(f"{command} --json --gpus 3", capsys))
    assert (found["cells"], found["gpus"], found["simulated"]) == (2, 3, False)
    assert f"{found['gpu_hours']:.2g} (" in output
    assert f"disk: {found['dataset_bytes'] / 1e6:.3g} MB" in output
    assert found["models"][0]["kwh"] == found["kwh"]


@pytest.mark.usefixtures("tried")
def test_plan_of_several_gpus_says_what_keeps_them_waiting(capsys):
    assert main(["plan", "try.yaml", "--gpus", "2"]) == 0
    assert "llama-3.2-1b/b1024 alone takes as long" in capsys.readouterr().out


def test_budget_pays_for_more_models_of_few_cells_as_the_page_shows(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("my.yaml").write_text(
        "engine: vllm\nmodels: [llama-3.1-8b, qwen2-7b, gemma-2-9b]\n"
        "sweeps: {grid: {requests: [200]}}\n"
    )
    assert main(["plan", "my.yaml", "--budget", "2h"]) == 0
    paid = capsys.readouterr().out.partition("2 GPU hours")[2]
    assert f"2 GPU hours{paid}" in MEASURING
    assert main(["plan", "my.yaml", "--budget", "30min", "--json"]) == 0
    paid = json.loads(capsys.readouterr().out)["budget"]
    counts = [len(each["models"]) for each in paid]
    assert counts[0] < counts[1] <= counts[2]
    assert max(each["gpu_hours"] for each in paid) <= 0.5


@pytest.mark.parametrize("budget", ["2", "2d", "0h", "h", "-1h", "1e9h", ""])
@pytest.mark.usefixtures("tried")
def test_budget_that_is_no_time_is_one_line(budget, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["plan", "try.yaml", f"--budget={budget}"])
    assert f"argument --budget: {budget!r} is no time" in capsys.readouterr().err


@pytest.mark.usefixtures("tried")
def test_budget_of_a_simulated_experiment_is_refused(capsys):
    with Path("try.yaml").open("a") as file:
        file.write("engine: simulator\n")
    assert main(["plan", "try.yaml", "--budget", "1h"]) == 2
    assert "takes no GPU hours" in capsys.readouterr().err


@pytest.mark.usefixtures("tried")
def test_plan_of_the_simulator_says_that_it_needs_no_gpu(capsys):
    with Path("try.yaml").open("a") as file:
        file.write("engine: simulator\n")
    assert main(["plan", "try.yaml"]) == 0
    out = capsys.readouterr().out
    assert "simulated: needs no GPU" in out
    assert "disk" not in out


@pytest.mark.usefixtures("tried")
def test_plan_without_an_experiment_ends_in_one_line(capsys):
    assert main(["plan"]) == 2
    assert "cannot read experiment config.yaml: No such file" in capsys.readouterr().err


def test_plan_of_a_campaigns_file_says_which_command_it_is_for(tmp_path, capsys):
    path = tmp_path / "campaign.yaml"
    path.write_text("engine: vllm\nprobe: 8\n", encoding="utf-8")
    assert main(["plan", str(path)]) == 2
    assert "`probe` is a key of campaigns, of which `sweetspot campaign" in capsys.readouterr().err
