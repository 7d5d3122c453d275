"""Which columns of a log of requests say when one came and how long it was, by their names.

Source of names: the headers of the Azure LLM inference traces of 2023 and 2024 (TIMESTAMP,
ContextTokens, GeneratedTokens), of BurstGPT (Timestamp, Request tokens, Response tokens), the keys
of Mooncake's traces (timestamp, input_length, output_length, hash_ids) and of the OpenAI interface
(created, usage.prompt_tokens, usage.completion_tokens), which vLLM answers with.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sweetspot.cells.columns import GivenColumns, recognise
from sweetspot.cells.units import take_apart
from sweetspot.errors import InputError, nearest, shown

LENGTHS = ("input_tokens", "output_tokens")
ACCEPTED = {
    "input_tokens": "input_tokens, prompt_tokens, ContextTokens, 'Request tokens', input_length",
    "output_tokens": (
        "output_tokens, completion_tokens, GeneratedTokens, 'Response tokens', output_length"
    ),
}
GIVEN_TIMES = {"arrival": None, "arrival_s": 1.0, "arrival_ms": 1e-3, "arrival_us": 1e-6}
GIVEN_TIMES |= {"arrival_ns": 1e-9}
"""What `--columns` may call the time of arrival, and how many s its numbers are."""

# The nearest to an arrival first.
_TIMES = (
    *("arrival", "arrival time", "arrival timestamp", "arrived", "arrived at", "submitted at"),
    *("received at", "sent at", "send time", "request time", "request timestamp"),
    *("start", "start time", "started at", "request start time", "created", "created at"),
    *("timestamp", "time", "ts", "datetime", "date time", "date"),
)
# A column of requests is no length in other tables; "Request tokens" is one.
_INPUT_TOO = {("request", "tokens"), ("request", "length"), ("num", "request", "tokens")}
HASHES = "hash_ids"
"""Column of the names of a prompt's blocks."""

_REUSE = (HASHES, "cached_tokens", "num_cached_tokens", "cache_read_input_tokens")
_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Where a log says what.

    Attributes:
        arrival: column of the time of arrival; None where the log has none.
        unit_s: how many s its numbers are; None where neither its name nor anybody says it.
        input_tokens, output_tokens: columns of lengths.
        model: column of the model that answered; None where there is none.
        reuse: columns that tell of prompts' common beginnings, the best first.
        mooncake: whether times without a unit are in ms, as in Mooncake's traces.
    """

    arrival: str | None
    unit_s: float | None
    input_tokens: str
    output_tokens: str
    model: str | None
    reuse: tuple[str, ...]
    mooncake: bool

    @property
    def notes(self) -> list[str]:
        """What is not called as we call it, in words."""
        pairs = ((name, getattr(self, name)) for name in LENGTHS)
        return [f"{name} is {column!r}" for name, column in pairs if name != column]


def find_columns(names: Sequence[str], given: GivenColumns, where: str) -> Columns:
    """Return which columns are what.

    Args:
        names: of all columns; in JSON with the keys above them, `usage.prompt_tokens`.
        given: the column of a quantity, as its owner says it.
        where: what the log is called in messages.

    Raises:
        InputError: a length has no column, or several, or what was given makes no sense.
    """
    known = (*GIVEN_TIMES, *LENGTHS)
    for name, column in given.items():
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near!r}? " if near else ""
            raise InputError(
                f"{given.option}: {name!r} is nothing that a log says;"
                f" {hint}known: {', '.join(known)}"
            )
        if column not in names:
            raise InputError(
                f"{given.option}: {where} has no column {column!r}; found: {_listed(names)}"
            )
    lengths = {each: given.get(each) or _length(names, each, given, where) for each in LENGTHS}
    missing = {each: "COLUMN" for each, column in lengths.items() if column is None}
    if missing:
        raise InputError(
            f"{where} has no column for {' and '.join(missing)}; found: {_listed(names)}; accepted"
            f" are names such as {'; '.join(ACCEPTED[each] for each in missing)}; or say which:"
            f" {given.advice(missing)}"
        )
    plain = _plain(names)
    arrival, unit_s, mooncake = find_arrival(names, given)
    return Columns(
        arrival=arrival,
        unit_s=unit_s,
        input_tokens=str(lengths["input_tokens"]),
        output_tokens=str(lengths["output_tokens"]),
        model=plain.get("model"),
        reuse=tuple(plain[each] for each in _REUSE if each in plain),
        mooncake=mooncake,
    )


def find_arrival(
    names: Sequence[str], given: GivenColumns
) -> tuple[str | None, float | None, bool]:
    """Return the column of the time of arrival, how many s its numbers are, and `mooncake`.

    As `Columns` has them: None where there is none, or nobody says.
    """
    return (*_arrival(names, given), HASHES in _plain(names) and "arrival" not in given)


def _plain(names: Sequence[str]) -> dict[str, str]:
    """Return columns by the last key of their names, in small letters; the first of equals."""
    return {_last(name).lower(): name for name in reversed(names)}


def _length(names: Sequence[str], length: str, given: GivenColumns, where: str) -> str | None:
    """Return the column of a length; None where none is."""
    taken = set(given.values())
    ranks = {name: _rank(name, length) for name in dict.fromkeys(names) if name not in taken}
    best = min((rank for rank in ranks.values() if rank is not None), default=None)
    found = [name for name, rank in ranks.items() if rank is not None and rank == best]
    if len(found) > 1:
        raise InputError(
            f"{where}: {' and '.join(map(repr, found))} may both be {length}; say which:"
            f" {given.advice({length: found[0]})}"
        )
    if found and list(names).count(found[0]) > 1:
        raise InputError(f"{where}: column {found[0]} stands twice; keep one of them")
    return found[0] if found else None


def _rank(name: str, length: str) -> int | None:
    last = _last(name)
    if length == "input_tokens" and take_apart(last).words in _INPUT_TOO:
        return 1
    match = recognise(last)
    # a limit of the answer (`max_tokens`) is not how long it was
    return match.rank if match and match.quantity == length and match.rank < 2 else None


def _arrival(names: Sequence[str], given: GivenColumns) -> tuple[str | None, float | None]:
    """Return the column of the time of arrival and how many s its numbers are."""
    for name, unit_s in GIVEN_TIMES.items():
        if name in given:
            return given[name], unit_s
    found: list[tuple[int, str, float | None]] = []
    for name in names:
        parts = take_apart(_last(name).lstrip("@"))
        words = " ".join(parts.words)
        measure = parts.measure
        if words in _TIMES and not parts.per and (not measure or measure.dimension == "time"):
            found.append((_TIMES.index(words), name, measure.factor if measure else None))
    if not found:
        return None, None
    _, name, unit_s = min(found, key=lambda each: each[0])
    return name, unit_s


def _last(name: str) -> str:
    """Return the key at the end of a path of keys."""
    return name if " " in name else name.rpartition(".")[2]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" * (len(names) > _SHOWN)
    return shown(", ".join(names[:_SHOWN])).strip("'\"") + more
