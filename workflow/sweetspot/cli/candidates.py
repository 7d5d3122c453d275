"""Candidates for a load as a terminal shows them: a row each, then what to know of them."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from sweetspot.ask.targets import MOST_REPLICAS, TARGETS
from sweetspot.cells.sure import digits
from sweetspot.cli.deployment import print_note
from sweetspot.cli.loads import SAID_IDLE

if TYPE_CHECKING:
    from sweetspot.ask.candidates import Candidate
    from sweetspot.ask.choose import Choice

_MOST_ROWS = 40  # are printed
_FEW = 200  # requests, of which ten are beyond p95
_SETUP = {
    "model": "model",
    "gpu": "gpu",
    "tensor_parallel": "tp",
    "max_batch_size": "batch",
    "weights": "weights",
    "power_limit_w": "limit W",
    "replicas": "replicas",
}
"""What candidates may differ in, and the titles of its columns."""
_INTERVAL = "energy_per_request_low_j"  # stands for both ends
_NUMBERS = (
    ("energy_per_request_j", "J/request", ".4g"),
    (_INTERVAL, "", ""),
    ("ttft_p95_s", "TTFT s", ".3g"),
    ("tpot_p95_s", "TPOT s", ".3g"),
    ("e2e_p95_s", "E2E s", ".3g"),
    ("throughput_per_gpu_tokens_per_s", "tokens/s/GPU", ".4g"),
    ("mean_power_w", "mean W", ".4g"),
)
_NEVER = "no: "
_MONEY = (("energy_kwh", "kWh", ".4g"), ("cost", "cost", ".4g"), ("gco2e", "gCO2e", ".4g"))


def print_choice(answer: "Choice") -> None:
    """Print candidates, the best first, and what they rest on."""
    within = answer.targets.words
    print(answer.offered + (f"; {within}" if within else ""))
    names = [name for name in _SETUP if len({getattr(c, name) for c in answer.candidates}) > 1]
    if fixed := ", ".join(_fixed(answer.candidates[0], names)):
        print(f"all: {fixed}")
    numbers = [each for each in _NUMBERS if _is_known(answer, each[0])] + _money(answer)
    shown = answer.candidates[:_MOST_ROWS]
    lines = [["#", *(_SETUP[name] for name in names), *(title for _, title, _ in numbers)]]
    lines += [
        [
            str(each.number),
            *(_setting(getattr(each, name)) for name in names),
            *(_cell(each, name, spec) for name, _, spec in numbers),
        ]
        for each in shown
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    words = range(1, len(names) + 1)  # which stand on the left
    for line, said in zip(lines, ["", *map(_verdict, shown)], strict=True):
        cells = [
            cell.ljust(width) if place in words else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        if said.startswith(_NEVER):
            del cells[len(names) + 1 :]
        print("  ".join([f" {cells[0]}", *cells[1:], said]).rstrip())
    if len(answer.candidates) > len(shown):
        print(f"  and {len(answer.candidates) - len(shown)} candidates more, which --json has")
    _print_best(answer)
    _print_evidence(answer)
    for note in (*_notes(answer), *answer.notes):
        print_note(note)


def _fixed(candidate: "Candidate", vary: Iterable[str]) -> Iterable[str]:
    """Yield what all candidates have in common."""
    if "model" not in vary:
        yield candidate.model
    if "gpu" not in vary:
        yield candidate.gpu
    if "tensor_parallel" not in vary and candidate.tensor_parallel > 1:
        yield f"tp {candidate.tensor_parallel}"
    if "max_batch_size" not in vary:
        yield f"max_batch_size {candidate.max_batch_size}"
    if "weights" not in vary and candidate.weights != "model":
        yield f"{candidate.weights} weights"
    if "power_limit_w" not in vary and candidate.power_limit_w is not None:
        yield f"power limit {candidate.power_limit_w:g} W"
    if "replicas" not in vary and candidate.replicas > 1:
        yield f"{candidate.replicas} replicas"


def _setting(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else "-" if value is None else str(value)


def _money(answer: "Choice") -> list[tuple[str, str, str]]:
    """Return the columns of what a day costs, where somebody asked for it."""
    rates = answer.rates
    if rates.price_per_kwh is rates.gco2_per_kwh is rates.pue is None:
        return []
    per = "day" if answer.told_of == "day" else "1000"
    return [
        (name, f"{title}/{per}", spec) for name, title, spec in _MONEY if _is_known(answer, name)
    ]


def _is_known(answer: "Choice", name: str) -> bool:
    """Return whether any candidate has this number: of a backlog there is no TTFT."""
    return any(getattr(each, name) is not None for each in answer.candidates)


def _cell(candidate: "Candidate", name: str, spec: str) -> str:
    from sweetspot.simulator.constants.intervals import ends

    if name == _INTERVAL:
        low_j, high_j = candidate.energy_per_request_low_j, candidate.energy_per_request_high_j
        return "" if low_j is None or high_j is None else f"({ends(low_j, high_j)})"
    value = getattr(candidate, name)
    return "-" if value is None else digits(value, spec)


def _verdict(candidate: "Candidate") -> str:
    """Return what comes of a candidate."""
    if candidate.reason:
        return f"{_NEVER}{candidate.reason}"
    if candidate.overloaded:
        offered, served = candidate.offered_per_s, candidate.served_per_s
        return f"overload: {offered:.4g} requests/s come, {served:.3g} are served"
    if candidate.over:
        misses = (
            f"{TARGETS[name]} {_percent(share)} over" for name, share in candidate.over.items()
        )
        ever = f"; no number up to {MOST_REPLICAS} meets that" * candidate.no_number_meets
        return ", ".join(misses) + ever
    if candidate.same_as is not None:
        return f"as {candidate.same_as}"
    if candidate.dominated_by is not None:
        return f"behind {candidate.dominated_by}"
    return "best" if candidate.number == 1 else "front"


def _percent(share: float) -> str:
    return f"{100 * share:.{0 if share > 0.1 else 1}f} %"


def _print_best(answer: "Choice") -> None:
    best = answer.best
    if best is None:
        nearest = answer.candidates[0]
        if nearest.overloaded:
            print(f"none can serve this load; {_more_boards(nearest)}")
        else:
            print(f"none meets the targets; the nearest is {nearest.number}: {_verdict(nearest)}")
        return
    alike = [
        each.number
        for each in answer.candidates
        if each.told_apart is False and best.number not in (each.number, each.same_as)
    ]
    if alike:
        print(
            f"least energy: {best.number}; cannot be told apart from it, as both may be off by"
            f" more: {_listed(alike)}"
        )
    elif any(each.told_apart for each in answer.candidates):
        print(f"least energy: {best.number}, by more than both may be off")


def _print_evidence(answer: "Choice") -> None:
    """Print which constants and which intervals candidates rest on."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for each in answer.candidates:
        if each.load is not None:
            deployment = each.load.deployment
            found, known = deployment.calibration, deployment.intervals.energy
            engine = f"{found.engine} {found.engine_version}".rstrip()
            sure = known.in_full
            key = (engine, f"{found.name} ({found.level})", sure)
            groups.setdefault(key, []).append(each.number)
    for (engine, constants, sure), numbers in groups.items():
        which = f"{_listed(numbers)}: " if len(groups) > 1 else ""
        print(f"{which}simulated; engine: {engine}; constants: {constants}")
        print(f"  energy {sure}")


def _notes(answer: "Choice") -> Iterable[str]:
    """Yield what to know of the candidates."""

    def those(holds: Callable[["Candidate"], object]) -> str:
        return _listed(each.number for each in answer.candidates if each.load and holds(each))

    counts = {each.requests for each in answer.candidates if each.requests}
    if answer.front_latency == "e2e_p95_s":
        yield (
            f"p95 of {min(counts)}"
            + (f" to {max(counts)}" if len(counts) > 1 else "")
            + " requests that one replica got; latencies have been compared with one published"
            + " load only"
        )
        if min(counts) < _FEW:
            yield "of so few requests fewer than ten are beyond p95, which says little of others"
    else:
        yield (
            "all requests wait from the start, no board does; TPOT has been compared with one"
            " published load only"
        )
        if which := those(lambda each: each.load and each.load.served.is_short):
            yield (
                f"{which} served few times what is in flight at once, so that batches that fill and"
                " empty count, too: more --requests show what a long backlog takes"
            )
        if _money(answer):
            yield "kWh and what they cost are of 1000 requests"
    if which := those(lambda each: not each.batch_limit_binds):
        yield f"max_batch_size never binds: {which}"
    if which := those(lambda each: (each.idle_share or 0.0) > SAID_IDLE):
        yield (
            f"boards wait for requests more than a tenth of the time: {which}; intervals were held"
            " against boards at work"
        )
    if which := those(lambda each: each.gpus > 1):
        yield f"energy is that of all GPUs: {which}"
    if answer.targets.max_power_w is not None:
        yield (
            "mean W is of all boards together; for moments each may draw its power limit, and"
            " hosts come on top"
        )
    if which := those(lambda each: _power_is_unsure(each, answer)):
        yield (
            f"the {answer.targets.max_power_w:g} W lie within the interval of mean W, which is that"
            f" of energy: {which}"
        )
    if which := those(lambda each: each.load and each.load.cache_without_windows is not None):
        yield f"the engine ignores the model's sliding windows: {which}"
    if which := those(lambda each: each.beyond_native_context):
        yield f"some I + O is beyond the context that the model was published for: {which}"
    overloaded = [each for each in answer.candidates if each.overloaded]
    if overloaded and answer.best is not None:
        yield f"where more come than are served, {_more_boards(overloaded[0])}"


def _more_boards(overloaded: "Candidate") -> str:
    """Return how a load is served that is more than a candidate serves."""
    needed = overloaded.replicas_needed or 0
    if needed <= MOST_REPLICAS and not overloaded.no_number_meets:
        return "more boards can: --replicas auto"
    return (
        f"auto tries {MOST_REPLICAS} replicas at most, and {overloaded.number} needs {needed} or"
        f" more: --replicas {needed}"
    )


def _power_is_unsure(candidate: "Candidate", answer: "Choice") -> bool:
    """Return whether a measurement may lie on the other side of the target of power.

    Of requests that come at their own rate power is as unsure as energy; of a backlog nobody knows.
    """
    most_w, mean_w = answer.targets.max_power_w, candidate.mean_power_w
    energy_j, high_j = candidate.energy_per_request_j, candidate.energy_per_request_high_j
    if not (most_w and mean_w and energy_j and high_j):
        return False
    if candidate.overloaded or answer.told_of != "day":
        return False
    return max(most_w, mean_w) / min(most_w, mean_w) < high_j / energy_j


def _listed(numbers: Iterable[int]) -> str:
    """Return `1, 3 to 5`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(
        f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs
    )
