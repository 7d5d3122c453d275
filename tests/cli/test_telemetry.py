"""`sweetspot telemetry`: which sink or store is meant, what is printed, and the exit code."""

import json
import re
import shutil

import pytest
from in_memory import InMemory

from sweetspot.cli import main
from sweetspot.telemetry import connect
from sweetspot.telemetry.contracts import RefusedError

URL = "influx+http://127.0.0.1:1/db"


@pytest.fixture
def memory(monkeypatch):
    """A broker and store in memory at every URL; `asked` is what it was opened with."""
    memory = InMemory()

    def open_there(where):
        memory.asked = where
        return memory

    monkeypatch.setattr(connect, "open_sink", open_there)
    monkeypatch.setattr(connect, "open_store", open_there)
    return memory


@pytest.fixture
def run(small_run, tmp_path):
    return str(shutil.copytree(small_run, tmp_path / "run"))


def test_what_was_replayed_is_found_whole(memory, run, capsys):
    assert main(["telemetry", "replay", run, "--to", URL]) == 0
    said = capsys.readouterr().out
    assert "samples of 9 cells are acknowledged, simulated" in said
    assert main(["telemetry", "query", run, "--from", URL]) == 0
    assert "9 cells: energies of the record, to the bit" in capsys.readouterr().out


def test_what_an_acknowledgement_is_worth_is_a_note(memory, run, capsys):
    memory.caveat = "nobody had subscribed"
    assert main(["telemetry", "replay", run, "--to", URL]) == 0
    assert capsys.readouterr().out.endswith("\nnote: nobody had subscribed\n")


@pytest.mark.parametrize(("told", "count"), [(2, "2"), (None, r"up to \d+")])
def test_what_is_refused_is_a_line_and_exit_code_1(memory, run, capsys, told, count):
    send, calls = memory.send, []

    def choosy(source, samples):
        calls.append(source)
        if source == calls[0]:
            raise RefusedError("memory://here: Not authorized", told)
        send(source, samples)

    memory.send = choosy
    with pytest.raises(SystemExit, match="1"):
        main(["telemetry", "replay", run, "--to", URL])
    said = capsys.readouterr().out
    assert "samples of 8 cells are acknowledged, simulated" in said
    assert re.search(
        rf"\n{count} samples of 1 cells were REFUSED \(memory://here: Not authorized\): the same"
        r" command tries these cells again\n$",
        said,
    )


def test_what_is_lost_is_a_table_and_exit_code_1(memory, run, capsys):
    main(["telemetry", "replay", run, "--to", URL])
    held = next(iter(memory.held.values()))
    del held[max(held)]
    with pytest.raises(SystemExit, match="1"):
        main(["telemetry", "query", run, "--from", URL])
    said = capsys.readouterr().out
    assert "8 cells: energies of the record, to the bit" in said
    assert "1 cells DIFFER" in said
    assert "no energy: what the store has does not span the window" in said
    with pytest.raises(SystemExit, match="1"):
        main(["telemetry", "query", run, "--from", URL, "--json"])
    cells = json.loads(capsys.readouterr().out)["cells"]
    assert [len(cell["differences"]) for cell in cells].count(2) == 1


def test_where_nothing_is_there_at_all_it_may_be_kept_elsewhere(memory, run, capsys):
    with pytest.raises(SystemExit, match="1"):
        main(["telemetry", "query", run, "--from", URL])
    assert capsys.readouterr().out.endswith(
        "\nnote: nothing of it is there: it was not sent (`sweetspot telemetry replay` does), or is"
        " kept under another database, path or format\n"
    )


def test_options_say_more_of_a_url(memory, run):
    options = ["--user", "node", "--password-env", "PASSWORD", "--timeout-s", "2.5"]
    assert main(["telemetry", "replay", run, "--to", URL, *options]) == 0
    assert (memory.asked.user, memory.asked.password_env) == ("node", "PASSWORD")
    assert memory.asked.timeout_s == 2.5


def test_sink_of_an_experiment_goes_by_its_name(memory, run, tmp_path, capsys):
    experiment = tmp_path / "my.yaml"
    sinks = f"[{{url: '{URL}', name: lab}}, {{url: 'mqtt://broker'}}]"
    experiment.write_text(f"node: {{telemetry: {{sinks: {sinks}}}}}\n")
    of_file = ["--configfile", str(experiment)]
    assert main(["telemetry", "replay", run, "--to", "lab", *of_file]) == 0
    assert memory.asked.url == URL
    assert main(["telemetry", "replay", run, "--to", "labs", *of_file]) == 2
    assert "unknown sink 'labs'; did you mean 'lab'?" in capsys.readouterr().err
    assert main(["telemetry", "replay", run, "--to", "lab", *of_file, "--user", "me"]) == 2
    assert "--user is for a URL" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("nowhere", "nowhere is no URL and no file"),
        ("ftp://there", "must begin with"),
        ("prometheus://127.0.0.1:9400", "replay to a broker or a store"),
        ("mqtt://me:secret@there", "holds a user or a password"),
    ],
)
def test_where_that_is_none_is_one_line(run, capsys, where, message):
    assert main(["telemetry", "replay", run, "--to", where]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert "secret@" not in line


def test_unknown_option_of_an_action_has_the_nearest(run, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["telemetry", "replay", run, "--too", URL])
    assert "(did you mean '--to'?)" in capsys.readouterr().err


def test_cells_of_an_export_go_to_a_table(tmp_path, capsys):
    windows, power = tmp_path / "windows.csv", tmp_path / "power.csv"
    windows.write_text(
        "model,input_tokens,output_tokens,requests,start_utc,end_utc,gpu\n"
        "tiny,16,8,10,1790000000,1790000010,gpu_0\ntiny,16,16,10,1790000050,1790000060,gpu_0\n"
    )
    lines = [f"{1790000000 + at / 2},gpu_0,300" for at in range(-4, 26)]
    power.write_text("\n".join(["time,gpu,power_w", *lines, ""]))
    arguments = ["telemetry", "cells", str(windows), "--from", str(power)]
    assert main([*arguments, "--out", str(tmp_path / "cells.csv")]) == 0
    said = capsys.readouterr().err
    assert "1 of 2 cells have an energy" in said
    assert "sampling may be off by 4.8% at most (10.0 s every 0.5 s)" in said
    assert "only 0 power samples in 10.000 s" in said
    header, first, second = (tmp_path / "cells.csv").read_text().splitlines()
    row = dict(zip(header.split(","), first.split(","), strict=True))
    assert float(row["energy_integration_j"]) == pytest.approx(3000)
    assert ",invalid," in second


def test_figure_shows_what_is_stored(memory, run, tmp_path):
    main(["telemetry", "replay", run, "--to", URL])
    figure = tmp_path / "stored"
    assert main(["telemetry", "query", run, "--from", URL, "--figure", str(figure)]) == 0
    said = (tmp_path / "stored.alt.txt").read_text()
    assert "samples in traces" in said
    assert (tmp_path / "stored.png").read_bytes()[:4] == b"\x89PNG"
