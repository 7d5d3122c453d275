"""The page of a fit: the result first, alone in its file, nothing unescaped, same bytes again."""

import re

import numpy as np
import pytest

from sweetspot.analysis.fit import fit
from sweetspot.published import surface_cells
from sweetspot.report.exhibits import Picture
from sweetspot.report.fit_page import fit_html
from sweetspot.tables import table1

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (2100).to_bytes(4, "big") + bytes(8)
PICTURE = Picture("fit_errors", 'It shows "O*" & more', PNG)


def groups_of(models, lengths=(64, 512, 4096), **columns):
    cells = surface_cells(models, lengths, lengths)
    wanted = cells[["model", "input_tokens", "output_tokens", "energy_per_token_j"]]
    noise = np.random.default_rng(1).normal(1, 0.02, len(wanted))
    energies = wanted["energy_per_token_j"] * noise
    return fit(wanted.assign(energy_per_token_j=energies, **columns)).groups()


@pytest.fixture(scope="module")
def groups():
    return groups_of(["opt-1.3b"], model="<my & model>")


def page_of(groups, **changes):
    given = {"notes": ["energy is <J>"], "groups": groups, "tables": [("table1_forms", table1())]}
    return fit_html("Fit of a&b.csv", **given | {"pictures": [PICTURE]} | changes)


def test_page_opens_on_the_sweet_spots_with_intervals(groups):
    page = page_of(groups)
    sections = re.findall(r"<h2>(.*?)</h2>", page)
    assert sections == [
        *["Sweet spots", "What to doubt", "Fits", "Figures", "Tables"],
        *["How the measurements were read", "Made by"],
    ]
    spots = groups[0].sweet_spots
    for row in spots.itertuples():
        ends = f"{row.estimated_low:.0f} to {row.estimated_high:.0f}"
        assert f"<td>{row.estimated_output_tokens:.0f} ({ends})" in page
    assert page.index("most efficient with") < page.index("<table>")


def test_page_warns_of_what_the_screen_warns_of(groups):
    assert "no repeats: what is noise" in page_of(groups)
    assert "3 degrees of freedom" in page_of(groups)


def test_page_needs_no_other_file_and_escapes_what_it_is_given(groups):
    page = page_of(groups)
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert "@import" not in page
    assert "&lt;my &amp; model&gt;" in page
    assert "<my" not in page
    assert "What the fit misses</h3>" in page
    assert 'alt="It shows &quot;O*&quot; &amp; more"' in page
    assert '<img class="wide"' in page
    assert "width=device-width" in page
    assert "prefers-color-scheme: dark" in page


def test_errors_above_100_percent_are_plain_numbers(groups):
    assert (groups[0].forms["worst_cell_percent"] > 100).any()
    assert not re.search(r"e\+\d+ %", page_of(groups))


def test_page_is_the_same_twice(groups):
    assert page_of(groups) == page_of(groups)


def test_page_says_simulated_where_cells_are():
    origin = {"simulated": True, "engine": "simulator", "gpu": "h100-sxm"}
    simulated = page_of(groups_of(["opt-1.3b"], **origin))
    assert '<strong class="stamp">SIMULATED</strong>' in simulated
    assert "no GPU ran" in simulated
    assert "<td>no noise</td>" in simulated


def test_page_of_several_models_has_a_row_for_each():
    page = page_of(groups_of(["opt-1.3b", "qwen2-7b"]))
    head, *_ = re.findall(r"<table[^>]*>.*?</table>", page, re.DOTALL)
    assert re.findall(r"<tr><td[^>]*>(.*?)</td>", head) == ["OPT (1.3B)", "Qwen 2 (7B)"]
    assert "Coefficients of Qwen 2 (7B)" in page
    assert not re.search("opt-1.3b|qwen2-7b", page)
    assert '<th scope="col">O* at I = 64</th>' in head


def test_page_of_cells_that_carry_no_sweet_spot_says_so():
    page = page_of(groups_of(["opt-1.3b"], lengths=(64, 512)), pictures=[], tables=[])
    assert "no group has cells that carry it" in page
    assert "<h2>Figures</h2>" not in page
