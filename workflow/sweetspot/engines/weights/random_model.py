"""A model without a checkpoint: a config.json alone, for engines that draw its weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweetspot.catalog import Architecture, config_path, load_model, model_ids, read_model_config
from sweetspot.catalog.families import FAMILIES
from sweetspot.catalog.packaged import read_packaged
from sweetspot.errors import InputError
from sweetspot.files import write_text_atomic

# What Falcon's files say that are older than its place in transformers.
_OLD_FALCON = ("RefinedWebModel", "RefinedWeb")
_OLD_FALCON_KEYS = {
    "n_layer": "num_hidden_layers",
    "n_head": "num_attention_heads",
    "n_head_kv": "num_kv_heads",
}


def random_model_folder(
    reference: str, model: Architecture, max_seq_len: int, workspace: Path
) -> Path:
    """Write the config.json of a model into the workspace and return its folder.

    `reference` is the model as the experiment names it, `model` what was planned for that.

    Raises:
        InputError: the model's file is no longer what it was, or none can be written.
    """
    config = random_model_config(published_config(reference, model), model, max_seq_len)
    folder = workspace.absolute() / "random" / model.id / f"l{max_seq_len}"
    write_text_atomic(folder / "config.json", json.dumps(config, indent=2))
    return folder


def random_model_config(
    published: Mapping[str, Any], model: Architecture, max_seq_len: int
) -> dict[str, Any]:
    """Return a published config.json as engines read it today, for the language model alone.

    Engines refuse requests that are longer than the model's positions, or have no embeddings for
    the last of them; so it has positions for `max_seq_len` tokens.
    """
    config = dict(published)
    if isinstance(config.get("text_config"), Mapping):  # Gemma 3 with its vision tower
        config = {"model_type": "gemma3_text", **config["text_config"]}
    stated = config.get("model_type") or config["architectures"][0]
    model_type = next(
        each for each, family in FAMILIES.items() if stated in (each, family.causal_lm)
    )
    if model_type in _OLD_FALCON:
        config.setdefault("new_decoder_architecture", model_type == "RefinedWeb")
        config = {_OLD_FALCON_KEYS.get(key, key): value for key, value in config.items()}
        model_type = "falcon"
    positions = "n_positions" if model_type == "gptj" else "max_position_embeddings"
    return config | {
        "model_type": model_type,
        "architectures": [FAMILIES[model_type].causal_lm],
        positions: max(model.max_positions, max_seq_len),
    }


def published_config(reference: str, model: Architecture) -> Mapping[str, Any]:
    """Return the config.json that a model was planned from.

    Raises:
        InputError: the model's file is no longer what it was.
    """
    if reference in model_ids():
        config: Mapping[str, Any] = read_packaged("models.yaml")[reference]["config"]
        return config
    if load_model(reference) != model:
        raise InputError(f"{reference} is no longer the model that was planned; plan anew")
    return read_model_config(config_path(reference))
