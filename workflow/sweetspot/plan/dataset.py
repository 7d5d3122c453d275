"""DatasetRequest data sets as `trtllm-bench` reads them: random token ids of given lengths.

The rules are those of TensorRT-LLM's `prepare_dataset.py --stdout token-norm-dist` with standard
deviations of 0, so that the same vocabulary size, EOS id and seed give the same ids and
byte-identical lines.

Source: NVIDIA/TensorRT-LLM, benchmarks/cpp/utils/{utils,prepare_synthetic_data}.py.
"""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sweetspot.cells.cell import Cell
from sweetspot.config import Dataset
from sweetspot.errors import InputError
from sweetspot.files import atomic_writer


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSpec:
    """What decides every id of a data set, whose requests all have the same lengths.

    Attributes:
        vocab_size: ids are drawn below this.
        eos_id: id of the end-of-sequence token; it may lie outside the vocabulary.

    Raises:
        InputError: a number is out of range.
    """

    requests: int
    input_tokens: int
    output_tokens: int
    vocab_size: int
    eos_id: int
    seed: int

    def __post_init__(self) -> None:
        """Refuse what the rules have no answer to."""
        for name in ("requests", "input_tokens", "output_tokens"):
            _require_whole(name, getattr(self, name), at_least=1)
        # with one single id, nothing could take the place of an EOS id
        _require_whole("vocab_size", self.vocab_size, at_least=2)
        _require_whole("eos_id", self.eos_id, at_least=0)
        _require_whole("seed", self.seed, at_least=0)
        if self.seed >= 2**32:  # prepare_dataset.py seeds numpy, too, which takes no more
            raise InputError(f"seed must be below 2**32, not {self.seed}")


@dataclass(frozen=True, slots=True)
class DatasetRequest:
    """One request: its prompt as token ids, and how many tokens it shall generate."""

    task_id: int
    input_ids: list[int]
    output_tokens: int

    @property
    def line(self) -> str:
        """The request as one line of the file, without its line end."""
        fields = {
            "task_id": self.task_id,
            "input_ids": self.input_ids,
            "output_tokens": self.output_tokens,
        }
        return json.dumps(fields, separators=(",", ":"))


def requests(spec: RequestSpec) -> Iterator[DatasetRequest]:
    """Yield the requests of a data set; a smaller one is the head of a larger one.

    Ids of one request are distinct where the vocabulary is larger than the prompt, except that
    an EOS id becomes the id after it.
    """
    generator = random.Random(spec.seed)
    vocabulary = range(spec.vocab_size)
    not_eos = (spec.eos_id + 1) % spec.vocab_size
    for task_id in range(spec.requests):
        if spec.input_tokens < spec.vocab_size:
            ids = generator.sample(vocabulary, spec.input_tokens)
        else:
            ids = generator.choices(vocabulary, k=spec.input_tokens)
        ids = [not_eos if token == spec.eos_id else token for token in ids]
        yield DatasetRequest(task_id, ids, spec.output_tokens)


def dataset_name(cell: Cell) -> str:
    """Return the name of a cell's data set, which all models share."""
    return f"n{cell.requests}_i{cell.input_tokens}_o{cell.output_tokens}.jsonl"


def dataset_bytes(spec: RequestSpec) -> float:
    """Return how large the file of a data set is expected to be."""
    empty = len(DatasetRequest(0, [], spec.output_tokens).line) + len("\n")
    ids = spec.input_tokens * (_digits_below(spec.vocab_size) / spec.vocab_size + len(","))
    numbers = _digits_below(spec.requests) - spec.requests * len("0")
    return spec.requests * (empty + ids - len(",")) + numbers


def write_dataset(path: Path, spec: RequestSpec) -> None:
    """Write a data set as JSON lines, one request at a time; a whole file or none.

    Raises:
        InputError: the file cannot be written.
    """
    with atomic_writer(path) as file:
        for request in requests(spec):
            file.write(f"{request.line}\n".encode())


def dataset_writer(folder: Path, dataset: Dataset) -> Callable[[Cell], None]:
    """Return what writes the data set of a cell into `folder`, if it is not there.

    Jobs that do so at the same time write the same bytes, each a whole file.
    """

    def write(cell: Cell) -> None:
        path = folder / dataset_name(cell)
        if not path.exists():
            lengths = {
                name: getattr(cell, name) for name in ("requests", "input_tokens", "output_tokens")
            }
            write_dataset(path, RequestSpec(**lengths, **asdict(dataset)))

    return write


def _require_whole(name: str, value: int, *, at_least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
        raise InputError(f"{name} must be a whole number from {at_least} up, not {value!r}")


def _digits_below(end: int) -> int:
    """Return how many digits the numbers from 0 to below `end` have, all together."""
    powers: list[int] = [10**digits for digits in range(1, len(str(end)))]
    return end + sum(end - power for power in powers)
