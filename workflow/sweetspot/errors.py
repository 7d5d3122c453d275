"""What can go wrong, and whose turn it is.

SweetspotError
├── InputError      the user can repair it: a config key, a file, a number out of range
│   └── TooFewCellsError   a fit needs more cells than there are
├── EngineError     the inference engine is missing, failed or answered nonsense
├── MeterError      the power meter is missing or cannot be trusted
└── TelemetryError  a broker or a store does not take samples, or does not give them back

Every one of them is shown as one line and ends the command with exit code 2.
"""

import re
from collections.abc import Iterable
from reprlib import Repr

_SHORT = Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother, _SHORT.maxlong = 2, 200, 200, 200
_WHO_IN_URL = re.compile(r"(?<=://)[^/\s@]+(?=@)")


class SweetspotError(Exception):
    """Base of everything that the command line shows as one line."""


class InputError(SweetspotError):
    """The user can repair this; the message says how."""


class TooFewCellsError(InputError):
    """A fit needs more cells than there are."""


class EngineError(SweetspotError):
    """The inference engine is missing, failed or answered nonsense."""


class MeterError(SweetspotError):
    """The power meter is missing or cannot be trusted."""


class TelemetryError(SweetspotError):
    """A broker or a store does not take samples, or does not give them back."""


def shown(value: object) -> str:
    """Return the value met as a message shows it, however large it is, without a URL's password."""
    return _WHO_IN_URL.sub("...", _SHORT.repr(value))


def one_line(message: object) -> str:
    """Return a message as a terminal may show it: a line, in which nothing moves or hides text."""
    text = " ".join(str(message).split())
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(character: str) -> str:
    return character if character.isprintable() else ascii(character)[1:-1]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the valid name that a mistyped one most likely stands for, if any is near."""
    from difflib import get_close_matches  # a command that is well typed does without

    names = {each.lower(): each for each in sorted(known)}
    name = name.lower()
    # "llama" means "llama-3.1-8b", though "opt-1.3b" may have more letters in common with it.
    near = [each for each in names if name and each.startswith(name)]
    near = near or get_close_matches(name, names, n=1, cutoff=0.5)
    return names[near[0]] if near else None


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Return the error for a name that is in no list, with the nearest valid one first."""
    names = sorted(known)
    near = nearest(name, names)
    hint = f"did you mean {near!r}? " if near else ""
    return InputError(f"unknown {kind} {shown(name)}; {hint}known: {', '.join(names)}")
