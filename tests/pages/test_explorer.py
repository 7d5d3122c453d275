"""The explorer in a real browser: it opens from disk, and what is chosen is what is drawn."""

import csv
from importlib.resources import files
from math import sqrt

import pytest

from sweetspot.explorer.page import page_html, write_page
from sweetspot.simulator.constants.intervals import Interval, of_ratio

pytestmark = pytest.mark.slow(reason="Chromium")

INPUTS, OUTPUTS = [128, 512, 2048], [64, 256, 1024]


def grid(model, gpu, load, max_batch_size, times=1.0):
    energies = [[times * round(i / o / 50 + sqrt(o) / 500, 4) for o in OUTPUTS] for i in INPUTS]
    return {
        "model": model,
        "gpu": gpu,
        "engine": "vllm",
        "weights": "model",
        "tensor_parallel": 1,
        "max_batch_size": max_batch_size,
        "load": load,
        "simulated": True,
        "source": "constants of a test",
        "energy_factor": 1.1,
        "energy_per_token_j": energies,
        "mean_power_w": [[500.0 for _ in OUTPUTS] for _ in INPUTS],
        "throughput_tokens_per_s": [[500 / e for e in row] for row in energies],
        "ttft_p95_s": [[0.1 for _ in OUTPUTS] for _ in INPUTS] if "rate" in load else None,
        "tpot_p95_s": [[0.02 for _ in OUTPUTS] for _ in INPUTS] if "rate" in load else None,
        "sweet_spots": [
            {
                "output_tokens": 300,
                "low": 200,
                "high": 420,
                "eq6_tokens": 310,
                "energy_per_token_j": times * 0.07,
                "at_bound": False,
            }
            for _ in INPUTS
        ],
    }


HOSTILE = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def data():
    cell = {
        "model": "small",
        "gpu": "h100-sxm",
        "engine": "vllm",
        "input_tokens": 512,
        "output_tokens": 256,
        "requests": 1000,
        "max_batch_size": 256,
        "energy_per_token_j": 0.05,
        "mean_power_w": 450.0,
        "throughput_tokens_per_s": 9000.0,
        "source": "a run",
        "repeats": 3,
        "spread": 0.01,
    }
    return {
        "format": 1,
        "made_by": "sweetspot of a test",
        "title": f"Small and {HOSTILE}",
        "notes": ["Grids are simulated: no GPU ran."],
        "engines": {"vllm": "vLLM"},
        "models": [
            {"id": "small", "name": "Small", "colour": "#0173B2", "context": 8192},
            {"id": HOSTILE, "name": HOSTILE, "colour": "#0173B2", "context": None},
        ],
        "gpus": [
            {
                "id": "h100-sxm",
                "name": "NVIDIA H100 SXM",
                "active_power_w": 126.0,
                "power_limit_w": 700.0,
            },
            {"id": "l40s", "name": "NVIDIA L40S", "active_power_w": None, "power_limit_w": 350.0},
        ],
        "input_tokens": INPUTS,
        "output_tokens": OUTPUTS,
        "grids": [
            grid("small", "h100-sxm", {"requests": 1000}, 256),
            grid("small", "h100-sxm", {"requests": 1000}, 32, 2.0),
            grid("small", "h100-sxm", {"rate": 4}, 256, 3.0),
            grid("small", "l40s", {"requests": 1000}, 256, 1.5),
            grid(HOSTILE, "h100-sxm", {"requests": 1000}, 256, 4.0),
        ],
        "cells": [
            cell | {"simulated": False},
            cell | {"simulated": True, "output_tokens": 1024, "energy_per_token_j": 0.09},
        ],
        "surfaces": [
            {
                "model": "small",
                "gpu": "h100-sxm",
                "source": "paper, Table 5",
                "form": "Eq. 5",
                "formula": "a formula",
                "coefficients": [0.02, 1e-8, 1e-6, 0.01, 1e-6, 0.5],
                "requests": 1000,
                "max_batch_size": 1024,
                "input_tokens": [64, 4096],
                "output_tokens": [64, 4096],
            },
        ],
    }


@pytest.fixture(scope="module")
def explorer(data, tmp_path_factory):
    """The page as it is."""
    path = tmp_path_factory.mktemp("explorer") / "explorer.html"
    write_page(data, path)
    return path


@pytest.fixture(scope="module")
def quick(data, tmp_path_factory):
    """The page with a plotly that only keeps what it shall draw: the real one takes a second."""
    path = tmp_path_factory.mktemp("quick") / "explorer.html"
    plotly = (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
    keeps = "var Plotly = {react: (id, data) => { document.getElementById(id).data = data; }};"
    path.write_text(page_html(data).replace(plotly, keeps), encoding="utf-8")
    return path


def drawn(page):
    """Return what plotly holds: the values of each trace that has a name, sweet spots aside."""
    return page.evaluate(
        "Object.fromEntries(document.getElementById('figure').data"
        ".filter(({name}) => name && name !== 'sweet spot').map(({name, y}) => [name, [...y]]))"
    )


def test_each_view_is_drawn_from_disk_and_accessible_in_every_look(
    explorer, open_page, serious_faults
):
    page = open_page(explorer)
    looks = [
        ("Curve", "light", 1280, ".scatterlayer path"),
        ("Map", "dark", 390, ".heatmaplayer image"),
        ("Power", "light", 390, ".scatterlayer path"),
        ("Latency", "light", 1280, ".scatterlayer path"),
        ("Cost", "dark", 1280, ".barlayer path"),
    ]
    for view, scheme, width, drawing in looks:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        page.get_by_role("link", name=view).click()
        page.locator("nav [aria-current]", has_text=view).wait_for()
        page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        page.locator(f"#figure {drawing}").first.wait_for(state="attached")
        assert page.locator("#figure").get_by_text("SIMULATED").count(), view
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view
        if view in {"Curve", "Map", "Cost"}:  # light, dark and narrow; each takes a second
            assert serious_faults(page) == []


def test_choice_of_input_length_batch_and_model_changes_what_is_drawn(data, quick, open_page):
    page = open_page(quick, "#model=small&batch=256&input=512")
    assert drawn(page)["Small"] == pytest.approx(data["grids"][0]["energy_per_token_j"][1])
    page.get_by_label("Input tokens per request").press("End")
    assert drawn(page)["Small"] == pytest.approx(data["grids"][0]["energy_per_token_j"][2])
    page.get_by_label(HOSTILE).check()
    other = drawn(page)["&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;"]
    assert other == pytest.approx(data["grids"][4]["energy_per_token_j"][2])
    page.get_by_label("Largest batch").select_option("32")
    assert drawn(page)["Small"] == pytest.approx(data["grids"][1]["energy_per_token_j"][2])
    assert f"Nothing is known here of {HOSTILE}" in page.locator("#sentence").text_content()


def test_cells_and_published_surface_stand_beside_the_grid(quick, open_page):
    shown = drawn(open_page(quick, "#model=small&input=512"))
    assert shown["measured"] == [0.05]
    assert shown["simulated cell"] == [0.09]
    first = 0.02 + 1e-8 * 512**2 / 64 + 1e-6 * 512 + (0.01 * 512 + 0.5) / 64 + 1e-6 * 64
    assert shown["paper, Table 5, Eq. 5"][0] == pytest.approx(first, rel=1e-3)
    shown = drawn(open_page(quick, "#model=small&input=512&grid=false&paper=false"))
    assert shown == {"measured": [0.05], "simulated cell": [0.09]}


def test_address_restores_a_view_and_back_returns_to_the_one_before(quick, open_page):
    page = open_page(quick)
    page.get_by_role("link", name="Cost").click()
    page.get_by_label("Requests a day", exact=True).fill("1000")
    page.get_by_label("Requests a day", exact=True).press("Enter")
    page.get_by_label("Price per kWh", exact=True).fill("0.3")
    page.get_by_label("Price per kWh", exact=True).press("Tab")
    address, said = page.evaluate("location.hash"), page.locator("#sentence").text_content()
    other = open_page(quick, address)
    assert other.locator("#sentence").text_content() == said
    assert other.evaluate("location.hash") == address
    page.go_back()
    page.wait_for_function("state.price === null")
    assert "price" not in page.evaluate("location.hash")
    assert page.get_by_label("Price per kWh", exact=True).input_value() == ""


def test_address_that_says_what_is_not_there_gives_way(quick, open_page):
    page = open_page(
        quick, "#view=film&model=small&batch=9999&load=n7&gpu=none&split=constructor&input=-1"
    )
    assert page.locator("h2").text_content() == "Energy against output length"
    assert drawn(page)["Small"]


def test_cost_is_of_the_users_numbers_alone(data, quick, open_page):
    page = open_page(quick, "#view=cost&model=small&input=512&output=256")
    joules = data["grids"][0]["energy_per_token_j"][1][1] * 256
    assert "kWh" not in page.locator("#sentence").text_content()
    page = open_page(
        quick,
        "#view=cost&model=small&input=512&output=256&requests=1000000&price=0.5&pue=1.5&co2=200",
    )
    (row,) = page.evaluate("entries.map(({row}) => row)")
    assert row["energy_per_request_j"] == pytest.approx(joules)
    kwh = joules * 1e6 / 3.6e6 * 1.5
    assert row["kwh_per_day"] == pytest.approx(kwh)
    assert row["cost_high_per_day"] == pytest.approx(kwh * 0.5 * 1.1)
    assert row["kgco2e_low_per_day"] == pytest.approx(kwh * 0.2 / 1.1)
    page.get_by_label("Boards stay on").check()
    (row,) = page.evaluate("entries.map(({row}) => row)")
    speed = data["grids"][0]["throughput_tokens_per_s"][1][1]
    busy = 1e6 * 256 / speed / 86400
    assert row["kwh_idle_per_day"] == pytest.approx((1 - busy % 1) * 0.126 * 24 * 1.5)


@pytest.mark.parametrize(("times", "apart"), [(1.12, False), (1.18, True)])
def test_energies_are_told_apart_by_the_rule_of_choose(data, open_page, tmp_path, times, apart):
    """Both pairs of intervals overlap; the factor of a ratio is that of independent errors."""
    known = Interval(1.1, 0.9, 13, 600, "a test")
    assert (times > of_ratio(known, known).factor) is apart
    load = {"requests": 1000}
    grids = [grid("small", "h100-sxm", load, 256), grid("small", "l40s", load, 256, times)]
    write_page(data | {"grids": grids, "cells": [], "surfaces": []}, tmp_path / "page.html")
    page = open_page(tmp_path / "page.html", "#view=cost&model=small&split=gpu&load=n1000")
    said = page.locator("#sentence").text_content()
    assert ("takes least, by more than both may be off: " in said) is apart
    assert ("In energy “Small, L40S” cannot be told apart from it" in said) is not apart
    page.get_by_role("link", name="Latency").click()
    page.locator("nav [aria-current]", has_text="Latency").wait_for()
    said = page.locator("#sentence").text_content()
    assert ("cannot be told apart" in said) is not apart


def test_cost_of_one_is_compared_with_nothing(data, open_page, tmp_path):
    grids = [grid("small", "h100-sxm", {"requests": 1000}, 256)]
    write_page(data | {"grids": grids, "cells": [], "surfaces": []}, tmp_path / "page.html")
    page = open_page(tmp_path / "page.html", "#view=cost&model=small")
    said = page.locator("#sentence").text_content()
    assert said.startswith("Small takes ")
    assert "least" not in said


def test_single_input_length_fills_its_map_and_few_bars_their_picture(data, open_page, tmp_path):
    one = grid("small", "h100-sxm", {"requests": 1000}, 256) | {"input_tokens": [512]}
    for name in ("energy_per_token_j", "mean_power_w", "throughput_tokens_per_s", "sweet_spots"):
        one[name] = one[name][1:2]
    alone = data | {"grids": [one], "cells": [], "surfaces": [], "input_tokens": [512]}
    write_page(alone, tmp_path / "page.html")
    page = open_page(tmp_path / "page.html", "#view=map&model=small")
    page.locator("#figure .heatmaplayer image").wait_for()
    tiles = "document.querySelector('#figure .heatmaplayer image').getBoundingClientRect().height"
    assert page.evaluate(tiles) >= 100
    page.get_by_role("link", name="Cost").click()
    page.locator("#figure .barlayer path").first.wait_for(state="attached")
    size = page.evaluate("document.getElementById('figure').clientHeight")
    assert size < 200
    word = page.locator("#figure .annotation-text", has_text="SIMULATED").first.bounding_box()
    whole = page.locator("#figure").bounding_box()
    assert word["y"] >= whole["y"]
    assert word["y"] + word["height"] <= whole["y"] + whole["height"]


@pytest.mark.parametrize(("low", "high"), [(21.0, 29.0), (98.0, 104.0), (0.0311, 0.0319), (3, 40)])
def test_axis_has_several_ticks_within_any_range(quick, open_page, low, high):
    ticks = open_page(quick).evaluate(f"ticksBetween({low}, {high})")
    assert 3 <= len(ticks) <= 10
    assert ticks == sorted(set(ticks))
    assert all(low * 0.999 <= tick <= high * 1.001 for tick in ticks)


def test_front_is_what_nothing_beats_in_energy_and_latency(quick, open_page):
    page = open_page(quick, "#view=pareto&model=small&load=n1000&input=512&output=256")
    entries = page.evaluate("entries.map(({row}) => [row.latency_s, row.energy_per_token_j])")
    assert len(entries) == 3
    best = [
        one
        for one in entries
        if not any(x <= one[0] and y <= one[1] for x, y in entries if [x, y] != one)
    ]
    front = page.evaluate(
        "frontOf(entries).map(({row}) => [row.latency_s, row.energy_per_token_j])"
    )
    assert sorted(front) == sorted(best)
    assert 1 < len(front) < 3


def test_download_has_the_rows_that_are_drawn_and_where_they_come_from(quick, open_page, tmp_path):
    page = open_page(quick, "#model=small&input=512", accept_downloads=True)
    with page.expect_download() as download:
        page.get_by_text("Download CSV").click()
    download.value.save_as(tmp_path / "view.csv")
    rows = list(csv.DictReader((tmp_path / "view.csv").read_text(encoding="utf-8").splitlines()))
    energies = [float(row["energy_per_token_j"]) for row in rows if row["what"] == "grid"]
    assert energies == drawn(page)["Small"]
    kinds = {(row["what"], row["evidence"], row["source"]) for row in rows}
    assert kinds == {
        ("grid", "simulated", "constants of a test"),
        ("sweet spot", "simulated", "constants of a test"),
        ("cell", "measured", "a run"),
        ("cell", "simulated", "a run"),
        ("surface", "published", "paper, Table 5, Eq. 5"),
    }


def test_keyboard_alone_changes_view_and_control(quick, open_page):
    page = open_page(quick, "#model=small")

    def tab_to(name):
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id || document.activeElement.text") == name:
                return
        pytest.fail(f"{name} is not reached")

    tab_to("Map")
    page.keyboard.press("Enter")
    page.wait_for_function("state.view === 'map'")
    tab_to("batch")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("state.batch") == "32"


def test_hostile_names_stay_text(quick, open_page):
    page = open_page(quick)
    assert page.get_by_role("heading", level=1).text_content() == f"Small and {HOSTILE}"
    assert page.locator("img").count() == 0
