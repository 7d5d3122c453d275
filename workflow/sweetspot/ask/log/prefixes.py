"""What a log says of prompts' common beginnings: names of their blocks, or how much was cached."""

import json
from typing import Any

from sweetspot.errors import InputError
from sweetspot.logs.columns import HASHES, Columns
from sweetspot.logs.rows import whole
from sweetspot.simulator.schedule.prefix_cache import PREFIX_BLOCK


class Prefixes:
    """How they are read.

    Attributes:
        column: that says it.
        wanted: what its values are, in words.
    """

    def __init__(self, columns: Columns, where: str) -> None:
        """Take the column that says most.

        Raises:
            InputError: none says anything.
        """
        if not columns.reuse:
            raise InputError(
                f"--prefix-cache: {where} has neither {HASHES} nor cached_tokens, which would say"
                " what prompts have in common; leave it out"
            )
        self.column = columns.reuse[0]
        self._names_blocks = self.column.rpartition(".")[2].lower() == HASHES
        self.wanted = "a list of whole numbers" if self._names_blocks else "a whole number"
        self._odd = 0

    @property
    def notes(self) -> list[str]:
        """How it was understood, in words."""
        if not self._names_blocks:
            return [f"a prefix cache: {self.column} of each prompt are not processed"]
        notes = [
            f"a prefix cache: prompts that begin with the same {self.column} are processed from"
            " there on, as long as the KV cache has room"
        ]
        if self._odd:
            notes.append(
                f"{self._odd} prompts are processed whole, as their {self.column} are not one for"
                f" {PREFIX_BLOCK} tokens, as Mooncake's are"
            )
        return notes

    def read(self, value: Any, input_tokens: int) -> tuple[tuple[int, ...], int] | None:
        """Return the blocks and the cached tokens of a prompt; None for what is neither."""
        if value is None or value == "":
            return (), 0
        if not self._names_blocks:
            cached = whole(value)
            return None if cached is None or cached < 0 else ((), cached)
        try:
            blocks = json.loads(value) if isinstance(value, str) else value
        except (ValueError, RecursionError):
            return None
        if not isinstance(blocks, list) or any(type(block) is not int for block in blocks):
            return None
        full = input_tokens // PREFIX_BLOCK
        if len(blocks) not in (full, -(-input_tokens // PREFIX_BLOCK)):
            self._odd += 1
            return (), 0
        return tuple(blocks), 0
