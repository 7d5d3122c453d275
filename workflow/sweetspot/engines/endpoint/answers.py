"""One streamed answer of a server: when its tokens came, and how many the server counted."""

import json
from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

_DATA = b"data:"
_DONE = b"[DONE]"


class AnswerError(Exception):
    """A stream holds no whole answer; the message says why."""


@dataclass(slots=True)
class Answer:
    """What came of a request.

    Attributes:
        sent_s, end_s: when it was sent, and when its last token came, on the monotonic clock.
        chunks_s: when pieces of the answer came, each of one token or more.
        input_tokens, output_tokens, cached_tokens: as the server counted them.
        failure: why there is no whole answer; "" if there is.
        status: HTTP status; 0 where there was none.
    """

    sent_s: float
    end_s: float = 0.0
    chunks_s: list[float] = field(default_factory=list)
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    failure: str = ""
    status: int = 0


async def read_stream(lines: AsyncIterable[bytes], answer: Answer) -> None:
    """Read server-sent events into `answer` until they end.

    Raises:
        AnswerError: the server says an error, ends too soon, or counts no tokens.
    """
    counted = False
    async for line in lines:
        if not line.startswith(_DATA):
            continue
        at_s, data = monotonic(), line[len(_DATA) :].strip()
        if data == _DONE:
            break
        event = _event(data)
        if "error" in event:
            raise AnswerError(f"the server broke off with {_words(event['error'])}")
        if event.get("choices"):
            answer.chunks_s.append(at_s)
        usage = event.get("usage")
        if isinstance(usage, dict):
            counted = True
            _count(usage, answer)
    else:
        raise AnswerError(f"the stream ended without [DONE], after {len(answer.chunks_s)} pieces")
    if not answer.chunks_s:
        raise AnswerError("the answer is empty")
    if not counted:
        raise AnswerError("the server counts no tokens (stream_options.include_usage)")
    answer.end_s = answer.chunks_s[-1]


def _event(data: bytes) -> dict[str, Any]:
    try:
        event = json.loads(data)
    except ValueError as error:
        raise AnswerError(f"the stream holds what is no JSON: {data!r}") from error
    if not isinstance(event, dict):
        raise AnswerError(f"the stream holds what is no event: {data!r}")
    return event


def _count(usage: dict[str, Any], answer: Answer) -> None:
    details = usage.get("prompt_tokens_details") or {}
    try:
        answer.input_tokens = int(usage["prompt_tokens"])
        answer.output_tokens = int(usage["completion_tokens"])
        answer.cached_tokens = int(details.get("cached_tokens") or 0)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AnswerError(f"the server's usage cannot be read: {usage}") from error


def _words(error: Any) -> str:
    message = error.get("message") if isinstance(error, dict) else error
    return f"an error: {message or error}"
