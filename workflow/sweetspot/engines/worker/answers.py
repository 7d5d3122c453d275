"""What workers may answer; workers/worker_main.py says to what."""

from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from sweetspot.errors import InputError
from sweetspot.reading import first_error, parse_json

SHOWN_CHARS = 80  # of an answer that is none


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Loaded(_Answer):
    """The answer to "load"; its facts go into the records of all cells."""

    ok: Literal[True]
    facts: dict[str, str]


class Ran(_Answer):
    """The answer to "run": times on the monotonic clock, counts of all passes together."""

    ok: Literal[True]
    start_s: FiniteFloat
    end_s: FiniteFloat
    passes: int = Field(ge=1)
    requests: int = Field(ge=0)
    input_tokens: int = Field(ge=0)
    output_tokens: int = Field(ge=0)
    max_concurrency: int | None = Field(ge=1)
    remarks: list[str]


class Refused(_Answer):
    """The answer to what a worker cannot do; `usable` says whether it can do other things."""

    ok: Literal[False]
    kind: Literal["setup", "out of memory", "error"]
    error: str
    usable: bool


Expected = TypeVar("Expected", Loaded, Ran)


def parse_answer(line: bytes, expected: type[Expected]) -> Expected | Refused:
    """Return the answer that a line holds.

    Raises:
        ValueError: it holds none; the message shows its beginning, and says what is wrong.
    """
    try:
        answer = parse_json(line, "it")
        refused = isinstance(answer, dict) and answer.get("ok") is False
        return (Refused if refused else expected).model_validate(answer)
    except ValidationError as e:
        wrong = first_error(e)
    except InputError as e:
        wrong = str(e)
    shown = line.decode(errors="replace")[:SHOWN_CHARS]
    raise ValueError(f"{shown!r}, which is no answer ({wrong})")
