"""A model as a user names it: by a name of the catalog, a config.json, or a parsed one."""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from sweetspot.catalog.architecture import Architecture
from sweetspot.catalog.huggingface import architecture_from_config
from sweetspot.catalog.models import catalog_entry, catalog_id, model_ids
from sweetspot.errors import InputError, unknown_name
from sweetspot.reading import as_mapping, read_json

_MAX_ID_CHARS = 80
_MAX_FILE_BYTES = 10 * 2**20  # no config.json comes near; a checkpoint given by mistake does


def load_model(model: str | os.PathLike[str] | Mapping[str, Any]) -> Architecture:
    """Return the architecture of a model of the catalog, of a config.json or of a parsed one.

    A string that is a catalog id, such as `llama-3.1-8b`, or the hub's name of such a model, such
    as `meta-llama/Llama-3.1-8B`, means the catalog, also where a folder has the same name; write
    `./name` for the folder. A folder stands for the config.json in it.

    Raises:
        InputError: there is no such model, or its configuration cannot be read.
    """
    if isinstance(model, Mapping):
        return _named(model, "model config", "model")
    if not isinstance(model, str | os.PathLike):
        raise InputError(
            f"model must be a catalog id, a path or a parsed config.json, not {model!r}"
        )
    if isinstance(model, str) and (model_id := catalog_id(model)):
        return catalog_entry(model_id).architecture
    path = _config_path(model)
    # config.json says nothing of its model; another name, or else the folder, does.
    name = path.parent.name if path.name == "config.json" else path.stem
    return _named(read_model_config(path), str(path), name or path.stem)


def read_model_config(path: Path) -> dict[str, Any]:
    """Return what a config.json holds.

    Raises:
        InputError: it cannot be read, or is not a JSON object.
    """
    if path.is_file() and path.stat().st_size > _MAX_FILE_BYTES:
        raise InputError(f"{path}: too large for a config.json")
    return as_mapping(read_json(path, "model config"), f"model config {path}")


def _config_path(model: str | os.PathLike[str]) -> Path:
    text = os.fspath(model)
    try:
        path = Path(text).expanduser()
        exists = bool(text) and path.exists()
    except (OSError, RuntimeError):  # name too long, folder closed to us; no such ~user
        exists = False
    if not exists:
        raise _no_such_model(model, text)
    if path.is_dir():
        path = path / "config.json"
        if not path.is_file():
            raise InputError(f"{path.parent}: no config.json in this folder")
    if not path.is_file():
        raise InputError(f"{path}: not a file; give a config.json or a folder that holds one")
    return path


def _no_such_model(model: str | os.PathLike[str], text: str) -> InputError:
    if not isinstance(model, str) or os.sep in text or text.endswith(".json"):
        return InputError(
            f"{text!r}: no such file or folder; give a config.json, a folder that holds one,"
            " or a catalog id"
        )
    unknown = unknown_name("model", text, model_ids())
    return InputError(f"{unknown}; a path to a Hugging Face config.json works too")


def _named(config: Mapping[str, Any], where: str, fallback: str) -> Architecture:
    """Return the architecture under an id that no other catalog model has."""
    stated = config.get("_name_or_path")
    last_part = PurePosixPath(stated.replace("\\", "/")).name if isinstance(stated, str) else ""
    model_id = _slug(last_part) or _slug(fallback) or "model"
    try:
        architecture = architecture_from_config(config, model_id)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    if model_id in model_ids() and architecture != catalog_entry(model_id).architecture:
        return replace(architecture, id=f"local-{model_id}")
    return architecture


def _slug(name: str) -> str:
    """Return `name` reduced to what is safe in paths: a-z, 0-9, dots and dashes inside."""
    return re.sub(r"[^a-z0-9.]+", "-", name.lower())[:_MAX_ID_CHARS].strip("-.")
