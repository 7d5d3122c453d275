"""What a campaign remembers from one call to the next, beside its records."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from sweetspot.catalog.gpus import is_gpu_file
from sweetspot.config import Endpoint, Experiment
from sweetspot.errors import InputError
from sweetspot.files import write_text_atomic
from sweetspot.reading import parse_as, read_bytes_if_there
from sweetspot.schema.writing import json_text, plain

BROKE_OFF = "broke off"  # how a call ended that could not say it
# What may change between two calls: where things lie, how they look, more models, what is enough.
FREE = ("run", "models", "node", "figures", "adaptive")


@dataclass(kw_only=True)
class Call:
    """One call of the command: when, for how long, and how it ended; as it stands until it does.

    Attributes:
        time_s: where its time went so far, in s: `elapsed` at the last word of it, so a kill loses
            no more than a cell, and of that `windows`, `idle` around them, `loads` and `closing` of
            engines, `beside` (warm-up and what else a cell takes), `failed` cells, `sensor`,
            `probe_windows` and what else the `probe` took. Calls of earlier versions have none.
        telemetry: what became of its samples where they were sent, a line for each sink.
    """

    started_utc: str
    ended_utc: str = ""
    minutes: float
    measured: int = 0
    ended: str = BROKE_OFF
    time_s: dict[str, float] = field(default_factory=dict)
    telemetry: list[str] = field(default_factory=list)

    def spent(self, on: str, seconds: float) -> None:
        """Note what some of the time went on."""
        self.time_s[on] = self.time_s.get(on, 0.0) + max(0.0, seconds)

    def take_over(self, before_s: Mapping[str, float]) -> None:
        """Have what the command did before this call in its account, too."""
        self.minutes += sum(before_s.values()) / 60
        for on, seconds in before_s.items():
            self.spent(on, seconds)

    def hand_on(self, before_s: Mapping[str, float]) -> None:
        """Leave what it took over to the account of another call."""
        self.minutes -= sum(before_s.values()) / 60
        for on in before_s:
            self.time_s.pop(on, None)


@dataclass(kw_only=True)
class Logbook:
    """The file campaign.json.

    Attributes:
        experiment: what is measured, as it stood in the first call, later models added.
        requests: by block, the N that was chosen for it.
        adaptive: by block, why its adaptive design stopped.
        load_s: by block, how long its engine took to load, the last time.
        extra_s: by cell, the time it took beside its window and the idle times around it.
        window_start_s: by cell, when its window began, on the clock of its power trace; only of
            earlier versions, whose records do not say it.
        calls: every call, first to last.
    """

    schema_version: Literal[1] = 1
    experiment: dict[str, Any]
    requests: dict[str, int] = field(default_factory=dict)
    adaptive: dict[str, str] = field(default_factory=dict)
    load_s: dict[str, float] = field(default_factory=dict)
    extra_s: dict[str, float] = field(default_factory=dict)
    window_start_s: dict[str, float] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def spent(self, on: str, seconds: float) -> None:
        """Note what some of the present call's time went on."""
        if self.calls:
            self.calls[-1].spent(on, seconds)

    def alive(self, left_s: float) -> None:
        """Note how long the present call has gone on, by what is left of it."""
        if self.calls:
            call = self.calls[-1]
            call.time_s["elapsed"] = max(0.0, 60 * call.minutes - left_s)

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all; raises InputError."""
        write_text_atomic(path, json_text(self, indent=1) + "\n")


def open_logbook(path: Path, experiment: Experiment) -> Logbook:
    """Return the logbook of a campaign, a new one if there is none.

    Raises:
        InputError: it cannot be read, or is that of another experiment.
    """
    now = plain(experiment)
    content = read_bytes_if_there(path, "campaign")
    if content is None:
        return Logbook(experiment=now)
    logbook = parse_as(Logbook, content, f"campaign {path}", "choose another folder")
    if changed := _changed(logbook.experiment, now):
        raise InputError(
            f"the campaign in {path.parent} was begun with another {changed};"
            " choose another folder, or go on with the old value"
        )
    # why a design stopped is said of what was enough then
    same = logbook.experiment.get("adaptive") == now["adaptive"]
    return replace(logbook, experiment=now, adaptive=logbook.adaptive if same else {})


def _fixed(key: str, experiment: Mapping[str, Any]) -> Any:
    """Return what of a key may not change: a server may stand, or a GPU's file lie, elsewhere."""
    value = experiment[key]
    if key == "gpu" and is_gpu_file(value):
        return Path(value).name  # what it says is in the records' keys
    if key != "endpoint" or not isinstance(value, Mapping):
        return value
    return {name: each for name, each in value.items() if name not in Endpoint.PLACES}


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return which key is not what it was; empty if nothing matters.

    A key that an earlier version did not know had no value to change.
    """
    for key in now:
        if key in before and key not in FREE and _fixed(key, before) != _fixed(key, now):
            return f"`{key}`"
    dropped = [model for model in before.get("models", []) if model not in now["models"]]
    return f"list of `models` ({dropped[0]} is gone)" if dropped else ""
