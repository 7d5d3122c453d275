"""Table 2: the models, as published and as the paper prints them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from sweetspot.catalog import Architecture, PaperRow, catalog_entry, model_ids
from sweetspot.tables.names import in_order, printed_name, size_family
from sweetspot.tables.table import MISSING, Column, Table, number


@dataclass(frozen=True, slots=True, kw_only=True)
class TableModel:
    """One model of a run.

    Attributes:
        family: the paper's size family; empty for models that are not the paper's.
        paper: the paper's own numbers; None for models that are not the paper's.
    """

    id: str
    name: str
    family: str
    architecture: Architecture
    paper: PaperRow | None


def table_models(architectures: Iterable[Architecture]) -> list[TableModel]:
    """Return the models with their printed names: the paper's in its order, then all others."""
    by_id = {architecture.id: architecture for architecture in architectures}
    return [
        TableModel(
            id=model,
            name=printed_name(model),
            family=size_family(model),
            architecture=by_id[model],
            paper=catalog_entry(model).paper if model in model_ids() else None,
        )
        for model in in_order(by_id)
    ]


def table2(models: Sequence[TableModel]) -> Table:
    """Return Table 2: the published configurations beside the numbers that the paper prints."""
    rows = [_row(model) for model in models]
    return Table(
        frame=pd.DataFrame(rows),
        columns=(
            Column("Model", lambda row: row.name, number=False),
            Column("Family", lambda row: row.family or MISSING, number=False),
            Column("Parameters (10⁹)", number("parameters_b", ".2f")),
            Column("Heads", lambda row: f"{row.heads} - {row.attention}", number=False),
            Column("Hidden size", number("hidden_size", "d")),
            Column("Layers", number("layers", "d")),
            Column("Paper: size (10⁹)", number("paper_size_b", "g")),
            Column("Paper: heads", _paper_heads, number=False),
            Column("Paper: hidden size", number("paper_hidden_size", ".0f")),
            Column("Paper: layers", number("paper_layers", ".0f")),
        ),
        title="Table 2",
        caption="Models: the published configuration, and the numbers that the paper prints.",
        notes=tuple(
            f"{row['name']}: {row['differences']}; the published configuration is used."
            for row in rows
            if row["differences"]
        ),
        label="tab:models",
    )


def _row(model: TableModel) -> dict[str, object]:
    shape, paper = model.architecture, model.paper
    own = {
        "heads": shape.heads,
        "attention": _attention(shape),
        "hidden_size": shape.hidden,
        "layers": shape.layers,
    }
    printed = {field: getattr(paper, field, None) for field in own}
    return {
        "model": model.id,
        "name": model.name,
        "family": model.family,
        "parameters_b": shape.parameters / 1e9,
        **own,
        "kv_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "ffn": shape.ffn,
        "vocab": shape.vocab,
        "paper_size_b": paper.size_b if paper else None,
        **{f"paper_{field}": value for field, value in printed.items()},
        "differences": ", ".join(
            f"{field.replace('_', ' ')} {own[field]}, in the paper {value}"
            for field, value in printed.items()
            if paper and value != own[field]
        ),
    }


def _attention(shape: Architecture) -> str:
    """Return the kind of attention as the paper writes it."""
    if shape.latent:
        return "MLA"
    shared = shape.heads // shape.kv_heads
    if shared == 1:
        return "MHA"
    return "MQA" if shape.kv_heads == 1 else f"GQA ({shared}x)"


def _paper_heads(row: object) -> str:
    heads = getattr(row, "paper_heads", None)
    return MISSING if pd.isna(heads) else f"{heads:.0f} - {getattr(row, 'paper_attention', '')}"
