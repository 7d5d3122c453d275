"""All checks of a run's folder."""

from dataclasses import dataclass
from pathlib import Path

from sweetspot.config import parse_experiment
from sweetspot.errors import InputError
from sweetspot.measure.manifest import MANIFEST, Listed, listed_as, read_manifest
from sweetspot.measure.work import settled
from sweetspot.plan.plan import plan
from sweetspot.verify.check import Check
from sweetspot.verify.derived import PAGE, check_derived, check_page
from sweetspot.verify.records import check_blocks, check_cells, check_traces, read_records

MADE = ("fits", "tables", "figures")
"""Folders whose every file is to be in the manifest."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What was checked of a run, from its traces on.

    Attributes:
        made_by: the commit of the code that made its manifest; "" where it does not say.
        checks: each with its differences.
    """

    run: str
    simulated: bool
    made_by: str
    checks: tuple[Check, ...]

    @property
    def differences(self) -> tuple[str, ...]:
        """All of them, a line each; none where the run is what it says."""
        return tuple(each for check in self.checks for each in check.differences)


def verify(folder: Path) -> Verified:
    """Check that what lies in the folder of a run derives from its traces, step by step.

    Records against traces, the blocks' files and cells.csv against records; fits, comparison and
    tables are made once more from cells.csv, the page from what it shows; every file, figures among
    them, has the hash that the manifest says. Nothing is written there. Paths of the experiment are
    as from this folder.

    Raises:
        InputError: it is not the folder of a finished run, or its experiment cannot be planned.
    """
    if (folder / "records.jsonl").is_file():  # as a campaign leaves it
        raise InputError(
            f"{folder} holds a campaign's data, not a run: `sweetspot campaign-report` checks them"
            " against their manifest"
        )
    manifest = read_manifest(folder / MANIFEST)
    experiment = parse_experiment(manifest.experiment, f"the experiment of {folder / MANIFEST}")
    try:
        planned = plan(experiment)
    except InputError as error:
        raise InputError(
            f"{error}; verify in the folder that the run was made in, where its models are"
        ) from error
    records = folder / "records"
    measured = settled(planned, records)
    found, of_records = read_records(measured, records)
    named = {name: check_listed(folder, name, listed) for name, listed in manifest.files.items()}
    simulated = experiment.engine == "simulator"
    checks = (
        of_records,
        *check_traces(measured, found, records),
        check_blocks(measured, found, folder),
        check_cells(measured, found, folder / "cells.csv"),
        *check_derived(experiment, planned, folder),
        *([check_page(experiment, planned, folder)] if PAGE in manifest.files else []),
        _hashes("figures/ by their hashes in manifest.json", named, figures=True),
        _hashes("all other hashes in manifest.json", named, figures=False),
        _unlisted(folder, named),
    )
    if manifest.simulated != simulated:
        said = f"{MANIFEST}: simulated is {manifest.simulated}, and the engine {experiment.engine}"
        checks = (*checks, Check("what the manifest says of the engine", 1, "entry", (said,)))
    made_by = manifest.provenance.get("git_commit", "")
    return Verified(experiment.run, simulated, made_by, checks)


def check_listed(folder: Path, name: str, listed: Listed) -> list[str]:
    """Return how a file differs from its entry in the manifest: [] if it does not."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        return [f"{name}: is not in the run's folder"]
    try:
        found = listed_as(path)
    except InputError as error:
        return [f"{name}: {error}"]
    if found.bytes != listed.bytes:
        return [f"{name}: has {found.bytes} bytes, not {listed.bytes} as {MANIFEST} says"]
    if found.sha256 != listed.sha256:
        return [f"{name}: its SHA-256 is {found.sha256[:12]}..., not {listed.sha256[:12]}..."]
    return []


def _hashes(what: str, named: dict[str, list[str]], *, figures: bool) -> Check:
    of_these = [wrong for name, wrong in named.items() if name.startswith("figures/") == figures]
    return Check(what, len(of_these), "files", tuple(each for wrong in of_these for each in wrong))


def _unlisted(folder: Path, named: dict[str, list[str]]) -> Check:
    there = [
        path.relative_to(folder).as_posix()
        for name in MADE
        for path in sorted((folder / name).glob("*"))
    ]
    wrong = tuple(f"{name}: is not in {MANIFEST}" for name in there if name not in named)
    return Check("nothing beside what manifest.json lists", len(there), "files", wrong)
