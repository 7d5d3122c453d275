"""The commands of campaigns: what they refuse in one line, and what they do not load."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sweetspot.campaign.design import design
from sweetspot.campaign.file import parse_campaign
from sweetspot.cli import main

ROOT = Path(__file__).parents[2]
SMALL = {
    "engine": "vllm",
    "models": ["llama-3.2-1b"],
    "sweeps": {"grid": {"requests": [50]}},
    "vllm": {"weights": "random"},
}


@pytest.fixture
def refused(tmp_path, capsys):
    """Return a function that gives the one line with which a campaign file is refused."""

    def run(content, *options):
        path = tmp_path / "campaign.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        command = ["campaign", str(path), "--minutes", "5", "--out", str(tmp_path / "out")]
        assert main([*command, *options]) == 2
        err = capsys.readouterr().err
        assert err.startswith("sweetspot: error: ")
        assert err.count("\n") == 1
        assert not (tmp_path / "out").exists()
        return err

    return run


def test_node_without_a_gpu_is_refused_before_anything_is_made(refused, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert "no usable NVIDIA GPU" in refused(SMALL)


def test_simulator_is_not_a_campaign(refused):
    assert "a campaign measures" in refused(SMALL | {"engine": "simulator"})
    assert "a campaign measures" in refused(SMALL, "--engine", "simulator")
    assert "a campaign measures" in refused(SMALL, "--engine", "simulator", "--dry-run")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: [", "not valid YAML"),
        ("[" * 50_000, "nested too deeply"),
        ("- a", "must be a mapping"),
        ("", "must be a mapping"),
        ({"engine": "vlm"}, "engine"),
        (SMALL | {"minutes": 5}, "minutes"),
    ],
)
def test_file_that_is_not_an_experiment_is_refused(refused, content, message):
    assert message in refused(content)


def test_unknown_engine_on_the_command_line_is_refused(refused):
    assert "engine" in refused(SMALL, "--engine", "vlm")


@pytest.mark.parametrize("minutes", ["0", "-1", "x", "nan", "100000"])
def test_impossible_time_is_refused(minutes, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["campaign", "campaign.yaml", "--minutes", minutes, "--out", "out"])
    assert caught.value.code == 2
    assert "--minutes" in capsys.readouterr().err


def test_missing_file_or_data_is_named(capsys, tmp_path):
    missing = str(tmp_path / "missing")
    assert main(["campaign", missing, "--minutes", "5", "--out", missing]) == 2
    assert f"cannot read experiment {missing}" in capsys.readouterr().err
    assert main(["campaign-report", missing, "--out", str(tmp_path / "out")]) == 2
    assert f"cannot read manifest {missing}" in capsys.readouterr().err


BARE = """
import sys
for name in ("snakemake", "pandas", "matplotlib", "scipy"):
    sys.modules[name] = None  # as if it were not installed
from sweetspot.campaign.compact import PACKAGES
from sweetspot.cli import main
from sweetspot.config import parse_experiment
import sweetspot.campaign.run
import sweetspot.engines.transformers, sweetspot.engines.vllm
from sweetspot.campaign.time_box import TimeBox
from sweetspot.campaign.compact import write_compact
from sweetspot.campaign.campaign import Campaign
from sweetspot.campaign.logbook import open_logbook
from sweetspot.campaign.blocks import measure_blocks
from sweetspot.campaign.slot import Progress
from sweetspot.config import parse_experiment
from sweetspot.engines.simulated import SimulatorEngine
from pathlib import Path
grid = {"input_tokens": [64, 512], "output_tokens": [64, 512], "requests": [50, 10]}
experiment = parse_experiment(
    {"engine": "simulator", "models": ["llama-3.2-1b"], "sweeps": {"grid": grid}}
)
folder = Path(sys.argv[1])
campaign = Campaign(
    folder, experiment, open_logbook(folder / "campaign.json", experiment),
    lambda *_: SimulatorEngine(), lambda _: None,
)
assert measure_blocks(campaign, TimeBox(1e6, lambda: 0.0), Progress()) == "all cells are measured"
write_compact(campaign)
sys.exit(main(["campaign", sys.argv[2], "--minutes", "5", "--out", sys.argv[1]]))
"""


def test_campaign_needs_neither_snakemake_nor_pandas_nor_matplotlib(tmp_path):
    path = tmp_path / "campaign.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    done = subprocess.run(
        [sys.executable, "-c", BARE, str(tmp_path / "out"), str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "no usable NVIDIA GPU" in done.stderr
    assert (tmp_path / "out" / "compact" / "manifest.json").exists()


@pytest.mark.parametrize("engine", ["vllm", "transformers"])
def test_file_that_comes_with_the_repository_needs_no_checkpoint(engine):
    config = yaml.safe_load((ROOT / "campaign.yaml").read_text(encoding="utf-8"))
    file = parse_campaign(config, "campaign.yaml", engine)
    assert {each.engine_section.weights for each in file.parts.values()} == {"random"}
    assert {name: each.holdout for name, each in file.parts.items()} == {
        "plain": ["opt-2.7b"],
        "compiled": [],
    }
    blocks = [block for each in file.parts.values() for block in design(each).blocks]
    # each model once: one engine load
    assert [block.id for block in blocks] == [
        f"{model}/b256" for model in ("llama-3.2-1b", "llama-3.1-8b", "opt-2.7b", "gemma-2-2b")
    ]


def test_dry_run_of_the_default_names_the_nodes_gpu_and_says_what_fits(fake_nvml, tmp_path, capsys):
    words = ["campaign", str(ROOT / "campaign.yaml"), "--out", str(tmp_path / "out"), "--dry-run"]
    fake_nvml({"name": "Of_no_catalog"}, {})
    assert main([*words, "--minutes", "25"]) == 0
    first, *lines, last = capsys.readouterr().out.splitlines()
    assert first.startswith("vllm on h100-sxm, 25 minutes; times are")
    minutes = [float(line.split(" min")[0].split()[-1]) for line in lines if " min" in line]
    assert sum(minutes) == pytest.approx(25, abs=0.5)
    assert any("llama-3.1-8b/b256: grid, N = " in line for line in lines)
    assert any("opt-2.7b/b256: stated" in line and "4 of 4 cells" in line for line in lines)
    assert int(last.split()[0]) >= 75
    assert not (tmp_path / "out").exists()


def test_board_that_nobody_knows_or_another_than_the_files_is_one_line(fake_nvml, refused):
    fake_nvml({"name": "Some_other_board"})
    assert "this node's GPU is not of the catalog" in refused(SMALL)
    fake_nvml({"name": "NVIDIA_H200"})
    err = refused(SMALL | {"gpu": "h100-sxm", "node": {"python": sys.executable}})
    assert "h100-sxm" in err
    assert "NVIDIA H200" in err
