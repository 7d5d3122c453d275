"""The page of a run: the result first, all of it there under names, nothing unescaped."""

import re

import pytest

from sweetspot import captions
from sweetspot.analysis.fit_files import read_written
from sweetspot.cells.read import read_cells
from sweetspot.figures.by_name import BATCH_FIGURES, FIGURES, FIT_FIGURES
from sweetspot.figures.curves import PEAK_NOTE
from sweetspot.outputs import TABLE_OF_FORMS, TABLE_OF_MODELS, TABLES_OF_BATCH, TABLES_OF_FITS
from sweetspot.report.exhibits import Picture, figures_section, tables_section
from sweetspot.report.html import Section
from sweetspot.report.results_page import OPENING_FIGURE, results_html
from sweetspot.report.write import write_page
from sweetspot.tables import table1

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (2100).to_bytes(4, "big") + bytes(8)
MADE = {
    "sweetspot": "9.9",
    "git_commit": "0123456789abcdef+changes",
    "started_utc": "2026-01-02T03:04:05+00:00",
}


@pytest.fixture(scope="module")
def page_of(small_run):
    cells = read_cells(small_run / "cells.csv")
    spots = read_written(small_run / "fits" / "sweet_spots.csv")

    def page(name="small", **columns):
        return results_html(
            name,
            made={"a": MADE, "b": MADE | {"started_utc": "2026-01-05T00:00:00+00:00"}},
            cells=cells.assign(**columns),
            csv=b"cell\n",
            spots=spots.assign(**{k: v for k, v in columns.items() if k == "model"}),
            picture=Picture(OPENING_FIGURE, "It rises to a <ring> & falls", PNG),
            sections=[
                figures_section([Picture("fit_errors", "Dots", PNG)]),
                tables_section([(TABLE_OF_FORMS, table1())]),
                Section("Nothing", ["", ""]),
            ],
        )

    return page


@pytest.mark.parametrize("has_explorer", [True, False])
def test_without_a_fit_nothing_else_is_called_a_sweet_spot(small_run, has_explorer):
    page = results_html(
        "few",
        made={"a": MADE},
        cells=read_cells(small_run / "cells.csv"),
        csv=b"cell\n",
        spots=read_written(small_run / "fits" / "sweet_spots.csv")[:0],
        picture=Picture(OPENING_FIGURE, "In words", PNG),
        sections=[],
        has_explorer=has_explorer,
    )
    said = " ".join(page.split())
    assert "carry it. Rings in figures mark the best of the cells that were run" in said
    assert ("stars in the explorer the least of simulated curves" in said) is has_explorer
    assert "A ring marks the best cell run" in said
    assert "Ring: best cell run" in PEAK_NOTE
    assert "ring marks the sweet spot" not in said


def test_page_opens_on_what_was_simulated_and_on_the_result(page_of):
    page = page_of()
    order = [
        "<h1>Energy of Llama 3.2 (1B) on H100 SXM, simulated</h1>",
        '<strong class="stamp">SIMULATED: no GPU ran</strong>',
        "9 cells of 1 model, simulated 2026-01-02 to 2026-01-05 by sweetspot 9.9 (0123456789ab+",
        "<h2>Result</h2>",
        "tokens per joule",
        "Sweet spots</h3>",
        "Figure 2: efficiency and output length</h3>",
        '<nav aria-label="Contents">',
        "<h2>Figures</h2>",
        "<h2>Tables</h2>",
        "Table 1: the energy models</h3>",
        "<h2>Cells</h2>",
    ]
    places = [page.index(part) for part in order]
    assert places == sorted(places)
    assert "<h2>Nothing</h2>" not in page


def test_links_of_the_contents_lead_somewhere(page_of):
    page = page_of()
    links = re.findall(r'href="#([^"]+)"', page)
    assert {"result", "sweet-spots", "figure-2-efficiency-and-output-length", "cells"} <= {*links}
    assert set(links) <= set(re.findall(r' id="([^"]+)"', page))


def test_page_needs_no_other_file_and_is_the_same_twice(page_of):
    page = page_of()
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert "@import" not in page
    assert page == page_of()


@pytest.mark.parametrize("hostile", ['<script>alert("x")</script>', "a\"b' <img src=x>"])
def test_hostile_names_are_escaped(page_of, hostile):
    page = page_of(name=hostile, model=hostile)
    assert hostile not in page
    assert page.count("<script") == page_of().count("<script")
    assert 'alt="It rises to a &lt;ring&gt; &amp; falls"' in page


def test_cells_that_are_not_ok_are_counted_by_reason(page_of):
    page = page_of(status=["ok"] * 7 + ["failed"] * 2, reason=[""] * 7 + ["no room"] * 2)
    assert "9 cells of 1 model, of which 2 failed: fits leave these out" in page
    assert '<td class="text">no room</td><td>2</td>' in page


def test_measured_cells_are_not_stamped(page_of):
    page = page_of(simulated=False, energy_source="counter")
    assert "H100 SXM, measured</h1>" in page
    assert "SIMULATED" not in page
    assert "<dt>Energy by</dt><dd>counter</dd>" in page


def test_the_board_that_measured_each_cell_is_known_of_its_record(small_run):
    cells = read_cells(small_run / "cells.csv").drop(columns="interval_level")
    page = results_html(
        "small",
        made={cell: MADE | {"gpu_uuid": "GPU-1"} for cell in cells["cell"]},
        cells=cells.assign(simulated=False),
        csv=b"cell\n",
        spots=read_written(small_run / "fits" / "sweet_spots.csv"),
        picture=None,
        sections=[],
    )
    assert "on this one, of less than 1.06 from another model or setting" in page


def test_page_of_a_run_is_made_of_its_files(small_run, tmp_path):
    write_page(
        small_run,
        run="small",
        blocks=sorted((small_run / "blocks").rglob("*.jsonl")),
        models=["llama-3.2-1b"],
        table_names=[TABLE_OF_FORMS, TABLE_OF_MODELS, *TABLES_OF_FITS],
        figure_names=[],
        out=tmp_path / "report.html",
    )
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for name in (TABLE_OF_FORMS, TABLE_OF_MODELS, *TABLES_OF_FITS):
        assert captions.TABLES[name] in page
    assert '<a href="explorer.html">' in page
    assert re.search(r"simulated \d{4}-\d\d-\d\d by sweetspot \d", page)


def test_all_tables_and_figures_are_called_something():
    drawn = {*FIGURES, *FIT_FIGURES, *BATCH_FIGURES, "beside_simulator"}
    assert set(captions.FIGURES) == drawn
    assert set(captions.TABLES) == {
        *(TABLE_OF_FORMS, TABLE_OF_MODELS),
        *(*TABLES_OF_FITS, *TABLES_OF_BATCH),
    }
