"""Request traces: CSV files that say when each request arrived and how long it was."""

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from sweetspot.errors import InputError, shown
from sweetspot.simulator.schedule.requests import Request

COLUMNS = ("arrival_s", "input_tokens", "output_tokens")


def read_trace(path: Path, *, max_seq_len: int) -> Iterator[Request]:
    """Yield the requests of a trace, one line at a time, so that it may be of any length.

    The file is CSV with a header that has `arrival_s,input_tokens,output_tokens`, in any order
    and beside other columns. Times are in s, from any origin; the first request arrives at 0 s.

    Args:
        path: the file.
        max_seq_len: longest sequence, I + O, that is accepted.

    Raises:
        InputError: the file cannot be read, is empty, or has a line that is not a request, comes
            before the one above it in time, or is too long. The message names file and line. The
            header is read at once, every other line when it is its turn.
    """
    try:
        file = path.open(encoding="utf-8-sig", newline="")
    except OSError as e:
        raise InputError(f"cannot read trace {path}: {e.strerror}") from e
    try:
        rows = csv.reader(file)
        header = next(rows, None)
        places = _places(header, path)
    except InputError:
        file.close()
        raise
    except (csv.Error, UnicodeDecodeError, OSError) as e:
        file.close()
        raise InputError(f"cannot read trace {path}: {e}") from e
    return _requests(file, places, len(header or ()), path, max_seq_len)


def _places(header: list[str] | None, path: Path) -> tuple[int, int, int]:
    """Return where the three columns stand."""
    if header is None:
        raise InputError(f"trace {path} is empty; it needs the header {','.join(COLUMNS)}")
    names = [name.strip() for name in header]
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise InputError(
            f"{path}, line 1: no column {' or '.join(missing)} in {shown(','.join(names))};"
            f" a trace has the header {','.join(COLUMNS)}"
        )
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if twice:
        raise InputError(f"{path}, line 1: column {twice[0]} stands twice; keep one of them")
    arrival, prompt, answer = (names.index(name) for name in COLUMNS)
    return arrival, prompt, answer


def _requests(
    file: TextIO, places: tuple[int, int, int], width: int, path: Path, max_seq_len: int
) -> Iterator[Request]:
    rows = csv.reader(file)
    arrival, prompt, answer = places
    first_s = before_s = None
    line = 1
    with file:
        try:
            for row in rows:
                line = rows.line_num + 1  # the header's line is not in this reader's count
                if not row:
                    continue
                if len(row) > width and any(row[width:]):  # as of "0,5" for half a second
                    raise InputError(
                        f"{path}, line {line}: {len(row)} columns, but {width} in the header;"
                        " decimals need a point, not a comma"
                    )
                try:
                    arrival_s = float(row[arrival])
                    input_tokens, output_tokens = int(row[prompt]), int(row[answer])
                except (ValueError, IndexError) as e:
                    raise _not_a_request(row, places, f"{path}, line {line}") from e
                if not math.isfinite(arrival_s):
                    raise _not_a_request(row, places, f"{path}, line {line}")
                if before_s is None or first_s is None:
                    first_s = before_s = arrival_s
                if arrival_s < before_s:
                    raise InputError(
                        f"{path}, line {line}: arrival_s {arrival_s:g} is before the"
                        f" {before_s:g} of the line above; sort the trace by arrival_s"
                    )
                if input_tokens < 1 or output_tokens < 1:
                    raise InputError(
                        f"{path}, line {line}: input_tokens {input_tokens} and output_tokens"
                        f" {output_tokens} must both be at least 1"
                    )
                if input_tokens + output_tokens > max_seq_len:
                    raise InputError(
                        f"{path}, line {line}: {input_tokens} + {output_tokens} tokens are more"
                        f" than max_seq_len {max_seq_len}; shorten them or raise max_seq_len"
                    )
                before_s = arrival_s
                yield Request(arrival_s - first_s, input_tokens, output_tokens)
        except (csv.Error, UnicodeDecodeError, OSError) as e:
            # without the line: a file is decoded further than it is read
            raise InputError(f"cannot read trace {path}: {e}") from e
    if first_s is None:
        raise InputError(f"trace {path} holds no requests, only a header")


def _not_a_request(row: list[str], places: tuple[int, int, int], where: str) -> InputError:
    """Return the error for a line whose fields are missing or no numbers, and say which."""
    for name, place in zip(COLUMNS, places, strict=True):
        if place >= len(row):
            return InputError(f"{where}: no {name}; the line has {len(row)} columns only")
        wanted = "a finite number of seconds" if name == "arrival_s" else "a whole number"
        try:
            number = float(row[place]) if name == "arrival_s" else int(row[place])
        except ValueError:
            number = math.nan
        if not -math.inf < number < math.inf:
            return InputError(f"{where}: {name} must be {wanted}, not {shown(row[place])}")
    return InputError(f"{where}: {shown(','.join(row))} is not a request")
