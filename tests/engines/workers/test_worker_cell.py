"""What all workers do alike with a cell."""

import importlib.util
import json
from types import SimpleNamespace

import pytest

from sweetspot.engines.worker.client import WORKERS

ORDER = {"requests": 3, "input_tokens": 2, "output_tokens": 5, "min_window_s": 0}


@pytest.fixture(scope="module")
def worker_cell():
    spec = importlib.util.spec_from_file_location("worker_cell", WORKERS / "worker_cell.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def dataset(tmp_path):
    """Return a function that writes a data set and gives its path."""

    def write(*prompts):
        path = tmp_path / "dataset.jsonl"
        lines = [json.dumps({"task_id": i, "input_ids": ids}) for i, ids in enumerate(prompts)]
        path.write_text("\n".join(lines))
        return str(path)

    return write


def test_prompts_are_the_first_requests_of_the_data_set(worker_cell, dataset):
    path = dataset([1, 2], [3, 4], [5, 99], [7, 8])
    prompts, remarks = worker_cell.read_prompts(ORDER | {"dataset": path}, 100)
    assert (prompts, remarks) == ([[1, 2], [3, 4], [5, 99]], [])


def test_ids_that_the_model_lacks_are_taken_modulo_its_vocabulary(worker_cell, dataset):
    path = dataset([1, 2], [3, 4], [5, 100])
    prompts, remarks = worker_cell.read_prompts(ORDER | {"dataset": path}, 100)
    assert prompts == [[1, 2], [3, 4], [5, 0]]
    assert remarks == ["token ids are taken modulo the model's vocabulary of 100"]


@pytest.mark.parametrize("prompts", [[[1, 2], [3, 4]], [[1, 2], [3, 4], [5]], []])
def test_other_requests_than_the_cells_are_refused(worker_cell, dataset, prompts):
    path = dataset(*prompts)
    with pytest.raises(ValueError, match="instead of 3 of 2"):
        worker_cell.read_prompts(ORDER | {"dataset": path}, 100)


@pytest.mark.parametrize(("min_window_s", "passes"), [(0, 1), (0.01, 1), (0.15, 2)])
def test_passes_are_repeated_until_the_window_is_long_enough(
    worker_cell, monkeypatch, min_window_s, passes
):
    now_s = 100.0

    def one_pass():
        nonlocal now_s
        now_s += 0.1
        return [5, 5, 4]

    monkeypatch.setattr(worker_cell, "time", SimpleNamespace(monotonic=lambda: now_s))
    window = worker_cell.measured(one_pass, ORDER | {"min_window_s": min_window_s})
    assert window["passes"] == passes
    assert window["requests"] == 3 * passes
    assert window["input_tokens"] == 6 * passes
    assert window["output_tokens"] == 14 * passes
    assert (window["start_s"], window["end_s"]) == (100, pytest.approx(100 + 0.1 * passes))
