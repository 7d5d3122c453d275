"""The manifest of a run: its experiment, its code, and a hash of every file that it made."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from sweetspot.config import Experiment
from sweetspot.errors import InputError
from sweetspot.files import write_text_atomic
from sweetspot.measure.provenance import package_versions, provenance
from sweetspot.reading import read_as, size_and_sha256
from sweetspot.schema.writing import plain

SCHEMA = 1
MANIFEST = "manifest.json"
PACKAGES = ("snakemake", "numpy", "pandas", "scipy", "matplotlib")


@dataclass(frozen=True, kw_only=True)
class Listed:
    """What the manifest of a run, or of a campaign's data, says of a file."""

    bytes: int
    sha256: str


def listed_as(path: Path) -> Listed:
    """Return what a manifest is to say of a file.

    Raises:
        InputError: it cannot be read, or is no regular file.
    """
    size, sha256 = size_and_sha256(path)
    return Listed(bytes=size, sha256=sha256)


@dataclass(frozen=True, kw_only=True)
class RunManifest:
    """A manifest as it lies on disk."""

    schema_version: Literal[1]
    simulated: bool
    experiment: dict[str, Any]
    provenance: dict[str, str]
    packages: dict[str, str]
    files: dict[str, Listed]


def read_manifest(path: Path) -> RunManifest:
    """Read what `write_manifest` wrote.

    Raises:
        InputError: there is none, or it is not one of a run.
    """
    return read_as(RunManifest, path, "manifest", f"is {path.parent} the folder of a finished run?")


def write_manifest(experiment: Experiment, files: Iterable[Path], out: Path) -> None:
    """Write manifest.json; file names are relative to its folder.

    Raises:
        InputError: a file cannot be read, or is not of this run.
    """
    listed, folder = {}, out.parent.resolve()
    for path in sorted(files):
        found = listed_as(path)
        if not path.resolve().is_relative_to(folder):
            raise InputError(f"{path} is not in {folder}, the folder of this manifest's run")
        name = path.resolve().relative_to(folder).as_posix()
        listed[name] = asdict(found)
    manifest = {
        "schema_version": SCHEMA,
        "simulated": experiment.engine == "simulator",
        "experiment": plain(experiment),
        "provenance": provenance(),
        "packages": package_versions(PACKAGES),
        "files": listed,
    }
    write_text_atomic(out, json.dumps(manifest, indent=1) + "\n")
