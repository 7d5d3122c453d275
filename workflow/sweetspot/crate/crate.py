"""The crate of what was made: what is in it, and what its metadata say."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from sweetspot.crate.entities import (
    PROCESS_RUN,
    PROFILES,
    Entity,
    Part,
    metadata,
    program,
    to,
)
from sweetspot.measure.record import CellRecord
from sweetspot.schema.keys import Matching, Said
from sweetspot.schema.reading import Checked

EXPERIMENT = "experiment.json"
LICENCE = "https://spdx.org/licenses/Apache-2.0"
PAPER = {
    "@id": "https://arxiv.org/abs/2602.05695",
    "@type": "ScholarlyArticle",
    "name": "SweetSpot: An Analytical Model for Predicting Energy Efficiency of LLM Inference",
}
MADE = {
    "blocks": "Records of the cells by block, which is what one job measures or simulates.",
    "cells.csv": "One row for each cell, made of the records.",
    "comparison.csv": "The paper's published numbers beside those of this run.",
    "explorer.html": "A page to look around in: the cells, with simulated grids beside.",
    "figures": "Figures, each as .png and .pdf, and in words.",
    "fits": "The energy models, fitted to the cells.",
    "manifest.json": "The experiment, code, packages, and a hash of every file that was made.",
    "records": "A record for each cell, and its power trace.",
    "records.jsonl": "A record for each cell, a line each.",
    "report.html": "All of the run on one page, the result first.",
    "sensor.csv.gz": "Samples of the board's power sensors under a square wave of load.",
    "sensor.json": "What these sensors do.",
    "snakemake-report.html": "Snakemake's own report: how each file was made.",
    "tables": "Tables, each as .csv, .md, .html and .tex.",
    "traces.csv.gz": "Power of all cells over time.",
    "workflow": "Rules of the workflow, and captions of its report.",
}
"""What files and folders hold, by their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing(Checked):
    """What whoever publishes a crate says of it.

    Attributes:
        agent: who made the run; "" if that is not said.
        licence: permalink of the licence that the crate is under.

    Raises:
        MistakesError: one of them cannot stand in a crate.
    """

    agent: str = ""
    licence: Annotated[
        str, Matching(r"https?://\S+"), Said(f"must be the address of a licence, such as {LICENCE}")
    ] = LICENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was made, of what, and by what.

    Attributes:
        name: of the run or campaign.
        used: files that it was made of.
        results: files that it made.
        instrument: what ran: the entity of a program, or the file of a workflow.
        beside: files that belong to the instrument.
        records: of all cells.
        versions: of software, by its name.
        started, ended: ISO 8601.
        others: entities that those above refer to.
    """

    name: str
    used: Sequence[Part]
    results: Sequence[Part]
    instrument: Part | Entity
    beside: Sequence[Part] = ()
    records: Sequence[CellRecord]
    versions: Mapping[str, str]
    started: str
    ended: str
    others: Sequence[Entity] = ()

    @property
    def parts(self) -> list[Part]:
        """All files."""
        workflow = [self.instrument] if isinstance(self.instrument, Part) else []
        return [*workflow, *self.beside, *self.used, *self.results]


def metadata_of(made: Made, publishing: Publishing) -> str:
    """Return the text of a crate's metadata file.

    Raises:
        InputError: a file cannot be read.
    """
    cells = cells_in_words(made.records)
    packages = [program(name, version) for name, version in made.versions.items() if version]
    who = {"@id": "#agent", "@type": "Person", "name": publishing.agent}
    licence = {"@id": publishing.licence, "@type": "CreativeWork", "name": publishing.licence}
    is_workflow = isinstance(made.instrument, Part)
    instrument = made.instrument.id if isinstance(made.instrument, Part) else made.instrument["@id"]
    action = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": made.name,
        "description": cells,
        "startTime": made.started,
        "endTime": made.ended,
        "actionStatus": "http://schema.org/CompletedActionStatus",
        "instrument": to(instrument),
        "object": to(part.id for part in made.used),
        "result": to(part.id for part in made.results),
    }
    root = {
        "name": f"Energy of LLM inference: {made.name}",
        "description": cells,
        "datePublished": made.ended,
        "license": to(publishing.licence),
        "citation": to(str(PAPER["@id"])),
        "mentions": to("#run"),
    }
    if is_workflow:
        root["mainEntity"] = to(instrument)
    if publishing.agent:
        root["author"] = action["agent"] = to("#agent")
    return metadata(
        root=root,
        parts=made.parts,
        folders=MADE,
        others=[
            action,
            *([] if isinstance(made.instrument, Part) else [made.instrument]),
            *made.others,
            *packages,
            PAPER,
            licence,
            *([who] if publishing.agent else []),
        ],
        profiles=list(PROFILES) if is_workflow else [PROCESS_RUN],
    )


def origin(record: CellRecord) -> str:
    """Say where the numbers of a cell come from."""
    engine = f"{record.engine} {record.engine_version}".strip()
    if record.simulated:
        return f"simulated by {engine}, no GPU ran"
    return f"measured on {record.provenance.get('gpu_name', record.gpu)} with {engine}"


def cells_in_words(records: Sequence[CellRecord]) -> str:
    """Say where the numbers of all cells come from."""
    origins, statuses = (
        Counter(each) for each in (map(origin, records), (r.status for r in records))
    )
    said = "; ".join(f"{count} cells {each}" for each, count in origins.items())
    return f"{said}; {', '.join(f'{count} {status}' for status, count in statuses.items())}"
