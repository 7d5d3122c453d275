"""What lies in the folder of a run or of a campaign, as its manifest lists it."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import sweetspot
from sweetspot.campaign import compact
from sweetspot.catalog import catalog_id
from sweetspot.catalog.gpus import is_gpu_file
from sweetspot.catalog.loading import config_path
from sweetspot.catalog.quantization_config import SIDE_FILES
from sweetspot.config import Experiment, parse_experiment
from sweetspot.crate.crate import EXPERIMENT, LICENCE, MADE, Made, origin
from sweetspot.crate.entities import Entity, Part, program, to
from sweetspot.errors import InputError
from sweetspot.measure.manifest import MANIFEST, RunManifest, read_manifest
from sweetspot.measure.provenance import git_commit
from sweetspot.measure.record import CellRecord, read_block, record_path, trace_path
from sweetspot.measure.work import settled
from sweetspot.plan.plan import Plan, plan
from sweetspot.reading import as_mapping, path_inside, read_json
from sweetspot.verify.records import block_file, blocks_of_jobs, read_records
from sweetspot.verify.verify import check_listed

CLONE = Path(sweetspot.__file__).parents[2]
SNAKEFILE = "Snakefile"
SNAKEMAKE_REPORT = "snakemake-report.html"
"""What `make paper` has Snakemake write of a finished run; so it is in no manifest."""
OF_WORKFLOW = ("workflow/rules/*.smk", "workflow/report/*.rst")
SNAKEMAKE: Entity = {
    "@id": "https://w3id.org/workflowhub/workflow-ro-crate#snakemake",
    "@type": "ComputerLanguage",
    "name": "Snakemake",
    "identifier": {"@id": "https://doi.org/10.1093/bioinformatics/bts480"},
    "url": {"@id": "https://snakemake.readthedocs.io"},
}
BIOSCHEMAS = "https://bioschemas.org/profiles/ComputationalWorkflow/1.0-RELEASE"
AUTHORS: Entity = {"@id": "#authors", "@type": "Organization", "name": "sweetspot contributors"}


def made_in(folder: Path) -> Made:
    """Return what a finished run or a campaign has made, each file as its manifest says.

    Raises:
        InputError: it is neither, or a file is missing or not the one that was made.
    """
    path = folder / MANIFEST
    advice = f"is {folder} the folder of a finished run, or a campaign's data?"
    try:
        found = as_mapping(read_json(path, "manifest"), f"manifest {path}")
    except InputError as error:
        raise InputError(f"{error}; {advice}") from error
    return _of_campaign(folder) if "calls" in found else _of_run(folder)


def _of_run(folder: Path) -> Made:
    manifest = read_manifest(folder / MANIFEST)
    experiment = parse_experiment(manifest.experiment, f"the experiment of {folder / MANIFEST}")
    planned = settled(plan(experiment), folder / "records")
    found, of_records = read_records(planned, folder / "records")
    wrong = [
        *of_records.differences,
        *(each for name, of in manifest.files.items() for each in check_listed(folder, name, of)),
    ]
    if wrong:
        raise InputError(
            f"{folder} is not as it was made: {wrong[0]}; sweetspot verify {folder} names all"
            " differences, and running the experiment again repairs them"
        )
    records = list(found.values())
    workflow, rules = _workflow(manifest)
    packages = _versions(records, manifest.packages, manifest.provenance)
    return Made(
        name=experiment.run,
        used=[_experiment(manifest.experiment), *_named_files(experiment, planned)],
        results=list(_results(folder, manifest, planned, found)),
        instrument=workflow,
        beside=rules,
        records=records,
        versions=packages,
        started=min(_fact(record.provenance, "started_utc", folder) for record in records),
        ended=_fact(manifest.provenance, "started_utc", folder),
        others=[SNAKEMAKE, AUTHORS, _sweetspot(manifest.provenance, packages)],
    )


def _of_campaign(folder: Path) -> Made:
    manifest = compact.read_manifest(folder)
    records = read_block(folder / compact.RECORDS)
    if not (records and manifest.calls):
        raise InputError(f"{folder} has no cells yet; `sweetspot campaign` measures them")
    experiment = compact.experiment_of(manifest, folder)
    packages = _versions(records, manifest.packages, manifest.provenance)
    return Made(
        name=experiment.run,
        used=[_experiment(manifest.experiment)],
        results=[_part(folder, name) for name in (*manifest.files, compact.MANIFEST)],
        instrument=_sweetspot(manifest.provenance, packages),
        records=records,
        versions=packages,
        started=manifest.calls[0].started_utc,
        ended=_fact(manifest.provenance, "started_utc", folder),
        others=[AUTHORS],
    )


def _fact(provenance: Mapping[str, str], name: str, folder: Path) -> str:
    """Return what a manifest or record says of where it comes from; an edited one may not."""
    if name not in provenance:
        raise InputError(
            f"a record or the manifest of {folder} lacks {name} in its provenance; take the files"
            " as the run or campaign left them"
        )
    return provenance[name]


def _versions(
    records: Iterable[CellRecord], packages: Mapping[str, str], provenance: Mapping[str, str]
) -> dict[str, str]:
    """Return the versions of the engines, of Python and of packages, but for our own."""
    engines = {each.engine: each.engine_version for each in records if not each.simulated}
    known = {"Python": provenance.get("python", ""), **packages, **engines}
    return {name: version for name, version in known.items() if version}


def _sweetspot(provenance: Mapping[str, str], packages: Iterable[str]) -> Entity:
    """Return the entity of the code that made it, with what it needed."""
    commit = provenance.get("git_commit") or "no known commit"
    return program(
        "sweetspot",
        provenance.get("sweetspot", ""),
        description=f"Measures, models and predicts the energy of LLM inference; as of {commit}.",
        license=to(LICENCE),
        creator=to(str(AUTHORS["@id"])),
        softwareRequirements=to(program(name, "")["@id"] for name in packages),
    )


def _part(folder: Path, name: str) -> Part:
    top = name.partition("/")[0]
    return Part(
        name,
        path_inside(folder, name, "file"),
        MADE.get(name) or MADE.get(top, "A file that was made."),
    )


def _experiment(experiment: Mapping[str, Any]) -> Part:
    text = json.dumps(experiment, indent=1, ensure_ascii=False) + "\n"
    words = "The experiment with all of its keys; snakemake --configfile takes it."
    return Part(EXPERIMENT, text.encode(), words)


def _named_files(experiment: Experiment, planned: Plan) -> Iterator[Part]:
    """Yield the files of models, a GPU and constants that the experiment names beside the run.

    Those that it names by a path from elsewhere are left out, as a crate has no such places.
    """
    files: list[tuple[Path, str]] = []
    for reference in dict.fromkeys(block.model_reference for block in planned.blocks):
        if catalog_id(reference) is None:
            config = config_path(reference)
            beside = [config.with_name(name) for name in SIDE_FILES]
            files += [(path, "A model's configuration.") for path in (config, *beside)]
    if is_gpu_file(experiment.gpu):
        files.append((Path(experiment.gpu), "A GPU."))
    if experiment.simulator.calibration is not None:
        files.append((experiment.simulator.calibration, "Constants of the simulator."))
    for path, words in files:
        if path.is_file() and not path.is_absolute() and ".." not in path.parts:
            yield Part(path.as_posix(), path, words)


def _results(
    folder: Path, manifest: RunManifest, planned: Plan, found: Mapping[str, CellRecord]
) -> Iterator[Part]:
    for name in (
        *manifest.files,
        MANIFEST,
        *map(block_file, blocks_of_jobs(planned, folder)),
    ):
        yield _part(folder, name)
    if (folder / SNAKEMAKE_REPORT).is_file():
        yield _part(folder, SNAKEMAKE_REPORT)
    for block in planned.blocks:
        for cell in block.cells:
            made = f"{cell.id}, {found[cell.id].status}: {origin(found[cell.id])}"
            paths = {
                "Record of": record_path(folder / "records", cell, block.key(cell)),
                "Power over time of": trace_path(folder / "records", cell, block.key(cell)),
            }
            for what, path in paths.items():
                if path.is_file():
                    name = path.relative_to(folder).as_posix()
                    yield Part(name, path_inside(folder, name, "file"), f"{what} {made}.")


def _workflow(manifest: RunManifest) -> tuple[Part, list[Part]]:
    """Return the Snakefile, and the files that belong to it.

    Raises:
        InputError: they are not where this code is.
    """
    if not (CLONE / SNAKEFILE).is_file():
        raise InputError(
            f"there is no Snakefile in {CLONE}: a crate holds the workflow, so make it with the"
            " `sweetspot` of a clone of the repository"
        )
    commit, this = manifest.provenance.get("git_commit", ""), git_commit()
    words = "The workflow, in Snakemake"
    if commit != this:
        words += f", as of {this or 'no known commit'}; it was run as of {commit or 'none known'}"
    paths = sorted(path for pattern in OF_WORKFLOW for path in CLONE.glob(pattern))
    beside = [
        Part(path.relative_to(CLONE).as_posix(), path, "Belongs to the workflow.") for path in paths
    ]
    more = {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": "sweetspot: energy of LLM inference",
        "conformsTo": to(BIOSCHEMAS),
        "programmingLanguage": to(str(SNAKEMAKE["@id"])),
        "hasPart": to(part.id for part in beside),
        "softwareRequirements": to("#sweetspot"),
        "version": manifest.provenance.get("sweetspot", ""),
        "license": to(LICENCE),
        "creator": to(str(AUTHORS["@id"])),
    }
    return Part(SNAKEFILE, CLONE / SNAKEFILE, f"{words}.", more), beside
