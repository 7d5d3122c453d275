"""What a crate's metadata are made of: entities in JSON-LD, each with its `@id`."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from sweetspot.reading import read_bytes

METADATA = "ro-crate-metadata.json"
CONTEXT = (
    "https://w3id.org/ro/crate/1.1/context",
    "https://w3id.org/ro/terms/workflow-run/context",  # has sha256
)
RO_CRATE = "https://w3id.org/ro/crate/1.1"
PROCESS_RUN = "https://w3id.org/ro/wfrun/process/0.5"
WORKFLOW_RUN = "https://w3id.org/ro/wfrun/workflow/0.5"
WORKFLOW = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    PROCESS_RUN: "Process Run Crate",
    WORKFLOW_RUN: "Workflow Run Crate",
    WORKFLOW: "Workflow RO-Crate",
}
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".gz": "application/gzip",
    ".html": "text/html",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".md": "text/markdown",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".tex": "application/x-tex",
    ".yaml": "application/yaml",
}

Entity = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a crate.

    Attributes:
        name: where it lies in the crate, with forward slashes.
        source: the file that it is a copy of, or what it holds.
        description: what it is, in words.
        more: further properties of its entity.
    """

    name: str
    source: Path | bytes
    description: str
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Its `@id`: a relative URI, whatever characters its name has."""
        return quote(self.name)

    def content(self) -> bytes:
        """Return what it holds.

        Raises:
            InputError: it cannot be read.
        """
        return read_bytes(self.source, "file") if isinstance(self.source, Path) else self.source

    def entity(self) -> Entity:
        """Return what the metadata say of it.

        Raises:
            InputError: it cannot be read.
        """
        content = self.content()
        return {
            "@id": self.id,
            "@type": "File",
            "name": self.name,
            "description": self.description,
            "contentSize": str(len(content)),
            "sha256": hashlib.sha256(content).hexdigest(),
            "encodingFormat": MEDIA_TYPES.get(PurePosixPath(self.name).suffix, "text/plain"),
            **self.more,
        }


def to(ids: str | Iterable[str]) -> Any:
    """Return a reference to one entity, or a list of references to several."""
    several = [{"@id": each} for each in ([ids] if isinstance(ids, str) else ids)]
    return several[0] if len(several) == 1 else several


def program(name: str, version: str, **more: Any) -> Entity:
    """Return the entity of a program or package."""
    known = {"softwareVersion": version} if version else {}
    of = {"@id": f"#{quote(name)}", "@type": "SoftwareApplication", "name": name}
    return {**of, **known, **more}


def metadata(
    *,
    root: Mapping[str, Any],
    parts: Sequence[Part],
    folders: Mapping[str, str],
    others: Sequence[Entity],
    profiles: Sequence[str],
) -> str:
    """Return the text of the metadata file.

    Args:
        root: properties of the crate as a whole, besides its parts and profiles.
        parts: all files; those in a folder are parts of the folder.
        folders: what folders at the top hold, in words, by their names.
        others: entities of what is no file.
        profiles: those of `PROFILES` that the crate conforms to.

    Raises:
        InputError: a file cannot be read.
    """
    held: dict[str, list[str]] = {}
    for part in parts:
        held.setdefault(part.name.partition("/")[0] if "/" in part.name else "", []).append(part.id)
    top = [*held.pop("", []), *(f"{quote(folder)}/" for folder in held)]
    conforms = [RO_CRATE, *(profile for profile in profiles if profile == WORKFLOW)]
    about = {"@id": METADATA, "@type": "CreativeWork", "about": to("./")}
    named = [
        {
            "@id": profile,
            "@type": "CreativeWork",
            "name": PROFILES[profile],
            "version": profile.rpartition("/")[2],
        }
        for profile in profiles
    ]
    within = [
        {
            "@id": f"{quote(folder)}/",
            "@type": "Dataset",
            "name": folder,
            "description": folders.get(folder, "Files that the experiment names."),
            "hasPart": to(ids),
        }
        for folder, ids in held.items()
    ]
    graph = [
        {**about, "conformsTo": to(conforms)},
        {"@id": "./", "@type": "Dataset", "conformsTo": to(profiles), "hasPart": to(top), **root},
        *others,
        *(part.entity() for part in parts),
        *within,
        *named,
    ]
    return json.dumps({"@context": CONTEXT, "@graph": graph}, indent=1, ensure_ascii=False) + "\n"
