"""A call of several parts: what becomes of the time when one of them fails."""

import pytest

from sweetspot.campaign import run, whole
from sweetspot.campaign.file import parse_campaign
from sweetspot.campaign.logbook import Logbook
from sweetspot.errors import EngineError, InputError
from sweetspot.reading import read_as

FILE = {
    "engine": "vllm",
    "gpu": "h200-sxm",
    "models": ["llama-3.2-1b"],
    "vllm": {"weights": "random"},
    "sweeps": {"grid": {"input_tokens": [64], "output_tokens": [64, 256], "requests": [50]}},
    "probe": 2,
    "measure": {"idle_s": 0},
}
PROBE_S = {"probe_windows": 70.0, "probe": 50.0}


@pytest.fixture
def call_of(set_up, tmp_path, monkeypatch):
    """Return a function that runs a call of parts, each of which goes as its name says.

    The engine of `broken` cannot be loaded, of `failed` no cell runs to its end, and `refused` is
    refused before anything is noted. The answer is each part's last account.
    """
    case = set_up()
    broken = set_up(faults=EngineError("no such engine"))
    failed = set_up(faults=dict.fromkeys([(50, 64, 64), (50, 64, 256)], EngineError("no room")))

    def engines_here(_, folder):
        if folder.name == "refused":
            raise InputError("nothing goes there")
        return {"broken": broken, "failed": failed}.get(folder.name, case).campaign.engine_of

    for module in (run, whole):
        monkeypatch.setattr(module, "monotonic", case.clock)
    monkeypatch.setattr(run, "require_node", lambda *_: None)
    monkeypatch.setattr(run, "engines_here", engines_here)
    monkeypatch.setattr(run, "dataset_writer", lambda *_: lambda _: None)
    monkeypatch.setattr(whole, "probe_board", lambda *_: dict(PROBE_S))

    def call(*names):
        file = parse_campaign(FILE | {"parts": {name: {} for name in names}}, "file")
        try:
            whole.run_file(file, tmp_path, minutes=30, sensor=False)
        except EngineError:  # none could be measured
            assert set(names) <= {"broken", "failed"}
        return {
            path.parent.name: [
                {on: s for on, s in each.time_s.items() if on in PROBE_S}
                for each in read_as(Logbook, path, "campaign").calls
            ]
            for path in tmp_path.glob("*/campaign.json")
        }

    call.clock = case.clock
    return call


@pytest.mark.parametrize(
    ("names", "keeper"),
    [
        (("first", "second"), "first"),
        (("broken", "first", "second"), "first"),
        (("broken", "failed", "second"), "failed"),  # whose failures are in its report
        (("refused", "first"), "first"),
        (("broken",), "broken"),
    ],
)
def test_probe_is_once_in_the_accounts_of_a_call_by_that_of_the_first_part_with_a_report(
    call_of, names, keeper
):
    found = call_of(*names)
    assert found.pop(keeper)[0] == PROBE_S
    assert not any(any(calls) for calls in found.values())


def test_probe_is_not_lost_where_a_part_with_cells_is_refused_later(call_of, tmp_path):
    call_of("first", "second")
    (tmp_path / "first").rename(tmp_path / "refused")
    found = call_of("refused", "second")
    assert found["refused"] == [PROBE_S]  # the first call's
    assert found["second"] == [{}, PROBE_S]


def test_account_is_whole_from_the_start_that_a_kill_leaves_it(call_of, tmp_path, monkeypatch):
    seen = []

    def look(campaign, *_):
        seen.append(read_as(Logbook, campaign.folder / "campaign.json", "campaign").calls[-1])
        return "that was all"

    monkeypatch.setattr(run, "measure_blocks", look)
    call_of("broken")
    (at_first,) = seen
    assert at_first.time_s.pop("elapsed") == pytest.approx(sum(PROBE_S.values()))
    assert at_first.time_s == PROBE_S


def test_accounts_of_a_call_add_up_to_its_time(call_of, tmp_path):
    begun_s = call_of.clock()
    call_of("broken", "first", "second")
    calls = [
        call
        for path in tmp_path.glob("*/campaign.json")
        for call in read_as(Logbook, path, "campaign").calls
    ]
    of_probe_s = sum(PROBE_S.values())  # none of it on this clock
    elapsed_s = sum(call.time_s["elapsed"] for call in calls)
    assert elapsed_s == pytest.approx(call_of.clock() - begun_s + of_probe_s)
    rest_s = elapsed_s - sum(
        s for call in calls for on, s in call.time_s.items() if on != "elapsed"
    )
    assert rest_s == pytest.approx(0, abs=1e-6)


@pytest.mark.usefixtures("call_of")
def test_part_that_this_node_cannot_measure_is_left_out_and_where_all_are_it_is_said_once(
    tmp_path, monkeypatch, caplog
):
    def require_here(experiment):
        if experiment.engine == "deepspeed":
            raise EngineError("no deepspeed here")

    monkeypatch.setattr(whole, "require_here", require_here)
    file = FILE | {"engines": ["deepspeed", "vllm"]}
    whole.run_file(parse_campaign(file, "file"), tmp_path, minutes=6, sensor=False)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {"vllm"}
    assert "deepspeed is left out: no deepspeed here" in caplog.text
    caplog.clear()
    alone = parse_campaign(FILE | {"engine": "deepspeed", "parts": {"a": {}, "b": {}}}, "file")
    with pytest.raises(EngineError, match="no deepspeed here"):
        whole.run_file(alone, tmp_path / "other", minutes=6)
    assert "left out" not in caplog.text
