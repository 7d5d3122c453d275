"""Where the weights of a measured model come from, and what a record says of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sweetspot.catalog import Architecture
from sweetspot.config import Weights
from sweetspot.engines.base import Node
from sweetspot.engines.weights.random_model import random_model_folder
from sweetspot.errors import InputError
from sweetspot.plan.block import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelWeights:
    """A model as an engine loads it.

    Attributes:
        folder: holds config.json and, of a checkpoint, the weights.
        max_tokens: longest sequence that it has positions for; None where it takes any.
        facts: what stands in the record's provenance.
        remarks: what stands beside every number.
    """

    folder: Path
    max_tokens: int | None
    facts: Mapping[str, str]
    remarks: tuple[str, ...]


def model_weights(choice: Weights, settings: Settings, node: Node) -> ModelWeights:
    """Return the model of a block, from its checkpoint or with random weights.

    Raises:
        InputError: there is no checkpoint, or a model's config.json cannot be read or written.
    """
    model = settings.model
    if choice == "random":
        max_seq_len = settings.limits.max_seq_len
        drawn = f"N(0, 0.02), norms 1, seed {settings.dataset.seed}"
        return ModelWeights(
            folder=random_model_folder(node.model_reference, model, max_seq_len, node.workspace),
            max_tokens=None,
            facts={"weights": f"random: {drawn}"},
            remarks=(f"random weights: {drawn}",),
        )
    if node.checkpoint is None:
        raise InputError(
            f"{settings.engine} needs the checkpoint of {model.id}; set node.checkpoints to the"
            " folder that holds it, or weights to random"
        )
    return ModelWeights(
        folder=node.checkpoint.absolute(),
        # an engine has an embedding for each, and cannot make more up
        max_tokens=model.max_positions if model.positions == "learned" else None,
        facts={
            "weights": "checkpoint",
            "checkpoint": str(node.checkpoint),
            **quantized_facts(model),
        },
        remarks=quantized_remarks(model),
    )


def quantized_facts(model: Architecture) -> dict[str, str]:
    """Return what a record's provenance says of a quantized checkpoint; nothing of another."""
    return {"quantization": model.quantization.words} if model.quantization else {}


def quantized_remarks(model: Architecture) -> tuple[str, ...]:
    """Return what stands beside every number of a quantized checkpoint."""
    return (f"quantized: {model.quantization.words}",) if model.quantization else ()
