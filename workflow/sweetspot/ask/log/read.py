"""Logs of requests: when each came and how long it was, in the order of arrival, as they lie."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappush, heappushpop
from math import isfinite
from pathlib import Path
from typing import Any, Self

from sweetspot.ask.log.longest import Longest, TooLong
from sweetspot.ask.log.prefixes import Prefixes
from sweetspot.cells.columns import GivenColumns
from sweetspot.errors import InputError
from sweetspot.logs.columns import find_columns
from sweetspot.logs.rows import LogFile, shown_value, whole
from sweetspot.logs.times import Reading, date_of, reading_of
from sweetspot.simulator.schedule.requests import Request

WINDOW = 2**16
"""A line may stand this many below its place: engines log a request when it ends."""

_MOST_S = 20 * 365 * 86400.0  # no log is longer: its times are in another unit
_FEW = 3


@dataclass(slots=True)
class LeftOut:
    """Requests of a log that are not simulated, and those that were out of order.

    Attributes:
        no_output: those without output tokens.
        no_input: those with output, but without input tokens.
        too_long: those that are longer than what is served.
    """

    no_output: int = 0
    no_input: int = 0
    too_long: list[TooLong] = field(default_factory=list)

    def beyond(self, input_tokens: int, output_tokens: int) -> TooLong | None:
        """Return the first bound that a request is beyond; None if it is beyond none."""
        for each in self.too_long:
            if each.most.length(input_tokens, output_tokens) > each.most.tokens:
                return each
        return None


class RequestLog:
    """The requests of a log, once, in the order of arrival; the first arrives at 0 s.

    Attributes:
        columns: where it says what.
        begins: when the first came; None where times have another origin than 1970.
        requests: how many it has, as far as it has been read.
        left_out: what is not among the requests, as far as the log has been read.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_seq_len: int,
        longest: Sequence[Longest] = (),
        columns: Mapping[str, str] | None = None,
        prefix_cache: bool = False,
    ) -> None:
        """Read the beginning of a log; later lines are read when it is their turn.

        Args:
            path: CSV with a header, or an object a line in JSON; `.gz` is unpacked.
            max_seq_len: longest sequence, I + O, that is served.
            longest: what else bounds a request; one that has more is left out.
            columns: the column of arrival_s, arrival_ms, arrival_us, arrival_ns, arrival,
                input_tokens or output_tokens, where its name does not say it.
            prefix_cache: whether to read what prompts have in common.

        Raises:
            InputError: the file cannot be read, is empty, lacks a column, or has a line that is not
                a request; iterating raises that of later lines.
        """
        self._file = LogFile(Path(path))
        try:
            self.columns = find_columns(self._file.names, GivenColumns(columns), str(path))
            self._prefixes = Prefixes(self.columns, str(path)) if prefix_cache else None
            self._models: dict[str, None] = {}
            self._moved = 0
            self._reading: Reading | None = None
            self.requests = 0
            self.left_out = LeftOut(
                too_long=[TooLong(each) for each in (Longest.context(max_seq_len), *longest)]
            )
            self.begins: datetime | None = None
            self._rest = self._in_order()
            self._first = next(self._rest, None)
        except BaseException:
            self._file.close()
            raise

    def __iter__(self) -> Iterator[Request]:
        """Yield the requests."""
        if self._first is None:
            raise InputError(f"log {self._file.path} holds no requests{self._but}")
        yield self._first
        yield from self._rest

    def __enter__(self) -> Self:
        """Return the log."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file, also one that was not read to its end."""
        self._file.close()

    @property
    def share(self) -> float | None:
        """How much of the file has been read, 0 to 1; None where nobody knows."""
        return self._file.share

    @property
    def unit_s(self) -> float | None:
        """How many s its times are; None of dates, and where it has none."""
        return self._reading and self._reading.unit_s

    @property
    def unit_is_assumed(self) -> bool:
        """Whether nothing says the unit of its times."""
        return self._reading is not None and self._reading.assumed

    @property
    def notes(self) -> list[str]:
        """How the log was understood and what was left out, each in words."""
        columns, out, reading = self.columns, self.left_out, self._reading
        notes = columns.notes
        if columns.arrival is None:
            notes.append("the log has no times: all requests come at once")
        elif reading is not None and reading.how:
            notes.append(
                f"the time of arrival is {columns.arrival!r}, {reading.how}"
                + "; say arrival_ms or the like with --columns where it is not" * reading.assumed
            )
        if self._moved:
            notes.append(f"put in order: {self._moved} that stand below later ones")
        for count, what in (
            (out.no_output, "without output tokens, as of calls that failed"),
            (out.no_input, "without input tokens"),
        ):
            if count:
                notes.append(f"left out: {count} {what}; a request has some of both")
        notes += [each.note for each in out.too_long if each.count]
        if len(self._models) > 1:
            names = ", ".join(list(self._models)[:_FEW])
            more = ", ..." * (len(self._models) > _FEW)
            notes.append(f"requests to several models ({names}{more}) are all taken as this one's")
        if self._prefixes is not None:
            notes += self._prefixes.notes
        elif columns.reuse:
            notes.append(
                f"{', '.join(columns.reuse)} not modelled: every prompt is processed whole, as"
                " without a prefix cache (--prefix-cache)"
            )
        return notes

    @property
    def _but(self) -> str:
        """What it does hold, where it holds no request that is simulated."""
        return f" that can be simulated: {'; '.join(self.notes)}" * bool(self.requests) or (
            ", only a header"
        )

    def _in_order(self) -> Iterator[Request]:
        """Yield requests sorted, of those that lie within `WINDOW` lines of each other."""
        waiting: list[tuple[float, int, Request]] = []
        before_s = newest_s = -float("inf")
        first_s: float | None = None
        for number, request in enumerate(self._read()):
            arrival_s = request.arrival_s
            if arrival_s < newest_s:
                self._moved += 1
                if arrival_s < before_s:
                    raise self._file.refusal(
                        f"it came {before_s - arrival_s:g} s before a request more than {WINDOW}"
                        " lines above; sort the log by time"
                    )
            else:
                newest_s = arrival_s
            entry = (arrival_s, number, request)
            if len(waiting) < WINDOW:
                heappush(waiting, entry)
                continue
            before_s, _, earliest = heappushpop(waiting, entry)
            first_s = self._begin(before_s) if first_s is None else first_s
            yield Request(before_s - first_s, *earliest[1:])
        waiting.sort()
        for arrival_s, _, request in waiting:
            first_s = self._begin(arrival_s) if first_s is None else first_s
            yield Request(arrival_s - first_s, *request[1:])

    def _begin(self, first_s: float) -> float:
        self.begins = date_of(first_s)
        return first_s

    def _read(self) -> Iterator[Request]:
        """Yield the requests that can be simulated, line by line, with times of the log."""
        columns, file, out, prefixes = self.columns, self._file, self.left_out, self._prefixes
        asked = [columns.arrival, columns.input_tokens, columns.output_tokens, columns.model]
        asked.append(None if prefixes is None else prefixes.column)
        first_s = None
        for arrival, inputs, outputs, model, common in file.rows(asked):
            self.requests += 1
            arrival_s = 0.0 if columns.arrival is None else self._time(arrival)
            input_tokens = whole(inputs)
            output_tokens = whole(outputs)
            if input_tokens is None or output_tokens is None:
                bad = "input_tokens" if input_tokens is None else "output_tokens"
                raise self._not_a("whole number", bad, inputs if input_tokens is None else outputs)
            if input_tokens < 0 or output_tokens < 0:
                raise file.refusal(
                    f"input_tokens {input_tokens} and output_tokens {output_tokens} must not be"
                    " negative"
                )
            first_s = arrival_s if first_s is None else first_s
            if abs(arrival_s - first_s) > _MOST_S:
                raise file.refusal(
                    f"{columns.arrival} is {abs(arrival_s - first_s):.4g} s from the first line's,"
                    " more than 20 years; give its unit with --columns: arrival_ms or the like"
                )
            if model is not None and len(self._models) <= _FEW:
                self._models[str(model)] = None
            if output_tokens == 0:
                out.no_output += 1
            elif input_tokens == 0:
                out.no_input += 1
            elif beyond := out.beyond(input_tokens, output_tokens):
                beyond.count += 1
                if (tokens := beyond.most.length(input_tokens, output_tokens)) > beyond.tokens:
                    beyond.tokens, beyond.where = tokens, file.where
            elif prefixes is None:
                yield Request(arrival_s, input_tokens, output_tokens)
            else:
                found = prefixes.read(common, input_tokens)
                if found is None:
                    raise file.refusal(
                        f"{prefixes.column} must be {prefixes.wanted}, not {shown_value(common)}"
                    )
                yield Request(arrival_s, input_tokens, output_tokens, *found)

    def _time(self, value: Any) -> float:
        """Return a time of arrival in s; the first says how all are read."""
        columns = self.columns
        try:
            if self._reading is None:
                self._reading = reading_of(value, columns.unit_s, mooncake=columns.mooncake)
            time_s = self._reading.seconds(value)
            if isfinite(time_s):
                return time_s
        except (ValueError, TypeError, AttributeError, OverflowError):
            pass
        dates = self._reading is not None and self._reading.how == "a date"
        raise self._not_a("date as its first line's" if dates else "time", "arrival", value)

    def _not_a(self, wanted: str, name: str, value: Any) -> InputError:
        column = getattr(self.columns, name)
        if value is None:
            return self._file.refusal(f"no {column}")
        return self._file.refusal(f"{column} must be a {wanted}, not {shown_value(value)}")
