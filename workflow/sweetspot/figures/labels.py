"""Names and size families that figures print for model ids."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sweetspot.catalog import catalog_entry, model_ids

_FAMILY_ORDER = ("XS", "S", "M", "L", "XL")
OTHER = "Other"
"""The size family of models that the paper does not sort into one."""


@dataclass(frozen=True, slots=True)
class ModelLabel:
    """What is printed for one model: its name, and the size family whose panel it is in."""

    name: str
    size_family: str


def catalog_labels(models: Iterable[str]) -> dict[str, ModelLabel]:
    """Return the labels of those models that the catalog knows."""
    known = set(model_ids())
    entries = [catalog_entry(model) for model in models if model in known]
    return {entry.id: ModelLabel(entry.name, entry.size_family) for entry in entries}


def label_of(model: str, labels: Mapping[str, ModelLabel]) -> ModelLabel:
    """Return the label of a model; without one its id stands for its name."""
    return labels.get(model, ModelLabel(name=model, size_family=OTHER))


def family_order(families: Iterable[str]) -> list[str]:
    """Return size families from small to large, unknown ones last."""
    known = {family: rank for rank, family in enumerate(_FAMILY_ORDER)}
    return sorted(set(families), key=lambda family: (known.get(family, len(known)), family))
