"""How far it is in words: one line for a person, one line for each cell that is done."""

from sweetspot.errors import one_line
from sweetspot.progress.state import Outcome, State
from sweetspot.units import J_PER_KWH
from sweetspot.words import counted


def in_words(state: State, width: int | None = None) -> str:
    """Return a state in one line of at most `width` characters.

    What matters least goes first where the line is narrow: energy, then power, what runs, what is
    made of the cells, the time left.
    """
    parts = _parts(state)
    line = ", ".join(parts.values())
    for least in ("energy", "power", "running", "files", "left"):
        if width is None or len(line) <= width:
            break
        parts.pop(least, None)
        line = ", ".join(parts.values())
    return line if width is None else line[:width]


def _parts(state: State) -> dict[str, str]:
    """Return what there is to say, in the order in which it is said."""
    of_all = f"/{state.cells}" if state.cells is not None else ""
    kind = "simulated" if state.simulated else "done"
    found = {"done": f"{state.done}{of_all} cells {kind}"}
    if state.failed:
        found["failed"] = f"{state.failed} FAILED"
    if state.jobs_failed:
        found["jobs"] = f"{counted(state.jobs_failed, 'job')} FAILED"
    if state.ended:
        found["ended"] = "its command has ended"
    if state.running:
        found["running"] = f"{state.running} running"
    if state.power_w is not None:
        found["power"] = f"{state.power_w:.0f} W now"
    if state.energy_j:
        found["energy"] = energy(state.energy_j)
    if state.left_s and state.left_s >= 0.5:  # an overdue estimate says nothing
        found["left"] = f"about {duration(state.left_s)} left"
    if state.files:
        found["files"] = state.files
    return found


def cell_line(outcome: Outcome, state: State) -> str:
    """Return one line on a cell that is done: `grep "cell ok"` finds those that are."""
    found = f"cell {outcome.status} {outcome.cell}"
    numbers = []
    if outcome.per_token_j is not None:
        numbers.append(f"{outcome.per_token_j:.4g} J/token")
    if outcome.power_w is not None:
        numbers.append(f"{outcome.power_w:.0f} W")
    if outcome.duration_s is not None:
        numbers.append(f"{outcome.duration_s:.3g} s")
    if numbers:
        found += f": {', '.join(numbers)}{' simulated' if outcome.simulated else ''}"
    if outcome.reason:
        found += f": {outcome.reason}"
    of_all = f" of {state.cells}" if state.cells is not None else ""
    left = f", about {duration(state.left_s)} left" if state.left_s and state.left_s >= 0.5 else ""
    return one_line(f"{found} ({state.done}{of_all}{left})")


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def energy(joules: float) -> str:
    """Return an energy in kWh, of little in Wh."""
    kwh = joules / J_PER_KWH
    return f"{kwh:.2f} kWh" if kwh >= 1 else f"{1000 * kwh:.3g} Wh"
