"""What a campaign remembers from one call to the next, beside its records."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sweetspot.config import Experiment
from sweetspot.errors import InputError
from sweetspot.files import write_text_atomic
from sweetspot.reading import parse_as, read_bytes_if_there
from sweetspot.schema.writing import json_text, plain

# What may change between two calls: where things lie, how they look, and more models.
FREE = ("run", "models", "node", "figures")


@dataclass(kw_only=True)
class Call:
    """One call of the command: when, for how long, and how it ended; as it stands until it does."""

    started_utc: str
    ended_utc: str = ""
    minutes: float
    measured: int = 0
    ended: str = "broke off"

    @property
    def elapsed_s(self) -> float:
        """How long it took, or has taken until now, in s."""
        end = datetime.fromisoformat(self.ended_utc) if self.ended_utc else datetime.now(UTC)
        return max(0.0, (end - datetime.fromisoformat(self.started_utc)).total_seconds())


@dataclass(kw_only=True)
class Logbook:
    """The file campaign.json.

    Attributes:
        experiment: what is measured, as it stood in the first call, later models added.
        requests: by block, the N that was chosen for it.
        load_s: by block, how long its engine took to load, the last time.
        extra_s: by cell, the time it took beside its window and the idle times around it.
        window_start_s: by cell, when its window began, on the clock of its power trace; only of
            earlier versions, whose records do not say it.
        calls: every call, first to last.
    """

    schema_version: Literal[1] = 1
    experiment: dict[str, Any]
    requests: dict[str, int] = field(default_factory=dict)
    load_s: dict[str, float] = field(default_factory=dict)
    extra_s: dict[str, float] = field(default_factory=dict)
    window_start_s: dict[str, float] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

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
    return replace(logbook, experiment=now)


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return which key is not what it was; empty if nothing matters."""
    for key in now:
        if key not in FREE and before.get(key) != now[key]:
            return f"`{key}`"
    dropped = [model for model in before.get("models", []) if model not in now["models"]]
    return f"list of `models` ({dropped[0]} is gone)" if dropped else ""
