"""Report captions: each renders as Snakemake renders it, and says what its numbers are."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from docutils.core import publish_parts  # type: ignore[import-untyped]  # ships no types
from jinja2 import Environment, StrictUndefined

from sweetspot import captions
from sweetspot.config import parse_experiment
from sweetspot.figures.by_name import FIGURES, FIT_FIGURES
from sweetspot.schema.writing import plain

REPORT = Path(__file__).parents[1] / "workflow" / "report"
TABLES = (
    "table1_forms",
    "table2_models",
    "table3_mape",
    "table4_significance",
    "table5_coefficients",
    "batch_coefficients",
    "batch_loads",
)
CAPTIONS = [
    ("workflow", []),
    ("cells", []),
    ("figures", [*FIGURES, *FIT_FIGURES]),
    ("tables", [*TABLES, "comparison"]),
]


def rendered(stem: str, names: list[str], engine: str) -> str:
    """Return the HTML of a caption; docutils' warnings are errors, as are unknown config keys."""
    environment = Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  # Snakemake's own settings: captions are not HTML
    )
    config = plain(parse_experiment({"engine": engine})) | {"captions": captions.FIGURES}
    snakemake = SimpleNamespace(config=config, params=SimpleNamespace(names=names))
    template = environment.from_string((REPORT / f"{stem}.rst").read_text("utf-8"))
    html: str = publish_parts(
        template.render(snakemake=snakemake),
        writer="html",
        settings_overrides={"halt_level": 2, "report_level": 2},
    )["html_body"]
    return html


@pytest.mark.parametrize("engine", ["simulator", "tensorrt-llm"])
@pytest.mark.parametrize(("stem", "names"), CAPTIONS)
def test_caption_says_simulated_or_measured(stem: str, names: list[str], engine: str) -> None:
    html = rendered(stem, names, engine).lower()
    said = {word for word in ("simulated", "measured") if f"{word}</strong>" in html}
    said |= {word for word in ("simulated", "measured") if f"everything here is {word}" in html}
    assert said == {"simulated" if engine == "simulator" else "measured"}


@pytest.mark.parametrize(("stem", "names"), CAPTIONS[2:])
def test_caption_has_words_of_its_own_on_what_was_made_and_no_other(
    stem: str, names: list[str]
) -> None:
    apart = [rendered(stem, [name], "simulator").split("</strong>")[0] for name in names]
    assert all("<strong>" in opening for opening in apart)
    assert len(set(apart)) == len(names)
    together = rendered(stem, names, "simulator")
    assert together.count("</strong>") == len(names) + 1
