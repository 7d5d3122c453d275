"""`sweetspot fit`, and `table` and `figure` of its files: what they print, leave and refuse."""

import json

import pytest

from sweetspot.cli import main

LENGTHS = [(i, o) for i in (64, 256, 1024, 4096) for o in (64, 128, 256, 512, 1024)]


def energy(i, o):
    """Return J per token of Eq. 5, and a little of what no form has."""
    wiggle = 1 + 0.01 * ((i * 7 + o * 3) % 5 - 2)
    return (0.02 + 2e-8 * i * i / o + 1e-5 * i + 1.5e-4 * i / o + 6e-6 * o + 0.6 / o) * wiggle


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """A file as a spreadsheet writes it, of a model that the catalog does not know."""
    monkeypatch.chdir(tmp_path)
    lines = [f"mine; {i}; {o}; {1000 * energy(i, o):.4f}".replace(".", ",") for i, o in LENGTHS]
    text = "\n".join(["LLM; Prompt tokens; Output Length; mJ/token", *lines, ""])
    (tmp_path / "my.csv").write_text(text, encoding="utf-16")
    return tmp_path


def refused(capsys, *arguments):
    capsys.readouterr()
    assert main(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


def test_fit_prints_what_it_took_and_what_it_found(stranger, capsys):
    assert main(["fit", "my.csv"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "energy_per_token_j is 'mJ/token' × 0.001" in out
    assert "20 cells over 4 input and 5 output lengths, no repeats; relative weights" in out
    assert "Memory and FLOPs (Eq. 5): e = alpha0 + " in out
    assert "Sweet spots" in out
    assert not [path for path in stranger.iterdir() if path.name != "my.csv"]


def test_fit_prints_json_of_one_model_with_equal_weights(stranger, capsys):
    assert main(["fit", "my.csv", "--json", "--model", "mine", "--weights", "equal"]) == 0
    (group,) = json.loads(capsys.readouterr().out)["groups"]
    assert group["best_form"] == "memory_flops"
    assert {row["weights"] for row in group["forms"]} == {"equal"}
    assert "unknown model of these measurements 'other'" in refused(
        capsys, "fit", "my.csv", "--model", "other"
    )


@pytest.mark.slow(reason="draws all figures of a fit")
def test_fit_leaves_a_folder(stranger, capsys):
    assert main(["fit", "my.csv", "--out", "out"]) == 0
    assert capsys.readouterr().err.splitlines()[-1] == "written to out"
    made = {str(path.relative_to(stranger / "out")) for path in stranger.glob("out/**/*.*")}
    assert made >= {
        *("cells.csv", "fits/quality.csv", "fits/coefficients.csv", "fits/sweet_spots.csv"),
        *("tables/table3_mape.md", "tables/table4_significance.tex"),
        *("tables/table5_coefficients.html", "figures/figure2_output_length.png"),
        *("figures/figure3_heatmap.pdf", "figures/figure2_output_length.alt.txt"),
    }
    table = (stranger / "out/tables/table3_mape.md").read_text(encoding="utf-8")
    assert "Cells: 20 of mine" in table
    assert table.count("'mJ/token'") == 1
    page = (stranger / "out/report.html").read_text(encoding="utf-8")
    assert page.count("&#x27;mJ/token&#x27;") == 1  # not below each table again


def test_two_boards_have_figures_of_their_own_and_what_they_lack_is_said(stranger, capsys):
    rows = [f"m,{board},64,{o},0.05" for board in ("A1", "B 2") for o in (64, 128, 256)]
    (stranger / "my.csv").write_text("\n".join(["model,gpu,I,O,J/token", *rows]))
    of_others, earlier = stranger / "out/figures/mine.png", stranger / "out/figures/fit_curves.png"
    earlier.parent.mkdir(parents=True)
    earlier.touch()
    of_others.touch()
    assert main(["fit", "my.csv", "--out", "out"]) == 0
    drawn = {str(path.relative_to(stranger / "out")) for path in stranger.glob("out/**/*.png")}
    # of energies that are all the same, a fit has nothing to show
    assert drawn - {"figures/mine.png"} == {
        f"figures/measured-{b}/figure2_output_length.png" for b in ("A1", "B-2")
    }
    assert of_others.exists()
    out = capsys.readouterr().out
    assert "m (A1)\n" in out
    assert "no sweet spot, as that takes Eq. 5, and it needs at least 7 cells" in out
    (table5, *_) = sorted(stranger.glob("out/**/table5_coefficients.md"))
    assert "Eq. 5 needs at least 7 cells" in table5.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["table3_mape", "table4_significance", "table5_coefficients"])
def test_table_takes_what_fit_takes(stranger, capsys, name):
    assert main(["table", name, "my.csv", "--models", "mine", "--out", "table"]) == 0
    text = (stranger / "table.md").read_text(encoding="utf-8")
    assert "13" not in text.split("\n\n")[1]
    assert "assumed, as no column says so" in capsys.readouterr().err
    assert "unknown model of the fits 'opt-1.3b'" in refused_table(capsys, name)


def refused_table(capsys, name):
    assert main(["table", name, "my.csv", "--models", "opt-1.3b", "--out", "other"]) == 2
    return capsys.readouterr().err


def test_figure_takes_what_fit_takes(stranger, capsys):
    assert main(["figure", "figure3_heatmap", "my.csv", "--out", "figure.png"]) == 0
    assert (stranger / "figure.png").stat().st_size > 10_000
    said = capsys.readouterr()
    assert said.out == "written: figure.png, .pdf and .alt.txt\n"
    assert "energy_per_token_j is 'mJ/token'" in said.err


@pytest.mark.parametrize("command", [["fit"], ["figure", "figure2_output_length", "--out", "f"]])
def test_columns_are_said_on_the_command_line(stranger, capsys, command):
    rows = [f"mine,{i},{o},{1000 * energy(i, o)}" for i, o in LENGTHS]
    (stranger / "my.csv").write_text("\n".join(["a,b,c,d", *rows]))
    said = ["model=a", "input_tokens=b", "output_tokens=c", "energy_per_token_mj=d", "requests=8"]
    name, *options = command
    assert main([name, *options[:1], "my.csv", *options[1:], "--columns", *said]) == 0
    out, err = capsys.readouterr()
    assert "requests is 8 in all rows, as given" in out + err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "nowhere.csv"], "cannot read cells nowhere.csv: No such file or directory"),
        (["fit", "my.csv", "--columns", "model="], "--columns takes NAME=COLUMN, not 'model='"),
        (["fit", "my.csv", "--columns", "model=x"], "has no column 'x'; found: LLM, Prompt tokens"),
        (["fit", "my.csv", "--columns", "N=1", "N=2"], "--columns names N twice: '1' and '2'"),
        (["fit", "."], ". is a folder without records.jsonl or cells.csv; name the file"),
        (["fit", "my.csv", "--out", "my.csv"], "my.csv"),
        (["fit", "my.csv", "--out", "."], "--out . is where my.csv lies; name another"),
        (["table", "table3_mape", "my.csv", "--out", "my"], "--out would write over my.csv"),
        (["table", "table2_models", "my.csv", "--out", "t"], "unknown table of measurements"),
        *(
            ([*command, "--max-num-tokens", "0"], "max_num_tokens must be a number from 1 up, not")
            for command in (
                ["fit", "my.csv"],
                ["table", "table3_mape", "my.csv", "--out", "t"],
                ["figure", "figure2_output_length", "my.csv", "--out", "f"],
                ["analyse", "my.csv", "--out", "fits"],
            )
        ),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(stranger, capsys, arguments, message):
    assert message in refused(capsys, *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["fit", "--columns", "model=LLM", "requests=8", "my.csv"],
        ["table", "table3_mape", "--columns", "requests=8", "--out", "t", "my.csv"],
        ["table", "table3_mape", "--out", "t", "my.csv"],
        ["figure", "--out", "f", "figure2_output_length", "--columns", "model=LLM", "my.csv"],
    ],
)
def test_file_may_stand_behind_the_options(stranger, arguments):
    assert main(arguments) == 0


def test_word_of_columns_that_is_no_pair_is_refused(stranger, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["fit", "--columns", "LLM", "my.csv"])
    assert caught.value.code == 2
    assert "'LLM' is not NAME=COLUMN" in capsys.readouterr().err
