"""What an experiment costs against its size: planning, cells, fits, tables and figures, the report.

    python benchmarks/scale.py [plot.png] [MODELS ...]

First the paper's experiment, as `make paper` runs it. Then models of many sizes that no catalog
has, 49 lengths and 3 numbers of requests each, simulated from `snakemake -n` to the report, in a
temporary folder. Each step is a command of its own; its cost is
the CPU time of all of its processes, which other work on the machine changes little, and the memory
of its largest process. All sizes take about ten minutes of CPU time.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from signal import SIG_DFL, SIGPIPE, signal
from tempfile import TemporaryDirectory
from typing import Any

from sweetspot.config import PAPER_LENGTHS, FigureStyle
from sweetspot.figures.canvas import empty_figure, finish, legend_above
from sweetspot.figures.canvas import panels as axes_of
from sweetspot.figures.style import categorical_looks, decimal_ticks, journal_look

SNAKEFILE = Path(__file__).parents[1] / "Snakefile"
SIZES = (4, 20, 100)
REQUESTS = (10, 100, 1000)
CELLS_OF_A_MODEL = len(PAPER_LENGTHS) ** 2 * len(REQUESTS)
RUN = "results/scale"


@dataclass(frozen=True)
class Cost:
    """What one command took: CPU time of all its processes in s, memory of the largest in MB."""

    cpu_s: float
    memory_mb: float


def write_experiment(folder: Path, models: int) -> None:
    """Write an experiment of so many models, from 0.2 to 9 billion parameters."""
    names = []
    for place in range(models):
        hidden = 1024 + 128 * (place % 25)
        config = {
            "model_type": "llama",
            "hidden_size": hidden,
            "intermediate_size": 4 * hidden,
            "num_hidden_layers": 12 + 7 * place % 24,
            "num_attention_heads": hidden // 128,
            "num_key_value_heads": hidden // 128,
            "head_dim": 128,
            "vocab_size": 32000,
            "max_position_embeddings": 8192,
            "torch_dtype": "bfloat16",
            "tie_word_embeddings": False,
        }
        model = folder / "models" / f"m{place:03d}"
        model.mkdir(parents=True)
        (model / "config.json").write_text(json.dumps(config), encoding="utf-8")
        names.append(f"models/{model.name}")
    grid = {
        "input_tokens": PAPER_LENGTHS,
        "output_tokens": PAPER_LENGTHS,
        "requests": REQUESTS,
    }
    experiment = {"run": "scale", "engine": "simulator", "models": names, "sweeps": {"grid": grid}}
    write_json(folder, experiment)


def write_json(folder: Path, experiment: dict[str, Any]) -> None:
    """Write an experiment; what it leaves out is the paper's."""
    (folder / "experiment.json").write_text(json.dumps(experiment), encoding="utf-8")


def cost_of_paper() -> Cost:
    """Return what the paper's 798 cells take, with all that is made of them."""
    with TemporaryDirectory() as name:
        write_json(Path(name), {"run": "paper", "engine": "simulator"})
        return cost_of(Path(name), "--quiet", "all")


def cost_of(folder: Path, *arguments: str) -> Cost:
    """Run one snakemake command on the folder's experiment, and return what it took."""
    command = [sys.executable, "-m", "snakemake", *arguments, "--snakefile", str(SNAKEFILE)]
    command += ["--directory", str(folder), "--configfile", str(folder / "experiment.json")]
    with (folder / "said.txt").open("w+b") as said:
        started = subprocess.Popen([*command, "--cores", "2"], stdout=said, stderr=said)
        _, status, used = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
        if started.returncode:
            said.seek(0)
            sys.exit(said.read().decode(errors="replace"))
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def costs(models: int) -> Iterator[tuple[str, Cost]]:
    """Yield each step of an experiment of so many models, with what it took."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_experiment(folder, models)
        yield "plan", cost_of(folder, "-n")
        yield (
            "plan of measurements",
            cost_of(folder, "-n", "--config", "engine=tensorrt-llm", "run=measured"),
        )
        quiet = ("--quiet", "all")
        yield "cells", cost_of(folder, f"{RUN}/cells.csv", *quiet)
        yield "fits, tables, figures", cost_of(folder, *quiet)
        yield "nothing to do", cost_of(folder, *quiet)
        yield "Snakemake's report", cost_of(folder, *quiet, "--report", str(folder / "report.html"))


def plot(path: Path, found: dict[str, dict[int, Cost]]) -> None:
    """Draw CPU time and memory of each step against the number of cells."""
    style = FigureStyle()
    looks = categorical_looks(style.palette, len(found))
    sizes = sorted({cells for by_cells in found.values() for cells in by_cells})
    with journal_look(style):
        figure = empty_figure(style.double_width_in, 2.6)
        time, memory = axes_of(figure, 2, 2)
        entries = {}
        for look, (step, by_cells) in zip(looks, found.items(), strict=True):
            drawn = {"marker": look.marker, "color": look.color, "linestyle": look.dashes}
            cells = list(by_cells)
            (entries[step],) = time.plot(cells, [c.cpu_s for c in by_cells.values()], **drawn)
            memory.plot(cells, [c.memory_mb for c in by_cells.values()], **drawn)
        most = found["cells"][sizes[-1]].cpu_s
        (entries["in proportion to cells"],) = time.plot(
            sizes, [most * cells / sizes[-1] for cells in sizes], color="0.6", linewidth=0.8
        )
        time.set_yscale("log")
        decimal_ticks(time.yaxis)
        time.set_ylabel("CPU time (s)")
        memory.set_ylim(bottom=0)
        memory.set_ylabel("Largest process (MB)")
        for ax in (time, memory):
            ax.set_xscale("log")
            ax.set_xticks(sizes, [str(cells) for cells in sizes])
            ax.minorticks_off()
            ax.set_xlabel("Cells")
            ax.grid(color="0.9", linewidth=0.5)
            ax.spines[["top", "right"]].set_visible(False)
        legend_above(figure, entries, style.font_size_pt)
        note = "Simulated, no GPU ran: of each model 49 lengths at 3 numbers of requests."
        alt_text = "CPU time and memory of each step of an experiment against its cells. Simulated."
        with path.open("wb") as file:
            finish(figure, [note], alt_text).savefig(file, dpi=200)
    print(f"\n{path}")


def main() -> None:
    """Measure every size; a first argument that is no number is where a plot is to go."""
    arguments = sys.argv[1:]
    path = Path(arguments.pop(0)) if arguments and not arguments[0].isdecimal() else None
    found: dict[str, dict[int, Cost]] = {}
    paper = cost_of_paper()
    print(f"the paper's experiment: {paper.cpu_s:.1f} CPU s, {paper.memory_mb:.0f} MB\n")
    print(f"{'models':>6}{'cells':>8}  {'step':<24}{'CPU s':>8}{'ms/cell':>9}{'MB':>7}")
    for models in [int(each) for each in arguments] or SIZES:
        cells = models * CELLS_OF_A_MODEL
        for step, cost in costs(models):
            found.setdefault(step, {})[cells] = cost
            print(
                f"{models:>6}{cells:>8}  {step:<24}{cost.cpu_s:>8.1f}"
                f"{1000 * cost.cpu_s / cells:>9.2f}{cost.memory_mb:>7.0f}",
                flush=True,
            )
    if path:
        plot(path, found)


if __name__ == "__main__":
    signal(SIGPIPE, SIG_DFL)  # a reader that has seen enough, such as head, ends it quietly
    main()
