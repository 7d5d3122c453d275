"""Reading how far a run or a campaign is from the files that its jobs leave, wherever they run."""

import json
import os
import shlex
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import takewhile
from math import isfinite
from pathlib import Path
from typing import Annotated, Protocol

from sweetspot.cells.cell import Cell
from sweetspot.errors import InputError
from sweetspot.files import write_text_atomic
from sweetspot.measure.record import SPOOL, CellRecord, record_path, spool_path
from sweetspot.measure.work import Work
from sweetspot.plan.block import Block
from sweetspot.plan.busy import busy_s
from sweetspot.progress.state import Outcome, State, time_left_s
from sweetspot.reading import parse_as, read_as, read_bytes_if_there
from sweetspot.running import has_ended
from sweetspot.schema.keys import FiniteFloat, Range

FRESH_S = 10.0
"""Samples are spooled every half second; an older spool is that of a cell that was cut off."""

_TAIL_BYTES = 4096


class Watch(Protocol):
    """Something whose progress can be looked at again and again."""

    def look(self) -> list[Outcome]:
        """Look at the files, and return the cells that are done since the last time."""

    def state(self, files: str = "") -> State:
        """Return how far it was at the last look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _RunPlan:
    """What a command has to do.

    Attributes:
        begun_s: when it began, on the clock of files.
        gpus: how many work at once; 0 where none is needed.
        simulated: whether a simulator does it.
        done: records of cells that are not to be done, in the folder of records.
        jobs: by the id of a block, the records that it is to leave, in order, and expected seconds;
            of an adaptive design as many as are expected.
        may: by the id of such a block, what may come after these.
    """

    begun_s: FiniteFloat
    gpus: Annotated[int, Range(ge=0)]
    simulated: bool
    done: list[str]
    jobs: dict[str, dict[str, Annotated[float, Range(ge=0, finite=True)]]]
    may: dict[str, list[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What is read of a cell's record, whichever version wrote it."""

    cell: str
    status: str
    simulated: bool
    reason: str = ""
    energy_j: FiniteFloat | None = None
    passes: int | None = None
    energy_per_token_j: FiniteFloat | None = None
    mean_power_w: FiniteFloat | None = None
    duration_s: FiniteFloat | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One call of `sweetspot campaign`."""

    started_utc: str
    ended_utc: str
    minutes: FiniteFloat


@dataclass(frozen=True, slots=True, kw_only=True)
class _Campaign:
    calls: list[_Call]


@dataclass(slots=True)
class _Job:
    """A block: the files of its cells that are to be done, in order, and how long each may take.

    Of an adaptive design `may` has files that may come after these, and `end` is what its job
    leaves when it has measured enough.
    """

    log: Path
    left: list[tuple[Path, float]]
    may: list[Path] | None
    end: Path


def plan_path(folder: Path) -> Path:
    """Return where a run says what it has to do."""
    return folder / "logs" / "progress.json"


def write_run_plan(
    folder: Path, blocks: Iterable[Block], works: Mapping[str, Work], *, gpus: int
) -> None:
    """Write down what a command has to do, for all who watch it.

    Args:
        folder: of the run.
        blocks: a job each.
        works: the cells of each block, done and to be done, by its id.
        gpus: how many work at once.

    Raises:
        InputError: the folder cannot be written to.
    """
    jobs, may, done, simulated = {}, {}, [], False
    for block in blocks:
        simulated = block.settings.metering is None
        work = works[block.id]
        jobs[block.id] = {
            _name(block, cell): 1.0 if simulated else busy_s(block, [cell]) for cell in work.left
        }
        done += [_name(block, cell) for cell in work.done]
        if block.adaptive:
            expected = set(work.left)
            may[block.id] = [_name(block, cell) for cell in work.most if cell not in expected]
    plan = _RunPlan(
        begun_s=time.time(),
        gpus=0 if simulated else gpus,
        simulated=simulated,
        done=done,
        jobs=jobs,
        may=may,
    )
    write_text_atomic(plan_path(folder), json.dumps(asdict(plan)) + "\n")


def _name(block: Block, cell: Cell) -> str:
    return str(record_path(Path(), cell, block.key(cell)))


class RunWatch:
    """Watches a run of the workflow: blocks of cells that come in a known order."""

    def __init__(self, folder: Path) -> None:
        """Read what the run has to do.

        Raises:
            InputError: no command has begun there, or its plan cannot be read.
        """
        self._folder = folder
        records, path = folder / "records", plan_path(folder)
        content = read_bytes_if_there(path, "plan of a run")
        if content is None:
            raise InputError(
                f"{folder} is no run that has begun: {path} is not there; give the folder of a"
                " run, such as results/paper, or of a campaign"
            )
        advice = "a run that is started, or started again, writes another"
        plan = parse_as(_RunPlan, content, f"plan of a run {path}", advice)
        self._begun_s, self._gpus, self._simulated = plan.begun_s, plan.gpus, plan.simulated
        # The clock of a file server may be behind; copied files have times of their own.
        self._since_s = min(self._begun_s, _modified_s(path) or self._begun_s) - 1
        self._earlier = [records / name for name in plan.done]
        self._jobs = {
            block: _Job(
                folder / "logs" / "measure" / f"{block}.log",
                [(records / name, expected_s) for name, expected_s in cells.items()],
                [records / name for name in plan.may[block]] if block in plan.may else None,
                folder / "blocks" / f"{block}.jsonl",
            )
            for block, cells in plan.jobs.items()
        }
        self._left = sum(w for job in self._jobs.values() for _, w in job.left)
        self._count = len(self._earlier) + sum(len(job.left) for job in self._jobs.values())
        self._done = self._failed = 0
        self._energy_j = self._weight = 0.0
        self._last_s: float | None = None

    def look(self) -> list[Outcome]:
        """Look at the cells that are next, and once at those of earlier commands."""
        for path in self._earlier:
            outcome = read_outcome(path)
            if outcome:  # else it was deleted or damaged since then, and is not done any more
                self._take(outcome)
        self._earlier = []
        return [outcome for block in self._jobs for outcome in self.look_at(block)]

    def look_at(self, block: str) -> list[Outcome]:
        """Look at the cells of one block."""
        job, found = self._jobs[block], []
        ended = job.may is not None and self._is_new(job.end)  # before its last cells are looked at
        for path, weight in self._taken(job):
            self._weight += weight
            self._left -= weight
            self._last_s = max(_modified_s(path) or 0.0, self._last_s or 0.0)
            outcome = read_outcome(path)
            self._take(outcome)
            if outcome:
                found.append(outcome)
        if ended:
            self._count -= len(job.left)
            self._left -= sum(weight for _, weight in job.left)
            job.left = []
        return found

    def _taken(self, job: _Job) -> list[tuple[Path, float]]:
        """Return what is done of a job since the last look, and wait for it no more.

        Cells come in their order, but of an adaptive design, where one that fails changes it.
        """
        if job.may is None:
            done = list(takewhile(lambda each: self._is_new(each[0]), job.left))
            job.left = job.left[len(done) :]
            return done
        done = [each for each in job.left if self._is_new(each[0])]
        job.left = [each for each in job.left if each not in done]
        more = [path for path in job.may if self._is_new(path)]
        job.may = [path for path in job.may if path not in more]
        self._count += len(more)
        return done + [(path, 0.0) for path in more]

    def _is_new(self, path: Path) -> bool:
        """Return whether a file is there that was written since the command began."""
        written_s = _modified_s(path)
        return written_s is not None and written_s >= self._since_s

    def state(self, files: str = "") -> State:
        """Return how far it was at the last look, with what meters say now."""
        running, jobs_failed, powers_w = 0, 0, []
        waiting = any(job.left for job in self._jobs.values())
        ended = waiting and has_ended(self._folder)
        for job in self._jobs.values():
            if not job.left or (_modified_s(job.log) or 0.0) < self._since_s:
                continue
            if b"sweetspot: error:" in _tail(job.log):
                jobs_failed += 1
                continue
            if ended:
                continue
            running += 1
            powers_w.append(power_now_w(spool_path(job.left[0][0])))
        metered_w = [power_w for power_w in powers_w if power_w is not None]
        return State(
            cells=self._count,
            done=self._done,
            failed=self._failed,
            running=running,
            jobs_failed=jobs_failed,
            power_w=sum(metered_w) if metered_w else None,
            energy_j=self._energy_j,
            simulated=self._simulated,
            left_s=None if ended else self._left_s(waiting),
            ended=ended,
            files=files,
        )

    def _left_s(self, waiting: bool) -> float | None:
        return time_left_s(
            begun_s=self._begun_s,
            now_s=time.time(),
            last_s=self._last_s,
            done=self._weight,
            left=self._left if waiting else 0.0,
            gpus=self._gpus,
        )

    def _take(self, outcome: Outcome | None) -> None:
        self._done += 1
        if outcome:
            self._failed += outcome.status != "ok"
            self._energy_j += outcome.window_j


@dataclass(slots=True)
class CampaignWatch:
    """Watches a campaign, or a part of one: cells in an order of their own, until a time."""

    folder: Path
    _seen: dict[Path, Outcome | None] = field(default_factory=dict)

    def look(self) -> list[Outcome]:
        """Look at all records."""
        new = [path for path in self._records("*.json") if path not in self._seen]
        found = {path: read_outcome(path) for path in new}
        self._seen |= found
        return [outcome for outcome in found.values() if outcome]

    def state(self, files: str = "") -> State:
        """Return how far it was at the last look, with what meters say now."""
        spools = self._records(f"*{SPOOL}")
        powers_w = [power for power in map(power_now_w, spools) if power is not None]
        known = [outcome for outcome in self._seen.values() if outcome]
        return State(
            cells=None,
            done=len(self._seen),
            failed=sum(outcome.status != "ok" for outcome in known),
            running=len(powers_w),
            power_w=sum(powers_w) if powers_w else None,
            energy_j=sum(outcome.window_j for outcome in known),
            left_s=self._left_s(),
            files=files,
        )

    def _records(self, pattern: str) -> Iterator[Path]:
        """Yield the files of all parts' cells that are called so."""
        for logbook in _logbooks_in(self.folder):
            yield from (logbook.parent / "records").rglob(pattern)

    def _left_s(self) -> float | None:
        """Return what is left of the minutes of the call that runs; None if none does."""
        latest = max(_logbooks_in(self.folder), key=_modified, default=None)
        if latest is None:
            return None
        try:
            *_, call = read_as(_Campaign, latest, "manifest", other_keys=True).calls
            begun_s = datetime.fromisoformat(call.started_utc).timestamp()
        except (InputError, ValueError, OverflowError):  # no call, or no time that there is
            return None
        return None if call.ended_utc else begun_s + 60 * call.minutes - time.time()


def _logbooks_in(folder: Path) -> list[Path]:
    """Return the logbook of a campaign or of a part, or else those of all parts."""
    own = folder / "campaign.json"
    return [own] if own.is_file() else sorted(filter(Path.is_file, folder.glob("*/campaign.json")))


def _modified(path: Path) -> float:
    """Return when a file was written; of parts, which come one after the other, the last runs."""
    return _modified_s(path) or 0.0


def watch(folder: Path) -> Watch:
    """Return what watches the run or campaign of a folder.

    Raises:
        InputError: it is neither.
    """
    if _logbooks_in(folder):
        return CampaignWatch(folder)
    if (folder / "records.jsonl").exists():
        raise InputError(
            f"{folder} holds the data that a campaign left, and nothing that goes on: `sweetspot"
            f" campaign-report {shlex.quote(str(folder))}` shows what it measured"
        )
    return RunWatch(folder)


def read_outcome(path: Path) -> Outcome | None:
    """Return what a record says; None where it is corrupt, which its job will find, too."""
    try:
        said = read_as(_Said, path, "cell record", other_keys=True)
    except InputError:
        return None
    return outcome_of(said)


def outcome_of(said: CellRecord | _Said) -> Outcome:
    """Return what became of the cell of a record."""
    return Outcome(
        cell=said.cell,
        status=said.status,
        reason=said.reason,
        simulated=said.simulated,
        window_j=(said.energy_j or 0.0) * (said.passes or 1),
        per_token_j=said.energy_per_token_j,
        power_w=said.mean_power_w,
        duration_s=said.duration_s,
    )


def power_now_w(spool: Path) -> float | None:
    """Return the last power of a spool, in W; None where nobody writes to it."""
    written_s = _modified_s(spool)
    if written_s is None or time.time() - written_s > FRESH_S:
        return None
    whole = _tail(spool).rpartition(b"\n")[0]  # the last line may be half written
    try:
        power_w = float(whole.rpartition(b"\n")[2].split(b",")[1])
    except (ValueError, IndexError):  # no sample yet
        return None
    return power_w if isfinite(power_w) else None


def _modified_s(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            return file.read()
    except OSError:
        return b""
