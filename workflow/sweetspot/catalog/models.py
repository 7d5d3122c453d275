"""The models of the paper, each as its published config.json beside the paper's own numbers."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from sweetspot.catalog.architecture import Architecture
from sweetspot.catalog.huggingface import architecture_from_config
from sweetspot.catalog.packaged import read_packaged
from sweetspot.errors import unknown_name

SizeFamily = Literal["XS", "S", "M"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRow:
    """One row of the paper's Table 2, as printed.

    Attributes:
        size_b: size in 10^9 parameters.
        attention: kind of attention, with how many heads share a key-value head.
    """

    size_b: float
    heads: int
    attention: str
    hidden_size: int
    layers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """One model of the catalog.

    Attributes:
        name: as the paper's Tables 3 and 5 print it.
        size_family: the paper's group of models of like size.
        hub_id: where the checkpoint is published.
        source: the published configuration.
        note: what a reader should know of these numbers; empty if nothing.
        paper: what the paper prints, also where it differs from the published configuration.
    """

    id: str
    name: str
    size_family: SizeFamily
    hub_id: str
    source: str
    note: str
    paper: PaperRow
    architecture: Architecture


@lru_cache(maxsize=1)
def _entries() -> dict[str, CatalogEntry]:
    return {
        model_id: CatalogEntry(
            id=model_id,
            name=row["name"],
            size_family=row["family_size"],
            hub_id=row["hub_id"],
            source=row["source"],
            note=row.get("note", ""),
            paper=PaperRow(**row["paper"]),
            architecture=architecture_from_config(row["config"], model_id),
        )
        for model_id, row in read_packaged("models.yaml").items()
    }


def model_ids() -> tuple[str, ...]:
    """Return the ids of the catalog's models, in the paper's order."""
    return tuple(_entries())


def catalog_id(name: str) -> str | None:
    """Return the id of the catalog's model that goes by this name.

    That is its id, its name on the hub, in any case as there, or its name in tables and figures, in
    any case and with brackets or without: `Llama 3.1 (8B)`, `llama 3.1 8b`.
    """
    if name in _entries():
        return name
    of_hub = {entry.hub_id.lower(): entry.id for entry in _entries().values()}
    of_tables = {_plain(entry.name): entry.id for entry in _entries().values()}
    return of_hub.get(name.lower()) or of_tables.get(_plain(name))


def _plain(name: str) -> str:
    """Return a name in lower case without brackets, its words one blank apart."""
    return " ".join(name.lower().replace("(", " ").replace(")", " ").split())


def catalog_entry(model_id: str) -> CatalogEntry:
    """Return the catalog's entry with this id.

    Raises:
        InputError: no entry has this id.
    """
    try:
        return _entries()[model_id]
    except KeyError:
        raise unknown_name("model", model_id, model_ids()) from None
