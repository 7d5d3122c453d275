"""The worker of transformers with real PyTorch on the CPU: models, weights, batches, lengths."""

import json
import re

import pytest

from sweetspot.catalog import load_model, model_ids
from sweetspot.engines.weights.random_model import random_model_config, random_model_folder
from sweetspot.engines.worker.client import Worker, worker_command
from sweetspot.errors import EngineError

pytestmark = pytest.mark.slow(reason="PyTorch")

ONE_THREAD = {"OMP_NUM_THREADS": "1"}  # more would wait for each other on a busy machine
SIZES = {
    "vocab_size": 320,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "max_position_embeddings": 128,
}
OPT = {
    "model_type": "opt",
    "vocab_size": 320,
    "hidden_size": 64,
    "word_embed_proj_dim": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "ffn_dim": 128,
    "max_position_embeddings": 128,
}
FALCON = {
    "model_type": "RefinedWebModel",
    "vocab_size": 320,
    "hidden_size": 64,
    "n_layer": 2,
    "n_head": 4,
    "multi_query": False,
    "parallel_attn": False,
    "alibi": True,
    "bias": True,
}
TINY = {
    "llama": SIZES | {"model_type": "llama", "tie_word_embeddings": True},
    "gemma2": SIZES | {"model_type": "gemma2", "head_dim": 16, "sliding_window": 16},
    "qwen2": SIZES | {"model_type": "qwen2"},
    "opt": OPT,
    "falcon": FALCON,
}

# A worker that looks at models, too: an order to load that has a catalog is one to look.
LOOK = """
import json
from types import SimpleNamespace
import torch
import transformers_worker as worker
from transformers import AutoConfig, AutoModelForCausalLM


def load(order):
    if "catalog" in order:
        return SimpleNamespace(facts={"seen": json.dumps(look(order))})
    return worker.load(order)


def look(asked):
    sizes = {}
    for name, folder in asked["catalog"].items():
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
        sizes[name] = sum(weight.numel() for weight in model.parameters())
    models = {name: look_at(order) for name, order in asked["tiny"].items()}
    refused = refusals(asked["tiny"]["falcon"], asked["lacking"])
    return {"sizes": sizes, "models": models, "refused": refused}


def look_at(order):
    loaded = worker.load(order)
    matrices = [w for w in loaded._model.parameters() if w.ndim > 1]
    vectors = {k: w for k, w in loaded._model.named_parameters() if w.ndim == 1}
    seen = {
        "facts": loaded.facts,
        "std": [float(torch.cat([w.flatten() for w in matrices]).std())],
        "alike": sum(
            a.shape == b.shape and torch.equal(a, b)
            for i, a in enumerate(matrices)
            for b in matrices[:i]
        ),
        "biases": sorted({float(x) for k, w in vectors.items() if "bias" in k for x in w}),
        "norms": sorted({float(x) for k, w in vectors.items() if "bias" not in k for x in w}),
        "answers": {},
    }
    with torch.no_grad():  # far apart enough for one answer to be the best, in any order of sums
        for weight in matrices:
            weight.mul_(10)
    prompts = torch.arange(3 * 30).view(3, 30) * 7 % 320
    for cache in ("dynamic", "static"):
        for max_num_tokens in (90, 21):
            loaded._order = order | {"cache": cache, "max_num_tokens": max_num_tokens}
            try:
                answer = loaded._generate(prompts, 12).tolist()
            except Exception as error:
                answer = type(error).__name__
            seen["answers"][f"{cache} {max_num_tokens}"] = answer
    return seen


def refusals(order, lacking):
    refused = {}
    try:
        worker.load(order | {"device": "cuda"})
    except ImportError as error:
        refused["no gpu"] = str(error)
    model = worker.load(order)._model
    weights = model.state_dict()
    del weights["transformer.h.1.mlp.dense_h_to_4h.weight"]
    model.save_pretrained(lacking, state_dict=weights)
    try:
        worker.load(order | {"model": lacking, "weights": "checkpoint"})
    except ValueError as error:
        refused["lacking"] = str(error)
    return refused
"""


def order(folder, **changes):
    """Return the order to load a tiny model in float32, where no answer depends on rounding."""
    return {
        "model": str(folder),
        "weights": "random",
        "seed": 420,
        "dtype": "float32",
        "device": "cpu",
        "attention": "sdpa",
        "cache": "dynamic",
        "max_batch_size": 4,
        "max_num_tokens": 64,
        "kv_cache_memory_fraction": 0.9,
        "kv_bytes_per_token": 512,
    } | changes


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Folders of tiny models, by family."""
    folders = {}
    for name, published in TINY.items():
        folders[name] = tmp_path_factory.mktemp(name)
        config = random_model_config(published, load_model(published), 128)
        (folders[name] / "config.json").write_text(json.dumps(config))
    return folders


@pytest.fixture(scope="module")
def worker(torch_python, tmp_path_factory):
    """One worker for all: its start takes longer than what it is asked for."""
    folder = tmp_path_factory.mktemp("worker")
    (folder / "looking_worker.py").write_text(LOOK, encoding="utf-8")
    worker = Worker(
        worker_command(torch_python, "looking_worker"),
        environment=ONE_THREAD | {"PYTHONPATH": str(folder)},
        log_path=folder / "worker.log",
        timeout_s=120,
    )
    yield worker
    worker.close()


@pytest.fixture(scope="module")
def seen(worker, tiny, tmp_path_factory):
    """What the worker saw of the catalog's models and the tiny ones."""
    workspace = tmp_path_factory.mktemp("workspace")
    catalog = {
        each: str(random_model_folder(each, load_model(each), 2048, workspace))
        for each in model_ids()
    }
    orders = {name: order(tiny[name]) for name in tiny}
    asked = {"catalog": catalog, "tiny": orders, "lacking": str(workspace / "lacking")}
    return json.loads(worker.load({"requires": {}} | asked).facts["seen"])


@pytest.mark.parametrize("model_id", model_ids())
def test_transformers_counts_the_parameters_that_the_catalog_does(seen, model_id):
    ours = load_model(model_id).parameters
    assert seen["sizes"][model_id] == pytest.approx(ours, rel=2e-4)


@pytest.mark.parametrize("name", TINY)
def test_weights_are_normal_norms_scale_by_one_and_nothing_is_alike(seen, name):
    model = seen["models"][name]
    assert model["std"] == pytest.approx([0.02], rel=0.02)
    assert model["alike"] == 0
    assert model["biases"] in ([], [0.0])
    assert model["norms"] == ([0.0] if name == "gemma2" else [1.0])  # Gemma's add 1
    assert model["facts"]["attention"] == "sdpa"


@pytest.mark.parametrize("name", TINY)
def test_prefill_in_chunks_and_either_cache_give_the_same_tokens(seen, name):
    answers = dict(seen["models"][name]["answers"])
    whole = answers.pop("dynamic 90")
    assert [len(tokens) for tokens in whole] == [12, 12, 12]
    assert len({tuple(tokens) for tokens in whole}) == 3
    for how, answer in answers.items():
        if name == "falcon" and how.startswith("static"):
            assert answer in ("RuntimeError", "ValueError")  # such a cell fails
        else:
            assert answer == whole, how


def test_pytorch_that_finds_no_gpu_is_the_users_to_repair(seen):
    assert re.fullmatch(r"PyTorch 2\.13\.0\S* finds no GPU", seen["refused"]["no gpu"])


def test_checkpoint_that_lacks_weights_is_not_filled_up_at_random(seen):
    lacking = "transformer.h.1.mlp.dense_h_to_4h.weight"
    said = f"the checkpoint lacks 1 weights, {lacking} among them"
    assert seen["refused"]["lacking"] == said


@pytest.fixture
def run(worker, tmp_path):
    """Return a function that runs a cell on the model that is loaded."""

    def answer(requests, input_tokens, output_tokens, *, warmup=2, min_window_s=0.0):
        dataset = tmp_path / "dataset.jsonl"
        row = {"input_ids": list(range(300, 300 + input_tokens))}
        dataset.write_text(f"{json.dumps(row)}\n" * requests)
        return worker.run(
            {
                "dataset": str(dataset),
                "requests": requests,
                "input_tokens": input_tokens,
                "output_tokens": output_tokens,
                "warmup": warmup,
                "min_window_s": min_window_s,
            }
        )

    return answer


@pytest.mark.parametrize("name", TINY)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_every_family_answers_all_requests_with_all_tokens(worker, run, tiny, name, dtype):
    facts = worker.load({"requires": {}} | order(tiny[name], dtype=dtype)).facts
    assert (facts["device"], facts["dtype"]) == ("cpu", dtype)
    ran = run(5, 24, 7)
    assert (ran.passes, ran.requests) == (1, 5)
    assert (ran.input_tokens, ran.output_tokens) == (5 * 24, 5 * 7)
    assert ran.max_concurrency == 4
    assert ran.remarks == ["token ids are taken modulo the model's vocabulary of 320"]


@pytest.mark.parametrize("cache", ["dynamic", "static"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_cells_of_one_load_may_have_any_lengths(worker, run, tiny, cache, attention):
    loaded = worker.load({"requires": {}} | order(tiny["llama"], cache=cache, attention=attention))
    assert (loaded.facts["cache"], loaded.facts["attention"]) == (cache, attention)
    for requests, input_tokens, output_tokens in ((2, 40, 30), (9, 3, 1), (1, 1, 20), (3, 60, 2)):
        ran = run(requests, input_tokens, output_tokens)
        assert ran.requests == requests
        assert ran.output_tokens == requests * output_tokens
        assert ran.max_concurrency == min(4, requests)


def test_short_runs_are_repeated_until_the_window_is_long_enough(worker, run, tiny):
    worker.load({"requires": {}} | order(tiny["llama"]))
    ran = run(3, 8, 4, warmup=0, min_window_s=0.3)
    assert ran.passes > 1
    assert (ran.requests, ran.output_tokens) == (3 * ran.passes, 12 * ran.passes)
    assert ran.end_s - ran.start_s >= 0.3


def test_what_transformers_cannot_do_is_an_error_in_its_words(worker, run, tiny):
    worker.load({"requires": {}} | order(tiny["falcon"], cache="static"))
    with pytest.raises(EngineError, match="RuntimeError: The size of tensor"):
        run(2, 8, 4)
    assert worker.ended
