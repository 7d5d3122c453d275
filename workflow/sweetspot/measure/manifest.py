"""The manifest of a run: its experiment, its code, and a hash of every file that it made."""

import json
from collections.abc import Iterable
from pathlib import Path

from sweetspot.config import Experiment
from sweetspot.errors import InputError
from sweetspot.files import write_text_atomic
from sweetspot.measure.provenance import package_versions, provenance
from sweetspot.reading import size_and_sha256

SCHEMA = 1
PACKAGES = ("snakemake", "numpy", "pandas", "scipy", "statsmodels", "matplotlib")


def write_manifest(experiment: Experiment, files: Iterable[Path], out: Path) -> None:
    """Write manifest.json; file names are relative to its folder.

    Raises:
        InputError: a file cannot be read, or is not of this run.
    """
    listed, folder = {}, out.parent.resolve()
    for path in sorted(files):
        size, sha256 = size_and_sha256(path)
        if not path.resolve().is_relative_to(folder):
            raise InputError(f"{path} is not in {folder}, the folder of this manifest's run")
        name = path.resolve().relative_to(folder).as_posix()
        listed[name] = {"bytes": size, "sha256": sha256}
    manifest = {
        "schema_version": SCHEMA,
        "simulated": experiment.engine == "simulator",
        "experiment": experiment.model_dump(mode="json"),
        "provenance": provenance(),
        "packages": package_versions(PACKAGES),
        "files": listed,
    }
    write_text_atomic(out, json.dumps(manifest, indent=1) + "\n")
