"""What is wrong with data, in words for somebody who edits a file.

It knows of no key by name: what a value must be is said by its type, or beside it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from sweetspot.errors import InputError, shown, unknown_name

MOST_MISTAKES = 5
"""As many mistakes of one file are named; further ones are counted."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One value that cannot be.

    Attributes:
        path: keys and indices that lead to it.
        words: the whole sentence, given where it is: "limits.max_seq_len".
        shows_value: whether they do, which says more than where in a list it stands.
    """

    path: tuple[object, ...]
    words: Callable[[str], str]
    shows_value: bool = False

    def __str__(self) -> str:
        """Return the sentence."""
        path = self.path
        while self.shows_value and path and isinstance(path[-1], int):
            path = path[:-1]
        return self.words(".".join(map(str, path)))


class MistakesError(InputError):
    """All that is wrong with data; its text is one line."""

    def __init__(self, *found: Mistake) -> None:
        """Hold mistakes, in order."""
        super().__init__(found)
        self.found = found

    def __str__(self) -> str:
        """Name each mistake once, the first of them only where they are many."""
        words = list(dict.fromkeys(map(str, self.found)))
        more = [f"and {len(words) - MOST_MISTAKES} more"] if len(words) > MOST_MISTAKES else []
        # a key may hold line breaks
        return " ".join("; ".join([*words[:MOST_MISTAKES], *more]).split())

    def inside(self, key: object) -> tuple[Mistake, ...]:
        """Return the mistakes as those of a value that has this key."""
        return tuple(replace(each, path=(key, *each.path)) for each in self.found)


def must_be(wanted: str, value: object, advice: str = "") -> MistakesError:
    """Say what a value "must be", and which one was met."""
    end = f", not {shown(value)}{advice}"
    return MistakesError(
        Mistake((), lambda where: f"{where or 'the whole of it'} {wanted}{end}", shows_value=True)
    )


def must_be_text(value: object) -> MistakesError:
    """Say it of a value that is to be text, which quotes would make it."""
    quoted = "" if value is None or isinstance(value, Iterable) else "; write it in quotes"
    return must_be("must be text", value, quoted)


def is_empty() -> MistakesError:
    """Say it of a value that is to hold something."""
    return MistakesError(
        Mistake((), lambda where: f"{where} is empty; it needs at least one entry")
    )


def wrong(why: str) -> MistakesError:
    """Say what a rule of our own says of a value, or of several together."""
    return MistakesError(Mistake((), lambda where: f"{where}: {why}" if where else why))


def missing(key: str) -> Mistake:
    """Say that a key has to be there."""
    return Mistake((key,), lambda where: f"{where} is missing")


def unknown_key(key: object, known: Iterable[str]) -> Mistake:
    """Say that there is no such key, and which one may be meant."""

    def words(where: str) -> str:
        section = f" in {where}" if where else ""
        return str(unknown_name(f"key{section}", str(key), known))

    return Mistake((), words)


def of_name(error: MistakesError) -> tuple[Mistake, ...]:
    """Return the mistakes in a name, of a mapping whose names are free, as those of the mapping."""
    return tuple(
        replace(each, words=lambda where, said=each.words: said(f"{where}: name"))  # type: ignore[misc]
        for each in error.found
    )
