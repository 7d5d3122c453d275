"""Data sets: the rules of token-norm-dist, and the laws that follow from them."""

import json
import random
import tracemalloc
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweetspot.cells.cell import Cell
from sweetspot.config import Dataset
from sweetspot.errors import InputError
from sweetspot.plan import dataset
from sweetspot.plan.dataset import (
    RequestSpec,
    dataset_name,
    dataset_writer,
    requests,
    write_dataset,
)


def spec(**changes):
    lengths = {"requests": 10, "input_tokens": 16, "output_tokens": 8}
    return RequestSpec(**(lengths | {"vocab_size": 100, "eos_id": 7, "seed": 420} | changes))


SMALL = st.builds(
    spec,
    requests=st.integers(1, 12),
    input_tokens=st.integers(1, 40),
    output_tokens=st.integers(1, 40),
    vocab_size=st.integers(2, 60),
    eos_id=st.integers(0, 70),
    seed=st.integers(0, 2**32 - 1),
)


def upstream_lines(spec):
    """The published rules once more, step by step on the global generators."""
    state = random.getstate()
    random.seed(spec.seed)
    lines = []
    for task in range(spec.requests):
        population = list(range(spec.vocab_size))
        draw = random.sample if spec.input_tokens < spec.vocab_size else random.choices
        ids = draw(population, k=spec.input_tokens)
        while spec.eos_id in ids:
            ids[ids.index(spec.eos_id)] = (spec.eos_id + 1) % spec.vocab_size
        text = ",".join(map(str, ids))
        lines.append(
            f'{{"task_id":{task},"input_ids":[{text}],"output_tokens":{spec.output_tokens}}}'
        )
    random.setstate(state)
    return lines


@given(SMALL)
def test_lines_follow_the_published_rules(spec):
    assert [request.line for request in requests(spec)] == upstream_lines(spec)


def test_paper_set_follows_the_published_rules():
    paper = spec(requests=4, input_tokens=4096, **asdict(Dataset()))
    made = list(requests(paper))
    assert [request.line for request in made] == upstream_lines(paper)
    assert {len(set(request.input_ids)) for request in made} == {4096}


@given(SMALL)
def test_ids_are_in_the_vocabulary_and_never_eos(spec):
    for request in requests(spec):
        assert spec.eos_id not in request.input_ids
        assert all(0 <= token < spec.vocab_size for token in request.input_ids)


@given(SMALL)
@settings(max_examples=settings.default.max_examples // 2)
def test_prompt_shorter_than_vocabulary_repeats_only_the_id_after_eos(spec):
    for request in requests(spec):
        if len(request.input_ids) < spec.vocab_size:
            repeats = len(request.input_ids) - len(set(request.input_ids))
            doubled = request.input_ids.count((spec.eos_id + 1) % spec.vocab_size) == 2
            assert repeats == doubled


@given(SMALL, st.integers(1, 30))
@settings(max_examples=settings.default.max_examples // 2)
def test_small_set_is_the_head_of_a_larger_one(small, more):
    fields = {name: getattr(small, name) for name in RequestSpec.__dataclass_fields__}
    larger = RequestSpec(**(fields | {"requests": small.requests + more}))
    assert list(requests(small)) == list(requests(larger))[: small.requests]


def test_lengths_are_exact():
    made = list(requests(spec()))
    assert [(len(r.input_ids), r.output_tokens) for r in made] == [(16, 8)] * 10


def test_generation_leaves_the_global_generator_alone():
    before = random.getstate()
    list(requests(spec()))
    assert random.getstate() == before


def test_file_holds_one_object_a_line(tmp_path):
    path = tmp_path / "sets" / "n10.jsonl"
    write_dataset(path, spec())
    lines = path.read_text().splitlines()
    assert [json.loads(line)["task_id"] for line in lines] == list(range(10))
    assert path.read_text() == "".join(line + "\n" for line in upstream_lines(spec()))


def test_interrupted_write_leaves_no_file(tmp_path, monkeypatch):
    def interrupted(spec):
        yield next(requests(spec))
        raise KeyboardInterrupt

    monkeypatch.setattr(dataset, "requests", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path / "set.jsonl", spec())
    assert list(tmp_path.iterdir()) == []


def test_file_is_written_one_request_at_a_time(tmp_path):
    of_many = spec(requests=200, input_tokens=200, vocab_size=128000)
    tracemalloc.start()
    try:
        write_dataset(tmp_path / "set.jsonl", of_many)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < (tmp_path / "set.jsonl").stat().st_size / 4


def test_set_is_made_for_a_cell_and_shared_by_blocks(tmp_path):
    lengths = {"requests": 10, "input_tokens": 16, "output_tokens": 8, "repeat": 0}
    few, many = (
        Cell(model=model, engine="vllm", max_batch_size=batch, **lengths)
        for model, batch in (("one", 8), ("other", 16))
    )
    folder = tmp_path / "datasets"
    of_one_job, of_another = (dataset_writer(folder, Dataset()) for _ in range(2))
    assert not folder.exists()
    of_one_job(few)
    made = (folder / dataset_name(few)).stat()
    of_another(many)
    assert [path.stat().st_ino for path in folder.iterdir()] == [made.st_ino]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"requests": 0}, "requests must be a whole number from 1 up, not 0"),
        ({"input_tokens": -1}, "input_tokens must be a whole number from 1 up, not -1"),
        ({"output_tokens": 2.5}, "output_tokens must be a whole number from 1 up, not 2.5"),
        ({"requests": True}, "requests must be a whole number"),
        ({"vocab_size": 1}, "vocab_size must be a whole number from 2 up"),
        ({"eos_id": -1}, "eos_id must be a whole number from 0 up"),
        ({"seed": 2**32}, "seed must be below"),
    ],
)
def test_number_out_of_range_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        spec(**changes)


@pytest.mark.parametrize("changes", [{}, {"vocab_size": 128256, "requests": 111}])
def test_size_is_known_before_the_file_is_written(changes, tmp_path):
    asked = spec(**changes)
    write_dataset(tmp_path / "set.jsonl", asked)
    size = (tmp_path / "set.jsonl").stat().st_size
    assert dataset.dataset_bytes(asked) == pytest.approx(size, rel=0.02)
