"""How far it is: cells that are done, running and failed, power now, energy and time left."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How far a run is at one moment.

    Attributes:
        cells: how many there will be; None where time decides, as in a campaign.
        done: those with a record, whatever became of them.
        failed: those of them that are not ok.
        running: blocks or cells that are being measured.
        jobs_failed: jobs that ended without all their cells.
        power_w: what the boards under a meter draw now; None where none is read.
        energy_j: of all windows so far.
        left_s: None where nothing says how long it will take.
        ended: whether the command has ended before all cells were done.
        files: "3 of 15 tables and figures", or nothing.
    """

    cells: int | None
    done: int
    failed: int = 0
    running: int = 0
    jobs_failed: int = 0
    power_w: float | None = None
    energy_j: float = 0.0
    simulated: bool = False
    left_s: float | None = None
    ended: bool = False
    files: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one cell. Numbers are None where it failed."""

    cell: str
    status: str
    reason: str
    simulated: bool
    window_j: float
    per_token_j: float | None
    power_w: float | None
    duration_s: float | None


def time_left_s(
    *, begun_s: float, now_s: float, last_s: float | None, done: float, left: float, gpus: int
) -> float | None:
    """Return how long the rest will take, from the pace so far; None if nothing says.

    Args:
        begun_s: when the first cell was begun.
        now_s: the present, on the same clock.
        last_s: when the last cell was done; None if none is yet.
        done: expected seconds of the cells done since then, or their number.
        left: the same of those to come.
        gpus: how many share them. Before a cell is done, expected seconds are all there is; 0 says
            that they are a number of cells, which are no time.
    """
    if not left:
        return 0.0
    if last_s is None or not done:
        return max(0.0, left / gpus - (now_s - begun_s)) if gpus else None
    return max(0.0, (last_s - begun_s) * left / done - (now_s - last_s))
