"""Models as tables print them: the paper's by its names and in its order, others by their own."""

from collections.abc import Iterable

import pandas as pd

from sweetspot.catalog import catalog_entry, model_ids


def printed_name(model: str) -> str:
    """Return a model's name; one that the catalog does not know is called as its cells call it."""
    return catalog_entry(model).name if model in model_ids() else model


def size_family(model: str) -> str:
    """Return the paper's size family of a model; empty for models that are not the paper's."""
    return catalog_entry(model).size_family if model in model_ids() else ""


def in_order(models: Iterable[str]) -> list[str]:
    """Return each model once: the paper's in its order, then all others as they come."""
    rank = {model: place for place, model in enumerate(model_ids())}
    return sorted(dict.fromkeys(models), key=lambda model: rank.get(model, len(rank)))


def with_names(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows that have a `model` in order, with printed names and families in front."""
    names = pd.DataFrame(
        [(m, printed_name(m), size_family(m)) for m in in_order(frame["model"])],
        columns=["model", "name", "family"],
    )
    return names.merge(frame, on="model")
