"""A campaign on the fake driver whose engine sleeps as long as is simulated, SCALE times less.

    python sleeping_campaign.py [--design few] [--lengths 7] FOLDER MINUTES SCALE MODEL...

Power, windows, records and waits are real; the minutes are those before scaling. The engine adds a
line to FOLDER/began for each cell that it begins.
"""

import argparse
import json
import math
import time
from contextlib import ExitStack
from pathlib import Path

from sweetspot.campaign import blocks, cost, run, slot
from sweetspot.campaign.compact import read_manifest
from sweetspot.config import parse_experiment
from sweetspot.config.experiment import PAPER_LENGTHS
from sweetspot.engines.base import Run
from sweetspot.metering.lease import leased_board
from sweetspot.metering.sampler import NvmlMeter
from sweetspot.plan.busy import run_s

SLOWER = 1.2  # than simulated
LOAD_S, WARM_UP_S, CLOSE_S = 28.0, 0.8, 3.0  # before scaling


class Sleeping:
    """An engine and its session."""

    name, version, simulated = "vllm", "0.24.0", False

    def __init__(self, block, scale, began):
        self.block, self.scale, self.began = block, scale, began
        self.held = ExitStack()

    def sleep(self, seconds):
        time.sleep(seconds / self.scale)

    def load(self, settings):
        board = self.held.enter_context(leased_board(settings.gpu))
        self.facts = board.facts()
        self.meter = NvmlMeter(board, settings.metering.interval_s)
        self.sleep(LOAD_S)
        return self

    def run(self, cell):
        with self.began.open("a") as file:
            file.write(f"{cell.id}\n")
        self.sleep(WARM_UP_S)
        duration_s = SLOWER * run_s(self.block, [cell])[cell] / self.scale
        least_s = self.block.settings.metering.min_window_s
        passes = max(1, math.ceil(least_s / duration_s))
        start_s = time.monotonic()
        time.sleep(passes * duration_s)
        return Run(
            start_s=start_s,
            end_s=time.monotonic(),
            requests=passes * cell.requests,
            input_tokens=passes * cell.requests * cell.input_tokens,
            output_tokens=passes * cell.total_output_tokens,
            passes=passes,
            facts=self.facts,
        )

    def close(self):
        self.sleep(CLOSE_S)
        self.held.close()


def main(folder, minutes, scale, models, design, lengths):
    """Run one call on so many of the paper's lengths, and print its account of the time."""
    cost.run_s = lambda block, cells: {c: s / scale for c, s in run_s(block, cells).items()}
    for module in (cost, slot, blocks, run):
        for name in ("OVERHEAD_S", "LOAD_S", "PLAIN_LOAD_S", "CLOSING_S", "GRACE_S"):
            if hasattr(module, name):
                setattr(module, name, getattr(module, name) / scale)
    folder.mkdir(parents=True, exist_ok=True)
    began = folder / "began"
    run.require_node = lambda *_: None
    run.engines_here = lambda *_: lambda block, _: Sleeping(block, scale, began)
    of_grid = list(PAPER_LENGTHS[:lengths])
    grid = {"input_tokens": of_grid, "output_tokens": of_grid}
    measure = {"design": design, "repeats": 3, "interval_s": 0.05}
    experiment = parse_experiment(
        {
            "run": "sleeping",
            "engine": "vllm",
            "models": models,
            "sweeps": {"grid": grid | {"requests": [1024, 768, 512, 256, 128, 64]}},
            "vllm": {"weights": "random", "compilation": "none"},
            "measure": measure | {"idle_s": 1 / scale, "min_window_s": 6 / scale},
            "adaptive": {"error_percent": 5},
            "dataset": {"vocab_size": 1000, "eos_id": 999},
        }
    )
    run.dataset_writer = lambda *_: lambda _: None  # which nobody reads
    run.run_campaign(experiment, folder, minutes=minutes / scale, sensor=False)
    print(json.dumps(read_manifest(folder / "compact").time_s))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("minutes", type=float)
    parser.add_argument("scale", type=float)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--design", default="few")
    parser.add_argument("--lengths", type=int, default=len(PAPER_LENGTHS))
    main(**vars(parser.parse_args()))
