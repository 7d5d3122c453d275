"""Talking HTTP to a server, and what goes wrong there in words.

The API key is in the requests' headers and in nothing that is said of them: whatever a server
answers is shown without it.
"""

import asyncio
import json
import os
import ssl
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from sweetspot.engines.endpoint.answers import Answer, AnswerError, read_stream
from sweetspot.errors import EngineError, InputError, one_line

if TYPE_CHECKING:
    import aiohttp

Result = TypeVar("Result")

_CONNECT_S = 10.0
_SHOWN = 300  # characters of what a server answers
_READ = 2**20  # most bytes of an answer that is no stream
_LINE = 2**22  # longest line of a stream

LOOKS = 3
"""How often a page that says what a server is, or counts, is looked at before that is given up."""

_LOOK_S = 5.0  # longest that one look takes, as such a page is a small one
_AGAIN_S = 0.5  # between two
_NOT_NOW = (408, 429, 500, 502, 503, 504)  # statuses that say nothing of what there is

_STATUS_ADVICE = {
    401: "name the variable that holds the server's key in endpoint.api_key_env",
    403: "name the variable that holds the server's key in endpoint.api_key_env",
}


class UnreachableError(EngineError):
    """The server does not answer, or not as such a server does; the message says what to do."""


class UnseenError(EngineError):
    """A page of the server could not be looked at, so that nothing is known of it."""


class RefusedError(EngineError):
    """The server answered with another status than 200."""

    def __init__(self, status: int, message: str) -> None:
        """Keep the status, which may call for another way of asking."""
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is, and what it wants to see.

    Attributes:
        url: without a path.
        key: its API key; shown nowhere.
        timeout_s: longest silence of an answer.
        silent: paths of pages that could not be looked at the last time.
    """

    url: str
    key: str = field(default="", repr=False)
    timeout_s: float = 600.0
    silent: set[str] = field(default_factory=set, repr=False, compare=False)

    def without_key(self, text: object) -> str:
        """Return what may be shown of a text that the server, or a library, made."""
        shown = one_line(text)
        return shown.replace(self.key, "(key)") if self.key else shown

    @asynccontextmanager
    async def session(self) -> AsyncIterator["aiohttp.ClientSession"]:
        """Yield what connections are kept in: as many as there are requests."""
        import aiohttp

        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=_CONNECT_S, sock_read=self.timeout_s
        )
        # its own, as the library makes one when it is loaded, before a user may name an authority
        tls = ssl.create_default_context() if self.url.startswith("https:") else True
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=tls),
            timeout=timeout,
            headers=headers,
            read_bufsize=_LINE,
        ) as session:
            yield session

    async def get(self, session: "aiohttp.ClientSession", path: str) -> str:
        """Return the text at a path.

        Raises:
            UnreachableError: there is no answer.
            RefusedError: it has another status than 200.
        """
        import aiohttp

        try:
            async with session.get(self.url + path, allow_redirects=False) as response:
                await self._require_ok(response)
                content = await _whole(response)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnreachableError(self._in_words(error)) from error
        return content.decode(errors="replace")

    async def get_json(self, session: "aiohttp.ClientSession", path: str) -> Mapping[str, Any]:
        """Return the JSON object at a path.

        Raises:
            UnreachableError: there is no answer, or it is none.
            RefusedError: it has another status than 200.
        """
        text = await self.get(session, path)
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            what = "HTML" if text.lstrip()[:1] == "<" else "something"
            raise UnreachableError(
                f"{self.url}{path} answers with {what} that is not JSON; endpoint.url must be that"
                " of an OpenAI-compatible server, without a path"
            )
        return found

    async def look(self, session: "aiohttp.ClientSession", path: str) -> str | None:
        """Return the text at a path; None where the server answers that it shows none.

        An answer that is late or fails is no answer: the server is looked at again, but only once
        where it was in vain the last time. Some gateways answer so wherever they have no page, and
        each cell would wait for them.

        Raises:
            UnseenError: no look had an answer.
        """
        looks = 1 if path in self.silent else LOOKS
        for number in range(looks):
            if number:
                await asyncio.sleep(_AGAIN_S)
            try:
                page = await asyncio.wait_for(self.get(session, path), _LOOK_S)
            except RefusedError as error:
                if error.status not in _NOT_NOW:
                    self.silent.discard(path)
                    return None
                reason = str(error)
            except UnreachableError as error:
                reason = str(error)
            except TimeoutError:
                reason = f"no answer in {_LOOK_S:g} s"
            else:
                self.silent.discard(path)
                return page
        self.silent.add(path)
        times = f"{looks} times" if looks > 1 else "again"
        raise UnseenError(f"the server's {path} could not be looked at, {times}: {reason}")

    async def ask(self, session: "aiohttp.ClientSession", body: bytes) -> Answer:
        """Ask for a streamed completion; what goes wrong is said in the answer."""
        import aiohttp

        answer = Answer(sent_s=monotonic())
        try:
            async with session.post(
                f"{self.url}/v1/completions",
                data=body,
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
            ) as response:
                answer.status = response.status
                await self._require_ok(response)
                if response.content_type != "text/event-stream":
                    raise AnswerError(f"the server streams nothing, but {response.content_type}")
                await read_stream(response.content, answer)
        except RefusedError as error:
            answer.failure = str(error)
        except AnswerError as error:
            answer.failure = self.without_key(error)[:_SHOWN]
        except aiohttp.ClientPayloadError:
            answer.failure = (
                f"the stream was cut in the middle, after {len(answer.chunks_s)} pieces"
            )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            answer.failure = self._in_words(error)
        return answer

    async def _require_ok(self, response: "aiohttp.ClientResponse") -> None:
        """Raise RefusedError for any other status than 200, with what the server says of it."""
        if response.status == 200:
            return
        content = (await _whole(response)).decode(errors="replace")
        said = self.without_key(_message(content))[:_SHOWN]
        reason = f"{response.status} {self.without_key(response.reason or '')}".strip()
        advice = _STATUS_ADVICE.get(response.status, "")
        raise RefusedError(
            response.status,
            f"the server answers {reason}{f': {said}' if said else ''}"
            f"{f'; {advice}' if advice else ''}",
        )

    def _in_words(self, error: BaseException) -> str:
        import aiohttp

        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            what = self.without_key(error.certificate_error)
            return (
                f"the certificate of {self.url} is not trusted ({what}); name the file of its"
                " authority in the environment variable SSL_CERT_FILE"
            )
        if isinstance(error, aiohttp.ClientSSLError):
            return f"{self.url} does not speak TLS; write http:// where the server has none"
        if isinstance(error, aiohttp.ServerDisconnectedError):
            return f"the server at {self.url} closed the connection"
        if isinstance(error, TimeoutError):
            return f"no answer from {self.url} in time"
        if isinstance(error, aiohttp.ClientConnectorDNSError):
            return f"the host of {self.url} is unknown"
        if isinstance(error, (aiohttp.ClientConnectorError, ConnectionRefusedError)):
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else "no way there"
            return f"nothing answers at {self.url} ({reason}); is the server up, is endpoint.url it"
        if isinstance(error, ConnectionError):
            return f"the server at {self.url} closed the connection"
        if isinstance(error, aiohttp.ClientResponseError):
            return f"what answers at {self.url} does not speak HTTP"
        return f"{self.url}: {self.without_key(error) or type(error).__name__}"


async def _whole(response: "aiohttp.ClientResponse") -> bytes:
    """Return an answer that is no stream, as far as anybody reads it; it may come in pieces."""
    content = b""
    while len(content) < _READ and (piece := await response.content.read(_READ - len(content))):
        content += piece
    return content


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run what talks to a server to its end."""
    return asyncio.run(work)


def key_of(variable: str) -> str:
    """Return the API key that an environment variable holds; "" where none is named.

    Raises:
        InputError: it holds none, or what no header can.
    """
    if not variable:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise InputError("endpoint.api_key_env names a variable that is not set; export it")
    if not (key.isascii() and key.isprintable()):
        raise InputError("the variable of endpoint.api_key_env holds what no header can")
    return key


def _message(content: str) -> str:
    """Return what an error's body says, as servers word it in JSON; "" for a page."""
    try:
        found = json.loads(content)
    except ValueError:
        return "" if content.lstrip()[:1] == "<" else content
    for name in ("error", "message", "detail"):
        if isinstance(found, dict) and name in found:
            found = found[name]
    return found if isinstance(found, str) else json.dumps(found)
