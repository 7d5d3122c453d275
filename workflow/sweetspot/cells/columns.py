"""Which column of somebody's table is which quantity, by its name.

Recognised are our own names (docs/cells.md) and those that people and tools give: `prompt_tokens`
of the OpenAI interface, `total_input_tokens` and `num_prompts` of `vllm bench`, ISL and OSL of
`trtllm-bench`, "Output Sequence Length" of GenAI-Perf, `n_prompt` and `n_gen` of `llama-bench`,
`power.draw [W]` of nvidia-smi, "J/token", "energy (Wh)", "avg power [W]".
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sweetspot.cells.units import Name, take_apart

TEXTS = ("model", "engine", "gpu", "status")

ACCEPTED = {
    "model": "model, model_name, LLM",
    "input_tokens": "input_tokens, prompt_tokens, 'Input Length', ISL",
    "output_tokens": "output_tokens, completion_tokens, 'Output Length', OSL",
    "requests": "requests, num_prompts, N",
    "energy": (
        "energy_per_token_j, 'J/token', tokens_per_j, 'energy per request (J)', energy_j with "
        "requests, mean_power_w with throughput_tokens_per_s, or mean_power_w with duration_s and "
        "requests"
    ),
}
"""Names of columns that messages offer."""


@dataclass(frozen=True, slots=True)
class Match:
    """What a column is taken for.

    Attributes:
        quantity: our name of it.
        rank: 0 for our own name, 1 for one that says the same, more for one that may mean it.
        factor: what its numbers are multiplied with.
        unit: its unit as it is written; empty where it has none.
        assumed: the unit that is assumed where none is written and one would be needed.
    """

    quantity: str
    rank: int
    factor: float = 1.0
    unit: str = ""
    assumed: str = ""


class GivenColumns(dict[str, str]):
    """Which column a quantity is in, by its owner; messages advise in the way that it was said."""

    def __init__(self, given: Mapping[str, str] | None = None, option: str = "columns") -> None:
        """Take over what was given.

        Args:
            given: the column of a quantity, or a number for all rows; what has an option keeps it.
            option: what it was said with: `--columns`, or the name of an argument in Python.
        """
        super().__init__(given or {})
        self.option: str = given.option if isinstance(given, GivenColumns) else option

    def advice(self, columns: Mapping[str, str]) -> str:
        """Return what to write so that quantities are in these columns."""
        if self.option.startswith("--"):
            plain = re.compile(r"[\w./-]+").fullmatch
            pairs = [f"{k}={c}" if plain(c) else f'{k}="{c}"' for k, c in columns.items()]
            return " ".join([self.option, *pairs])
        return f"{self.option}={json.dumps(dict(columns), ensure_ascii=False)}"


CANONICAL: Mapping[str, str] = {
    **dict.fromkeys((*TEXTS, "simulated", "cell"), ""),
    **dict.fromkeys(("requests", "max_batch_size", "input_tokens", "output_tokens", "repeat"), ""),
    "max_num_tokens": "",
    "total_input_tokens": "",
    "total_output_tokens": "",
    "energy_per_token_j": "J",
    "tokens_per_j": "tokens/J",
    "energy_per_request_j": "J",
    "energy_j": "J",
    "mean_power_w": "W",
    "duration_s": "s",
    "throughput_tokens_per_s": "tokens/s",
}
"""Our names of all quantities, and the units that they are in."""

_TOKENS = {"token", "tokens", "tok", "toks"}
_COUNTED = _TOKENS | {
    *("num", "number", "n", "of", "count", "counts", "length", "lengths", "len", "size"),
    *("seq", "sequence", "avg", "average", "mean", "actual"),
}
_INPUT = {
    *("input", "inputs", "in", "prompt", "isl", "i", "context", "prefill", "random input"),
    *("input prompt", "prompt input", "query", "question"),
}
_OUTPUT = {
    *("output", "outputs", "out", "generated", "generation", "gen", "completion", "completions"),
    *("response", "decode", "decoded", "osl", "o", "new", "answer", "random output"),
}
_LENGTHS = (("input_tokens", _INPUT), ("output_tokens", _OUTPUT))
_LIMITS = {"max new", "max output", "max", "max completion", "max out"}
_ABOUT = {
    *("gpu", "gpus", "total", "consumed", "consumption", "used", "usage", "measured", "avg"),
    *("average", "mean", "board", "device", "of", "the", "draw", "drawn", "run", "all", "net"),
}
_ENERGY = {"", "energy", "e"}
_POWER = {"", "power"}
_TIMES = {
    *("duration", "time", "elapsed", "elapsed time", "run time", "runtime", "walltime", "makespan"),
    *("wall time", "wall clock", "wall clock time", "wallclock time", "execution time"),
    *("inference time", "benchmark duration", "time taken"),
}
_LATENCIES = {
    *("latency", "request latency", "end to end latency", "e2e latency", "e2e", "e2el"),
    *("generation time", "response time", "e2e time"),
}
_REQUESTS = {
    *("requests", "request", "prompts", "queries", "n requests", "samples", "num requests"),
}
_BATCHES = {
    *("batch", "bs", "batchsize", "batch size", "max batch size", "max num seqs", "concurrency"),
    *("max concurrency", "num concurrent requests", "concurrent requests", "max batch"),
}
_OUTPUT_RATES = {"output throughput", "output token throughput", "tps", "output tps", "decode tps"}
_NAMES = {
    "model": {"model", "model id", "model name", "llm", "llm name", "hf model", "llm model"},
    "gpu": {
        *("gpu", "gpu name", "gpu model", "gpu type", "device name", "accelerator", "hardware"),
        *("device", "board"),
    },
    "engine": {"engine", "backend", "framework", "inference engine", "serving engine"},
    "status": {"status", "success", "valid"},
}
_WHOLE = {"N": "requests", "B": "max_batch_size"}  # n may count repeats
_PER_TOKEN = {"output", "generated", "new", "completion", "decode", "decoded", "out"}
_PER_REQUEST = {"request", "query", "prompt", "inference", "response", "generation", "sample"}
_PER_RUN = {"run", "batch", "experiment", "measurement", "test", "benchmark"}


def recognise(column: str) -> Match | None:
    """Return what a column is by its name; None for one that says nothing to us."""
    plain = column.strip()
    if plain.lower() in CANONICAL:
        return Match(plain.lower(), 0, unit=CANONICAL[plain.lower()])
    if plain in _WHOLE:
        return Match(_WHOLE[plain], 1)
    name = take_apart(plain)
    return _rate(name) or _energy(name) or _power_or_time(name) or _count(name) or _text(name)


def _rate(name: Name) -> Match | None:
    """Return tokens per joule or per second."""
    left = set(name.words)
    if name.per_unit and left & _TOKENS:
        said = left - _TOKENS - _PER_TOKEN - _ABOUT
        if name.per_unit.dimension == "energy" and said <= {"energy", "efficiency"}:
            return Match("tokens_per_j", 1, 1 / name.per_unit.factor, name.unit)
        if name.per_unit.dimension == "time" and said <= {"throughput"} and "total" not in left:
            rank = 1 if left & _PER_TOKEN else 2
            return Match("throughput_tokens_per_s", rank, 1 / name.per_unit.factor)
    if " ".join(name.words) in _OUTPUT_RATES:
        return Match("throughput_tokens_per_s", 2, assumed="tokens/s")
    return None


def _energy(name: Name) -> Match | None:
    """Return an energy, per whatever."""
    if name.measure and name.measure.dimension != "energy":
        return None
    if not name.measure and "energy" not in name.words:
        return None
    said = [word for word in name.words if word not in _ABOUT]
    factor = name.measure.factor if name.measure else 1.0
    assumed = "" if name.measure else "J"
    per = [word for word in name.per if word != "number"]
    if not per and said[-1:] in (["token"], ["tokens"]):  # E_token [mJ]
        said, per = said[:-1], ["token"]
    if " ".join(said) not in _ENERGY:
        return None
    tokens = _tokens_of(per)
    if tokens:
        return Match("energy_per_token_j", 1, factor / tokens, name.unit, assumed)
    if len(per) == 1 and per[0] in _PER_REQUEST:
        return Match("energy_per_request_j", 1, factor, name.unit, assumed)
    if not per or (len(per) == 1 and per[0] in _PER_RUN):
        return Match("energy_j", 1, factor, name.unit, assumed)
    return None


def _tokens_of(per: list[str]) -> float:
    """Return how many tokens a denominator is: 1000 of "1k tokens"; 0 where it is another."""
    if not per or per[-1] not in _TOKENS:
        return 0.0
    many = {"": 1.0, "1k": 1e3, "k": 1e3, "1000": 1e3, "thousand": 1e3, "1m": 1e6, "m": 1e6}
    many |= {"1000000": 1e6, "million": 1e6, "1": 1.0}
    rest = [word for word in per[:-1] if word not in _PER_TOKEN]
    return many.get(" ".join(rest), 0.0)


def _power_or_time(name: Name) -> Match | None:
    if name.per and not (len(name.per) == 1 and name.per[0] in _PER_RUN | _PER_REQUEST):
        return None
    core = " ".join(word for word in name.words if word not in _ABOUT)
    factor = name.measure.factor if name.measure else 1.0
    dimension = name.measure.dimension if name.measure else ""
    if core in _POWER and not name.per and (dimension == "power" or "power" in name.words):
        if dimension in ("", "power"):
            return Match("mean_power_w", 1, factor, name.unit, "" if dimension else "W")
        return None
    if dimension not in ("", "time"):
        return None
    whole = " ".join(name.words)
    if whole in _TIMES or core in _TIMES:
        return Match("duration_s", 1, factor, name.unit, "" if dimension else "s")
    if whole in _LATENCIES or core in _LATENCIES:
        return Match("duration_s", 2, factor, name.unit, "" if dimension else "s")
    return None


def _count(name: Name) -> Match | None:
    if name.measure or name.per_unit or (name.per and name.per != ("request",)):
        return None
    whole = " ".join(name.words)
    core = " ".join(word for word in name.words if word not in _COUNTED)
    for quantity, names in _LENGTHS:
        if core in names:
            return Match(quantity, 1)
        if core.startswith("total ") and core.removeprefix("total ") in names:
            return Match(f"total_{quantity}", 1)
    if whole in ("max num tokens", "max num batched tokens"):
        return Match("max_num_tokens", 1)
    if core in _LIMITS and (core != "max" or set(name.words) & _TOKENS):
        return Match("output_tokens", 2)
    if whole in ("completed", "successful requests", "completed requests"):
        return Match("requests", 1)
    if whole in _BATCHES or core in _BATCHES:
        return Match("max_batch_size", 1 if "max" in name.words else 2)
    core = core.removeprefix("total ")
    if (whole in _REQUESTS or core in _REQUESTS) and not set(name.words) & _TOKENS:
        return Match("requests", 3 if core == "samples" else 2)
    return None


def _text(name: Name) -> Match | None:
    whole = " ".join(name.words)
    for quantity, names in _NAMES.items():
        if whole in names and not name.measure:
            return Match(quantity, 1)
    return None
