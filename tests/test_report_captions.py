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
    ("workflow", {}),
    ("cells", {}),
    *(("figure", {"figure": name}) for name in (*FIGURES, *FIT_FIGURES)),
    *(("table", {"table": name}) for name in (*TABLES, "comparison")),
]


def rendered(stem: str, wildcards: dict[str, str], engine: str, alt_text: Path) -> str:
    """Return the HTML of a caption; docutils' warnings are errors, as are unknown config keys."""
    environment = Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  # Snakemake's own settings: captions are not HTML
    )
    config = plain(parse_experiment({"engine": engine})) | {"captions": captions.FIGURES}
    snakemake = SimpleNamespace(
        config=config,
        wildcards=SimpleNamespace(**wildcards),
        output=SimpleNamespace(alt=str(alt_text)),
    )
    template = environment.from_string((REPORT / f"{stem}.rst").read_text("utf-8"))
    html: str = publish_parts(
        template.render(snakemake=snakemake),
        writer="html",
        settings_overrides={"halt_level": 2, "report_level": 2},
    )["html_body"]
    return html


@pytest.fixture
def alt_text(tmp_path: Path) -> Path:
    """Return the file of a figure's alternative text."""
    path = tmp_path / "figure.alt.txt"
    path.write_text("Energy at max_batch_size 64, a model_ and * a star.\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("engine", ["simulator", "tensorrt-llm"])
@pytest.mark.parametrize(("stem", "wildcards"), CAPTIONS)
def test_caption_says_simulated_or_measured(
    stem: str, wildcards: dict[str, str], engine: str, alt_text: Path
) -> None:
    html = rendered(stem, wildcards, engine, alt_text).lower()
    assert ("energy at max_batch_size 64" in html) is (stem == "figure")
    if wildcards.get("table") in ("table1_forms", "table2_models"):
        assert "nothing here is measured or simulated" in html
    else:
        said = {word for word in ("simulated", "measured") if f"{word}</strong>" in html}
        said |= {word for word in ("simulated", "measured") if f"everything here is {word}" in html}
        assert said == {"simulated" if engine == "simulator" else "measured"}


def test_captions_open_with_words_of_their_own(alt_text: Path) -> None:
    openings = [
        rendered(*caption, "simulator", alt_text).split("</strong>")[0] for caption in CAPTIONS
    ]
    assert all("<strong>" in opening for opening in openings)
    assert len(set(openings)) == len(CAPTIONS)
