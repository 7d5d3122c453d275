"""A model as a user names it: by a name of the catalog, a config.json, or a parsed one."""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from sweetspot.catalog.architecture import Architecture
from sweetspot.catalog.checkpoint_folder import hub_name_of, newest_snapshot
from sweetspot.catalog.huggingface import architecture_from_config
from sweetspot.catalog.models import catalog_entry, catalog_id, model_ids
from sweetspot.catalog.quantization_config import SIDE_FILES
from sweetspot.errors import InputError, shown, unknown_name
from sweetspot.reading import as_mapping, read_json

_MAX_ID_CHARS = 80
_TUNED = re.compile(r"-(instruct|chat|it)$", re.IGNORECASE)  # how publishers call tuned models
_MAX_FILE_BYTES = 10 * 2**20  # no config.json comes near; a checkpoint given by mistake does


def load_model(model: str | os.PathLike[str] | Mapping[str, Any]) -> Architecture:
    """Return the architecture of a model of the catalog, of a config.json or of a parsed one.

    A string that is a catalog id, such as `llama-3.1-8b`, or another name of such a model, such as
    `meta-llama/Llama-3.1-8B` or `Llama 3.1 (8B)`, means the catalog, also where a folder has the
    same name; write `./name` for the folder. A folder stands for the config.json in it and for
    what the files beside it say of quantization; a model's folder in the hub's cache, for its
    newest snapshot. The model is called as its folder is, or as the hub calls it.

    Raises:
        InputError: there is no such model, or its configuration cannot be read.
    """
    if isinstance(model, Mapping):
        stated = model.get("_name_or_path")
        name = stated.replace("\\", "/") if isinstance(stated, str) else ""
        return _named(model, "model config", PurePosixPath(name).name)
    if not isinstance(model, str | os.PathLike):
        raise InputError(
            f"model must be a catalog id, a path or a parsed config.json, not {model!r}"
        )
    if isinstance(model, str) and (model_id := catalog_id(model)):
        return catalog_entry(model_id).architecture
    path = config_path(model)
    config = read_model_config(path) | _side_files(path)
    return _named(config, str(path), _name_of(path))


def read_model_config(path: Path) -> dict[str, Any]:
    """Return what a config.json holds.

    Raises:
        InputError: it cannot be read, or is not a JSON object.
    """
    if path.is_file() and path.stat().st_size > _MAX_FILE_BYTES:
        raise InputError(f"{path}: too large for a config.json")
    return as_mapping(read_json(path, "model config"), f"model config {path}")


def config_path(model: str | os.PathLike[str]) -> Path:
    """Return the config.json that a path stands for: itself, in a folder, or in the hub's cache.

    Raises:
        InputError: there is no such file or folder, or no config.json in it.
    """
    text = os.fspath(model)
    try:
        path = Path(text).expanduser()
        exists = bool(text) and path.exists()
    except (OSError, RuntimeError):  # name too long, folder closed to us; no such ~user
        exists = False
    if not exists:
        raise _no_such_model(model, text)
    if path.is_dir():
        path = newest_snapshot(path) / "config.json"
        if not path.is_file():
            raise InputError(f"{path.parent}: no config.json in this folder")
    if not path.is_file():
        raise InputError(f"{path}: not a file; give a config.json or a folder that holds one")
    return path


def _side_files(path: Path) -> dict[str, Any]:
    """Return what the other files of a checkpoint's folder say, by their names."""
    if path.name != "config.json":
        return {}
    files = ((name, path.with_name(name)) for name in SIDE_FILES)
    return {name: read_json(file, "file") for name, file in files if file.is_file()}


def _name_of(path: Path) -> str:
    """Return what a model is called: its name on the hub, its folder's, or its file's."""
    if path.name != "config.json":
        return path.stem
    folder = Path(os.path.abspath(path.parent))  # noqa: PTH100  as named: no links are followed
    hub = hub_name_of(folder)
    return (catalog_id(hub) or hub) if hub else folder.name or path.stem


def _no_such_model(model: str | os.PathLike[str], text: str) -> InputError:
    if not isinstance(model, str) or os.sep in text or text.endswith(".json"):
        base = catalog_id(_TUNED.sub("", text)) if isinstance(model, str) else None
        tuned = f" (of the shape of {base}, if it is that model tuned: name {base})" if base else ""
        return InputError(
            f"{shown(text)}: no such file or folder{tuned}; give a config.json, a folder that holds"
            " one, or a catalog id"
        )
    unknown = unknown_name("model", text, model_ids())
    return InputError(f"{unknown}; a path to a Hugging Face config.json works too")


def _named(config: Mapping[str, Any], where: str, name: str) -> Architecture:
    """Return the architecture under an id that no other catalog model has."""
    model_id = _slug(name) or "model"
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
