"""The explorer in a real browser: it opens from disk, and what is chosen is what is drawn."""

from math import sqrt

import pytest

from sweetspot.explorer.page import write_page

INPUTS, OUTPUTS = [128, 512, 2048], [64, 256, 1024]


def grid(model, gpu, load, max_batch_size, times=1.0):
    energies = [[times * round(i / o / 50 + sqrt(o) / 500, 4) for o in OUTPUTS] for i in INPUTS]
    return {
        "model": model,
        "gpu": gpu,
        "engine": "vllm",
        "weights": "model",
        "tensor_parallel": 1,
        "max_batch_size": max_batch_size,
        "load": load,
        "simulated": True,
        "source": "constants of a test",
        "energy_factor": 1.1,
        "energy_per_token_j": energies,
        "mean_power_w": [[500.0 for _ in OUTPUTS] for _ in INPUTS],
        "throughput_tokens_per_s": [[500 / e for e in row] for row in energies],
        "ttft_p95_s": [[0.1 for _ in OUTPUTS] for _ in INPUTS] if "rate" in load else None,
        "tpot_p95_s": [[0.02 for _ in OUTPUTS] for _ in INPUTS] if "rate" in load else None,
        "sweet_spots": [
            {
                "output_tokens": 300,
                "low": 200,
                "high": 420,
                "eq6_tokens": 310,
                "energy_per_token_j": times * 0.07,
                "at_bound": False,
            }
            for _ in INPUTS
        ],
    }


HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def data():
    cell = {
        "model": "small",
        "gpu": "h100-sxm",
        "engine": "vllm",
        "input_tokens": 512,
        "output_tokens": 256,
        "requests": 1000,
        "max_batch_size": 256,
        "energy_per_token_j": 0.05,
        "mean_power_w": 450.0,
        "throughput_tokens_per_s": 9000.0,
        "source": "a run",
        "repeats": 3,
        "spread": 0.01,
    }
    return {
        "format": 1,
        "made_by": "sweetspot of a test",
        "title": f"Small and {HOSTILE}",
        "notes": ["Grids are simulated: no GPU ran."],
        "models": [
            {"id": "small", "name": "Small", "colour": "#0173B2", "context": 8192},
            {"id": HOSTILE, "name": HOSTILE, "colour": "#0173B2", "context": None},
        ],
        "gpus": [
            {
                "id": "h100-sxm",
                "name": "NVIDIA H100 SXM",
                "idle_power_w": 126.0,
                "power_limit_w": 700.0,
            },
            {"id": "l40s", "name": "NVIDIA L40S", "idle_power_w": None, "power_limit_w": 350.0},
        ],
        "input_tokens": INPUTS,
        "output_tokens": OUTPUTS,
        "grids": [
            grid("small", "h100-sxm", {"requests": 1000}, 256),
            grid("small", "h100-sxm", {"requests": 1000}, 32, 2.0),
            grid("small", "h100-sxm", {"rate": 4}, 256, 3.0),
            grid("small", "l40s", {"requests": 1000}, 256, 1.5),
            grid(HOSTILE, "h100-sxm", {"requests": 1000}, 256, 4.0),
        ],
        "cells": [
            cell | {"simulated": False},
            cell | {"simulated": True, "output_tokens": 1024, "energy_per_token_j": 0.09},
        ],
        "surfaces": [
            {
                "model": "small",
                "gpu": "h100-sxm",
                "source": "paper, Table 5",
                "form": "Eq. 5",
                "formula": "a formula",
                "coefficients": [0.02, 1e-8, 1e-6, 0.01, 1e-6, 0.5],
                "requests": 1000,
                "max_batch_size": 1024,
                "input_tokens": [64, 4096],
                "output_tokens": [64, 4096],
            },
        ],
    }


@pytest.fixture(scope="module")
def explorer(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("explorer") / "explorer.html"
    write_page(data, path)
    return path


def drawn(page):
    """Return what plotly holds: a line's name and its values."""
    return page.evaluate(
        "document.getElementById('figure').data.map(({name, y}) => [name ?? '', [...y]])"
    )


def test_page_opens_from_disk_with_plot_and_sentence(explorer, open_page):
    page = open_page(explorer)
    assert page.locator("#figure svg .scatterlayer path").count()
    assert "sweet spot at 300 output tokens" in page.locator("#sentence").text_content()
    assert page.locator("#figure").get_by_text("SIMULATED").count()
