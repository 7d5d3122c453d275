"""Files of boards and models that the catalog lacks: kept beside what was measured with them.

Whoever has the folder then needs no other file to work with it, wherever it is read.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sweetspot.catalog.gpus import gpu, is_gpu_file
from sweetspot.catalog.loading import config_path, load_model
from sweetspot.catalog.models import catalog_id
from sweetspot.catalog.quantization_config import SIDE_FILES
from sweetspot.reading import read_bytes

FOLDER = "own"
Places = dict[str, str]
"""By how an experiment names a board or a model, where that is kept in a folder."""


def own_files(board: str, models: Iterable[str]) -> tuple[Places, dict[str, bytes]]:
    """Return where what the catalog lacks is to be kept, and what belongs into each file there.

    Args:
        board: as an experiment names it.
        models: likewise.

    Raises:
        InputError: a file is not there, or does not describe what it should.
    """
    places: Places = {}
    files: dict[str, Path] = {}
    if is_gpu_file(board):
        places[board] = f"{FOLDER}/{gpu(board).id}.yaml"
        files[places[board]] = Path(board).expanduser()
    for model in models:
        if catalog_id(model):
            continue
        path = config_path(model)
        places[model] = f"{FOLDER}/{load_model(model).id}"
        files[f"{places[model]}/config.json"] = path
        beside = SIDE_FILES if path.name == "config.json" else ()
        for name in beside:
            if path.with_name(name).is_file():
                files[f"{places[model]}/{name}"] = path.with_name(name)
    return places, {place: read_bytes(path, "file") for place, path in files.items()}


def located(experiment: Mapping[str, Any], places: Mapping[str, str], folder: Path) -> Any:
    """Return an experiment, as a file holds it, with the names of what is kept in `folder`."""
    there = {name: str(folder / place) for name, place in places.items()}

    def named(value: Any) -> Any:
        if isinstance(value, list):
            return [named(each) for each in value]
        return there.get(value, value) if isinstance(value, str) else value

    found = dict(experiment)
    for key in ("gpu", "models", "holdout"):
        if key in found:
            found[key] = named(found[key])
    if isinstance(sweeps := found.get("sweeps"), Mapping):
        found["sweeps"] = {
            name: {key: named(value) if key == "models" else value for key, value in sweep.items()}
            if isinstance(sweep, Mapping)
            else sweep
            for name, sweep in sweeps.items()
        }
    return found
