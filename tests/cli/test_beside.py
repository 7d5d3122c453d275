"""`sweetspot compare`: two tables in, a summary and files out, or one line why not."""

import pytest

from sweetspot.cli import main

A = "model,I,O,J/token\nmine,64,64,0.02\nmine,64,128,0.01\n"
B = "model;input;output;mJ/token\nmine;64;64;30\nmine;64;256;9\n"


@pytest.fixture
def tables(tmp_path):
    (tmp_path / "a.csv").write_text(A)
    (tmp_path / "b.csv").write_text(B)
    return [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]


def test_two_tables_leave_ratios_a_table_and_a_figure(tables, tmp_path, capsys):
    out = tmp_path / "deep" / "beside"
    assert main(["compare", *tables, "--out", str(out)]) == 0
    assert "1 cell in both; ratios are B over A" in capsys.readouterr().out
    made = {path.name for path in out.iterdir()}
    assert made == {
        *("ratios.csv", "ratios.png", "ratios.pdf", "ratios.alt.txt"),
        *(f"by_model.{suffix}" for suffix in ("csv", "md", "html", "tex")),
    }
    assert (out / "ratios.csv").read_text().splitlines()[1].startswith("mine,1,1,64,64,0.02,0.03,")


def test_columns_are_named_for_each_table(tables, tmp_path, capsys):
    (tmp_path / "b.csv").write_text(B.replace("mJ/token", "x"))
    assert main(["compare", *tables, "--columns-b", "energy_per_token_j=x"]) == 0
    assert "mine  1.50e+03, 1 cell" in capsys.readouterr().out


def test_tables_without_a_common_cell_end_in_one_line(tables, capsys):
    assert main(["compare", *tables, "--columns-b", "requests=7"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("sweetspot: error: A and B have no cell in common: requests is 1 in A")
    assert err.count("\n") == 1


def test_tables_that_are_compared_are_not_written_over(tmp_path, capsys):
    ratios = tmp_path / "ratios.csv"
    ratios.write_text(A)
    assert main(["compare", str(ratios), str(ratios), "--out", str(tmp_path)]) == 2
    assert f"--out would write over {ratios}; name another" in capsys.readouterr().err
    assert ratios.read_text() == A
