"""The page of a run in a browser: readable by all, on all screens; its cells sort and download."""

import zlib
from struct import pack

import pandas as pd
import pytest

from sweetspot.analysis.fit_files import read_written
from sweetspot.cells.read import read_cells
from sweetspot.report.exhibits import Picture, figures_section, tables_section
from sweetspot.report.html import Exhibit, Section
from sweetspot.report.results_page import OPENING_FIGURE, results_html
from sweetspot.tables import comparison_table, make_table, table1

pytestmark = pytest.mark.slow(reason="Chromium")

COUNT = 14_700
HOSTILE = '<img src=x onerror="alert(1)">, "quoted"\nand a line'


def png(width_px, height_px):
    """Return a white image."""

    def chunk(kind, data):
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + b"\xff" * width_px) * height_px
    header = pack(">IIBBBBB", width_px, height_px, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@pytest.fixture(scope="module")
def cells(small_run):
    """Many cells, of which one has a hostile reason."""
    few = read_cells(small_run / "cells.csv")
    cells = pd.concat([few] * -(-COUNT // len(few)), ignore_index=True)[:COUNT]
    cells["model"] = [f"model-{place // 150}" for place in range(COUNT)]
    cells["energy_per_token_j"] *= 1 + cells.index / 1000
    cells["tokens_per_j"] = 1 / cells["energy_per_token_j"]
    cells.loc[3, ["status", "reason"]] = "failed", HOSTILE
    cells.loc[3, "tokens_per_j"] = float("nan")
    return cells


@pytest.fixture(scope="module")
def report(small_run, cells, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    csv = cells.to_csv(index=False).encode()
    (folder / "cells.csv").write_bytes(csv)
    comparison = comparison_table(read_written(small_run / "comparison.csv"))
    table_3 = ("table3_mape", make_table("table3_mape", fits=small_run / "fits"))
    page = results_html(
        "small",
        made={},
        cells=cells,
        csv=csv,
        spots=read_written(small_run / "fits" / "sweet_spots.csv"),
        picture=Picture(OPENING_FIGURE, "Nothing is drawn", png(1800, 60)),
        sections=[
            figures_section([Picture("fit_errors", "Nothing is drawn", png(40, 30))]),
            tables_section([("table1_forms", table1()), ("comparison", comparison), table_3]),
            Section("More", [Exhibit("A long table", "<p>Here</p>", is_folded=True)]),
        ],
    )
    (folder / "report.html").write_text(page, encoding="utf-8")
    return folder / "report.html"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_page_is_accessible_and_fits_the_screen(report, open_page, serious_faults, width, scheme):
    page = open_page(report, width=width, color_scheme=scheme)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")  # opens what is folded
    assert page.locator("details:not([open])").count() == 0
    assert serious_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details[open]").count() == 0


def test_long_titles_of_columns_take_a_few_lines_on_a_phone(report, open_page):
    page = open_page(report, width=390)
    heads = page.evaluate("[...document.querySelectorAll('thead')].map(each => each.clientHeight)")
    assert max(heads) < 100  # four lines: eight were 176


def test_what_goes_on_beyond_the_edge_wears_a_shadow_until_its_end(report, open_page):
    page = open_page(report, width=390)
    figure = page.locator("figure .scroll").first  # 1800 pixels wide, shown at 640
    shadows = "each => ['::before', '::after'].map(at => getComputedStyle(each, at).opacity)"
    page.wait_for_function("document.querySelector('figure .scroll.more')")
    assert figure.evaluate(shadows) == ["0", "1"]
    figure.evaluate("each => { each.scrollLeft = 10000; }")
    page.wait_for_function("document.querySelector('figure .scroll.less:not(.more)')")
    assert figure.evaluate(shadows) == ["1", "0"]
    fits = "[...document.querySelectorAll('.scroll')].every(each => each.classList.contains('more')"
    fits += " === each.scrollLeft + each.clientWidth < each.scrollWidth - 1)"
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    page.wait_for_function(fits)


def test_wide_table_takes_the_width_of_the_page(report, open_page):
    page = open_page(report, width=1280)
    widths = page.evaluate(
        "[...document.querySelectorAll('.scroll')].map(each => each.clientWidth)"
    )
    assert max(widths) == 1280 - 32


def test_page_opens_on_the_result(report, open_page):
    page = open_page(report, width=390, height=844)
    below = page.evaluate("document.querySelector('#result .result').getBoundingClientRect().top")
    assert below < 844 * 2 / 3


def test_link_opens_what_it_leads_into(report, open_page):
    page = open_page(report, "#a-long-table")
    page.locator("#a-long-table[open] p").wait_for()


def test_cells_sort_by_keyboard(report, open_page, cells):
    page = open_page(report)
    part = page.locator("#cells-table")
    assert part.locator("tbody tr").count() == 200
    head = part.locator("th", has_text="Tokens per J")
    head.get_by_role("button").focus()
    for direction, best in (
        ("ascending", cells["tokens_per_j"].min()),
        ("descending", cells["tokens_per_j"].max()),
    ):
        page.keyboard.press("Enter")
        part.locator(f"th[aria-sort={direction}]").wait_for()
        place = head.evaluate("each => each.cellIndex")
        first = part.locator("tbody tr").first.locator("td").nth(place)
        assert float(first.text_content()) == pytest.approx(best, rel=1e-3)
    said = part.get_by_role("status")
    assert said.text_content() == (
        "14700 cells, of which 200 are shown, sorted by Tokens per J, most first"
    )
    part.get_by_role("button", name="Show more").press("Enter")
    part.locator("tbody tr").nth(399).wait_for()


def test_cells_are_searched_and_what_is_hostile_stays_text(report, open_page):
    page = open_page(report)
    part = page.locator("#cells-table")
    part.get_by_role("searchbox").fill("onerror")
    part.get_by_text("1 cells with “onerror”").wait_for()
    assert part.locator("tbody tr").count() == 1
    assert part.locator("td", has_text="onerror").text_content() == HOSTILE
    assert page.locator("img[src=x]").count() == 0


def test_download_has_every_cell_as_it_was(report, open_page):
    page = open_page(report)
    with page.expect_download() as started:
        page.get_by_role("button", name="Download all as CSV").press("Enter")
    assert started.value.suggested_filename == "small.csv"
    assert started.value.path().read_bytes() == (report.parent / "cells.csv").read_bytes()
