"""Tables: the paper's content from this run's cells, well-formed in every format."""

import csv
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sweetspot import published
from sweetspot.analysis.comparison import compare
from sweetspot.analysis.fit_files import fit_file
from sweetspot.analysis.fits import fit_forms
from sweetspot.analysis.sweet_spots import extremes, sweet_spots
from sweetspot.catalog import catalog_entry, model_ids
from sweetspot.errors import InputError
from sweetspot.tables import (
    Column,
    Table,
    comparison_table,
    make_table,
    table1,
    table2,
    table3,
    table4,
    table5,
    table_models,
    write_table,
)
from sweetspot.tables.latex import escape
from sweetspot.tables.table import latex, markdown

ARCHITECTURES = [catalog_entry(model).architecture for model in model_ids()]
MODELS = table_models(ARCHITECTURES)
STARS = ["***", "**", "*", "n.s."]
NAMES = ["table1", "table2", "table3", "table4", "table5", "comparison"]


@pytest.fixture(scope="module")
def cells():
    surfaces = published.surface_cells()
    factor = 1 + 0.02 * np.random.default_rng(5).standard_normal(len(surfaces))
    return surfaces.assign(
        energy_per_token_j=surfaces["energy_per_token_j"] * factor,
        simulated=True,
        engine="simulator",
        energy_source="simulation",
        noise=0.02,
    )


@pytest.fixture(scope="module")
def fits(cells):
    return fit_forms(cells)


@pytest.fixture(scope="module")
def tables(cells, fits):
    comparison = compare(cells, fits, seen=["published-table5"])
    return {
        "table1": table1(),
        "table2": table2(MODELS),
        "table3": table3(fits),
        "table4": table4(fits),
        "table5": table5(fits, sweet_spots(fits), extremes(cells)),
        "comparison": comparison_table(comparison),
    }


@pytest.mark.parametrize("name", NAMES)
def test_csv_keeps_every_value_in_full(tables, name, tmp_path):
    write_table(tables[name], tmp_path / "deep" / name)
    back = pd.read_csv(tmp_path / "deep" / f"{name}.csv")
    frame = tables[name].frame
    assert list(back.columns) == list(frame.columns)
    for column in frame.select_dtypes("number"):
        assert back[column].to_numpy() == pytest.approx(
            frame[column].to_numpy(), rel=1e-12, nan_ok=True
        )


@pytest.mark.parametrize("name", NAMES)
def test_markdown_rows_have_as_many_cells_as_the_header(tables, name):
    text = markdown(tables[name])
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == len(tables[name].frame) + 2
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {len(tables[name].columns) + 1}
    assert text.startswith(f"# {tables[name].title}\n")
    assert "nan" not in text


@pytest.mark.parametrize("name", NAMES)
def test_latex_is_balanced_and_escaped(tables, name):
    table = tables[name]
    text = latex(table)
    for environment in re.findall(r"\\begin\{(\w+)\}", text):
        assert text.count(f"\\begin{{{environment}}}") == text.count(f"\\end{{{environment}}}")
    assert len(re.findall(r"(?<!\\)\{", text)) == len(re.findall(r"(?<!\\)\}", text))
    assert table.label in text
    assert r"\toprule" in text
    plain = re.sub(r"\\label\{[^}]*\}|%\n|\\begin\{\w+\}\{[lr]+\}|\$[^$]*\$", "", text)
    assert not re.search(r"(?<!\\)[%#_$^~]", plain)
    assert text.isascii()
    body = text[text.index(r"\midrule") :]
    assert len(re.findall(r"\\\\\n", body)) >= len(table.frame)


def test_long_latex_table_without_rows_still_spans_its_columns(tables):
    text = latex(replace(tables["comparison"], frame=tables["comparison"].frame[:0]))
    assert rf"\multicolumn{{{len(tables['comparison'].columns)}}}{{r}}{{Continued" in text


@pytest.mark.parametrize("name", NAMES[2:])
def test_simulated_is_said_in_the_caption(tables, name):
    assert "imulated" in tables[name].caption


@pytest.mark.parametrize("name", ["table3", "table4", "table5"])
def test_caption_counts_the_cells_and_names_the_load(tables, name):
    assert "637 over 13 LLMs, N = 1000, max_batch_size 1024" in tables[name].caption


def test_measured_cells_are_not_called_simulated(cells):
    fits = fit_forms(cells.assign(simulated=False, engine="tensorrt-llm"))
    assert "imulated" not in table3(fits).caption


def test_special_characters_are_escaped():
    assert escape(r"a_b & 5 % of #1 {x} \y ~ ^ <2>") == (
        r"a\_b \& 5 \% of \#1 \{x\} \textbackslash{}y \textasciitilde{} \textasciicircum{} "
        r"\textless{}2\textgreater{}"
    )
    table = Table(
        frame=pd.DataFrame({"model": ["a|b_c*"]}),
        columns=(Column("Model", lambda row: row.model),),
        title="T",
        caption="50 % _",
        notes=("a_b",),
        label="tab:t",
    )
    assert r"a\|b_c\*" in markdown(table)
    assert r"a\textbar{}b\_c*" in latex(table)
    assert r"\caption{50 \% \_}" in latex(table)


def test_table2_shows_both_numbers_where_the_paper_differs(tables):
    notes = " ".join(tables["table2"].notes)
    assert "Granite (3B): hidden size 2560, in the paper 2048" in notes
    row = tables["table2"].frame.set_index("model").loc["granite-3b"]
    assert (row["hidden_size"], row["paper_hidden_size"]) == (2560, 2048)
    agreeing = tables["table2"].frame.query("differences == ''")
    assert (agreeing["hidden_size"] == agreeing["paper_hidden_size"]).all()
    assert (agreeing["attention"] == agreeing["paper_attention"]).all()


def test_models_outside_the_paper_come_last_without_its_numbers():
    own = replace(ARCHITECTURES[0], id="my_model")
    models = table_models([own, *ARCHITECTURES[:2]])
    assert [model.id for model in models] == ["llama-3.2-1b", "opt-1.3b", "my_model"]
    line = markdown(table2(models)).splitlines()[-1]
    assert re.split(r"\s*\|\s*", line)[-5:] == ["–", "–", "–", "–", ""]
    assert r"my\_model" in latex(table2(models))


def test_table3_ends_with_average_and_population_deviation(tables, fits):
    last = tables["table3"].frame.tail(2).set_index("name")
    mape = fits.quality.query("form == 'baseline4'")["mape_percent"]
    assert last.at["Average", "baseline4"] == pytest.approx(np.mean(mape))
    assert last.at["Standard deviation", "baseline4"] == pytest.approx(np.std(mape))


def test_caption_says_how_sure_simulated_energies_are(cells):
    energies = cells["energy_per_token_j"]
    sure = cells.assign(
        energy_per_token_low_j=energies / 1.2,
        energy_per_token_high_j=energies * 1.2,
        interval_level=0.75,
        interval_models=3,
    )
    words = "energy within a factor of 1.20 (75 %, 3 models)"
    fits = fit_forms(sure)
    assert words in table3(fits).caption
    assert words in comparison_table(compare(sure, fits)).caption


def test_table3_says_what_was_left_out_or_not_fitted(cells):
    few = (cells["model"] == "opt-1.3b") & (cells["input_tokens"] > 64)
    broken = cells.assign(status=np.where(few, "failed", "ok"))
    table = table3(fit_forms(broken))
    assert "42 failed or invalid rows are left out." in table.notes
    assert any(
        note.startswith("OPT (1.3B), Memory and FLOPs: not fitted, needs") for note in table.notes
    )
    row = markdown(table).splitlines()[7]
    assert row.startswith("| OPT (1.3B)")
    assert row.endswith("– |")


def test_table4_counts_every_model_once(tables, cells):
    frame = tables["table4"].frame
    levels = frame[["three_stars", "two_stars", "one_star", "not_significant"]]
    assert (levels.sum(axis="columns") == 13).all()
    other = cells[cells["model"] == "falcon-rw-7b"].assign(requests=10)
    again = table4(fit_forms(pd.concat([cells, other]))).frame
    pd.testing.assert_frame_equal(again, frame)


def test_table4_of_exact_fits_has_nothing_to_test():
    surfaces = published.surface_cells()
    table = table4(fit_forms(surfaces))
    assert set(table.frame["undefined"]) == {13}
    assert "undefined" in markdown(table)


def test_table5_prints_whole_tokens_at_the_observed_input(tables, tmp_path):
    table = tables["table5"]
    write_table(table, tmp_path / "table5")
    with (tmp_path / "table5.csv").open() as file:
        first = next(csv.DictReader(file))
    assert first["model"] == "llama-3.2-1b"
    line = next(line for line in markdown(table).splitlines() if "Llama 3.2 (1B)" in line)
    estimate = round(float(first["estimated_output_tokens"]))
    assert f"| {first['input_tokens']}/{estimate} |" in re.sub(" +", " ", line)


def test_comparison_is_short_and_says_what_is_not_evidence(tables):
    table = tables["comparison"]
    assert len(table.frame) < 80
    assert "Not independent: the simulator's constants were fitted to Table 5" in " ".join(
        table.notes
    )
    assert (table.frame["quantity"] == "alpha5").sum() == 1
    texts = table.texts.set_index("Quantity")
    spots = texts.loc["observed sweet spot, output tokens", "Relative difference (%)"]
    assert re.fullmatch(r"\d+ of 13 equal", spots)
    claim = texts.loc["models worst at the longest input and shortest output"]
    assert list(claim[["Published", "Ours", "Relative difference (%)"]]) == ["= 13", "13", "holds"]
    assert "13 models" in set(table.frame["model"])


@pytest.mark.parametrize("name", ["null", "7"])
def test_table_from_files_has_a_model_whatever_it_is_called(cells, tmp_path, name):
    one = cells[cells["model"] == "opt-1.3b"].assign(model=name)
    one.to_csv(tmp_path / "cells.csv", index=False)
    fit_file(tmp_path / "cells.csv", tmp_path)
    for table in ("table3_mape", "table5_coefficients"):
        assert set(make_table(table, fits=tmp_path).frame["name"]) == {name}


@pytest.mark.parametrize("content", ["", "x\n1\n"])
def test_broken_comparison_is_refused_by_name(tmp_path, content):
    (tmp_path / "comparison.csv").write_text(content)
    with pytest.raises(InputError, match=r"comparison\.csv.*delete it"):
        make_table("comparison", comparison=tmp_path / "comparison.csv")


def test_table1_has_the_forms_in_the_paper_s_order(tables):
    rows = [line for line in markdown(tables["table1"]).splitlines() if line.startswith("| ")][1:]
    assert [row.split(" | ")[0].strip("| ") for row in rows[-2:]] == ["FLOPs", "Memory and FLOPs"]
    assert "b0·I/O + b1 + b2·I" in rows[3]
    assert r"$\alpha_1$·I\textsuperscript{2}/O".replace("·", r"$\cdot$") in latex(tables["table1"])


def test_tables_of_one_model_speak_of_that_model(cells, tmp_path):
    cells.to_csv(tmp_path / "cells.csv", index=False)
    fit_file(tmp_path / "cells.csv", tmp_path)
    for name in ("table3_mape", "table4_significance", "table5_coefficients"):
        table = make_table(name, models=["opt-2.7b"], fits=tmp_path)
        assert "49 of OPT (2.7B), N = 1000" in table.caption
        assert "LLM" not in table.caption
    table = make_table("table3_mape", models=["opt-2.7b"], fits=tmp_path)
    assert list(table.frame["name"]) == ["OPT (2.7B)"]  # no average over one
    with pytest.raises(InputError, match=r"unknown model of the fits 'opt-2\.8b'; did you mean"):
        make_table("table3_mape", models=["opt-2.8b"], fits=tmp_path)


def test_tables_of_eq5_where_it_was_not_fitted_say_why_instead_of_rows(fits, tmp_path):
    quality = fits.quality.assign(
        status=np.where(fits.quality["form"] == "memory_flops", "not fitted", "ok"),
        reason="needs at least 7 cells",
    )
    lacking = replace(fits, quality=quality)
    assert table3(lacking).frame["flops"].notna().all()
    for table in (table4(lacking), table5(lacking, pd.DataFrame(), pd.DataFrame())):
        assert table.notes == ("Eq. 5 needs at least 7 cells; see Table 3 for other forms.",)
        write_table(table, tmp_path / "empty")
        assert table.notes[0] in (tmp_path / "empty.md").read_text()


def test_tables_3_to_5_say_how_sure_beside_the_paper_s_own(tables, fits):
    last = tables["table3"].texts.iloc[0]
    quality = fits.quality.set_index(["model", "form"]).loc[("llama-3.2-1b", "memory_flops")]
    title = "Memory and FLOPs, each output length held out"
    assert last[title] == f"{quality['leave_one_output_out_percent']:.2f}"
    table4 = tables["table4"].texts.set_index("Parameter")
    assert list(table4.columns) == [*STARS, *(f"HC3: {mark}" for mark in STARS)]
    shares = table4.loc["alpha5", [f"HC3: {mark}" for mark in STARS]]
    assert sum(int(share.split("/")[0]) for share in shares) == 13
    row = tables["table5"].texts.iloc[0]
    found = fits.coefficients.set_index(["model", "form", "term"]).loc[
        ("llama-3.2-1b", "memory_flops", "alpha3")
    ]
    half = 50 * (found["high"] - found["low"]) / found["value"]
    assert row["alpha3, 95 %; HC3"] == f"±{half:.2g} % {found['hc3_stars']}"
    low, high = (float(end) for end in row["Estimated O, 95 %"].split(" to "))
    assert low < float(row["Estimated I/O"].split("/")[1]) < high


def test_simulated_cells_without_noise_are_said_so_and_have_no_stars(cells, tables):
    plain = cells.assign(noise=np.nan)
    fits = fit_forms(plain)
    spots = sweet_spots(fits), extremes(plain)
    for table in (table3(fits), table4(fits), table5(fits, *spots)):
        assert "Simulated cells without noise: 637" in table.caption
        assert "*" not in " ".join(table.texts.to_numpy().flatten())
    assert set(table4(fits).texts["no noise"]) == {"13/13 (100%)"}
    assert "there are no stars" in " ".join(table4(fits).notes)
    assert "Simulated cells with 2 % noise: 637" in tables["table4"].caption


def test_caption_says_how_errors_count_and_what_was_averaged(cells):
    mine = cells[cells["model"] == "opt-1.3b"]
    again = mine.assign(repeat=1, energy_per_token_j=mine["energy_per_token_j"] * 1.01)
    fits = fit_forms(pd.concat([mine, again]), weights="relative")
    caption = table3(fits).caption
    assert "49 (means of 98 rows) of OPT (1.3B)" in caption
    assert "errors of a fit count as a share of each cell's energy" in caption
