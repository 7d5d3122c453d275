"""Bodies of requests: prompts of exact lengths, of which no two begin alike.

A server that keeps the KV cache of prompts finds them by their beginnings. So the first token of
every prompt is another one in each pass, each cell and each session; all others are those of the
cell's data set.
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweetspot.errors import InputError
from sweetspot.reading import read_text

WORDS = (
    *("the", "of", "and", "to", "in", "is", "that", "for", "it", "as", "was", "with", "be", "by"),
    *("on", "not", "he", "his", "but", "at", "are", "this", "have", "from", "or", "had", "an"),
)
"""Words that are one token each, with the blank before, in common vocabularies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a server takes prompts.

    Attributes:
        model: what it calls the model.
        as_text: whether it refuses token ids.
        added_tokens: tokens that it adds to a text, as its usage says.
    """

    model: str
    as_text: bool = False
    added_tokens: int = 0

    def body(self, prompt: str, output_tokens: int) -> bytes:
        """Return the request for exactly so many tokens; `prompt` is JSON already.

        Sources: vLLM, TensorRT-LLM and SGLang, CompletionRequest; llama.cpp,
        tools/server/README.md. TGI and others pass over what they do not know.
        """
        fields = {
            "model": self.model,
            "max_tokens": output_tokens,
            "min_tokens": output_tokens,
            "ignore_eos": True,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return f'{{"prompt":{prompt},{json.dumps(fields)[1:]}'.encode()


class Prompts:
    """The prompts of one cell."""

    def __init__(self, dataset: Path, *, vocab_size: int, style: Style, salt: int) -> None:
        """Read a data set; ids that the model lacks are taken modulo its vocabulary.

        Raises:
            InputError: it cannot be read, or its texts would be too short for the server.
        """
        lines = read_text(dataset, "data set").splitlines()
        ids = [[each % vocab_size for each in json.loads(line)["input_ids"]] for line in lines]
        self._style, self._salt, self._vocab_size = style, salt, vocab_size
        self._firsts = [each[0] for each in ids]
        self._rests = ["".join(f",{token}" for token in each[1:]) for each in ids]
        self._words = len(ids[0]) - style.added_tokens
        if style.as_text and self._words < 1:
            raise InputError(
                f"the server adds {style.added_tokens} tokens to a text, so that none has"
                f" {len(ids[0])}; take longer inputs"
            )

    def bodies(self, number: int, output_tokens: int) -> Iterator[bytes]:
        """Yield the requests of a pass, by its number from 0."""
        texts = self._texts(number) if self._style.as_text else self._ids(number)
        return (self._style.body(text, output_tokens) for text in texts)

    def _ids(self, number: int) -> Iterator[str]:
        for first, rest in zip(self._firsts, self._rests, strict=True):
            yield f"[{(first + self._salt + number) % self._vocab_size}{rest}]"

    def _texts(self, number: int) -> Iterator[str]:
        for place in range(len(self._firsts)):
            yield json.dumps(text_of(self._words, f"{self._salt}/{number}/{place}"))


def text_of(words: int, seed: Any) -> str:
    """Return a text of so many words."""
    return " " + " ".join(random.Random(seed).choices(WORDS, k=words))  # noqa: S311
