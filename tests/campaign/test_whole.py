"""A call of several parts: what becomes of the time when one of them fails."""

import pytest

from sweetspot.campaign import whole
from sweetspot.campaign.compact import RECORDS
from sweetspot.campaign.file import parse_campaign
from sweetspot.errors import EngineError

FILE = {
    "engine": "vllm",
    "gpu": "h200-sxm",
    "models": ["llama-3.2-1b"],
    "vllm": {"weights": "random"},
    "sweeps": {"grid": {"requests": [50]}},
    "probe": 2,
}
PROBE_S = {"probe_windows": 70.0, "probe": 50.0}


@pytest.fixture
def before_s(monkeypatch):
    """Return what each part is told that the call did before it.

    Parts called `broken` fail without a record, `failed` with those of cells that failed.
    """
    told = {}

    def run_campaign(experiment, folder, *, before_s, **_):
        again = folder.name in told
        told.setdefault(folder.name, dict(before_s))
        compact = folder / "compact"
        compact.mkdir(parents=True, exist_ok=True)
        (compact / RECORDS).write_text("" if folder.name == "broken" else "{}\n")
        if folder.name in ("broken", "failed"):
            raise EngineError("nothing could be measured")
        return 0 if again else 1

    monkeypatch.setattr(whole, "require_here", lambda _: None)
    monkeypatch.setattr(whole, "probe_board", lambda *_: dict(PROBE_S))
    monkeypatch.setattr(whole, "run_campaign", run_campaign)
    return told


def test_probe_is_in_the_account_of_the_first_part_that_measures(before_s, tmp_path):
    parts = {"broken": {}, "first": {}, "second": {}}
    whole.run_file(parse_campaign(FILE | {"parts": parts}, "file"), tmp_path, minutes=6)
    assert before_s["first"] == PROBE_S
    assert before_s["second"] == {}


def test_probe_is_counted_once_where_a_part_fails_that_has_records(before_s, tmp_path):
    parts = {"broken": {}, "failed": {}, "second": {}}
    whole.run_file(parse_campaign(FILE | {"parts": parts}, "file"), tmp_path, minutes=6)
    assert before_s["failed"] == PROBE_S
    assert before_s["second"] == {}


def test_part_that_this_node_cannot_measure_is_left_out_and_where_all_are_it_is_said_once(
    before_s, tmp_path, monkeypatch, caplog
):
    def require_here(experiment):
        if experiment.engine == "deepspeed":
            raise EngineError("no deepspeed here")

    monkeypatch.setattr(whole, "require_here", require_here)
    file = FILE | {"engines": ["deepspeed", "vllm"]}
    whole.run_file(parse_campaign(file, "file"), tmp_path, minutes=6)
    assert list(before_s) == ["vllm"]
    assert "deepspeed is left out: no deepspeed here" in caplog.text
    caplog.clear()
    alone = parse_campaign(FILE | {"engine": "deepspeed", "parts": {"a": {}, "b": {}}}, "file")
    with pytest.raises(EngineError, match="no deepspeed here"):
        whole.run_file(alone, tmp_path / "other", minutes=6)
    assert "left out" not in caplog.text
