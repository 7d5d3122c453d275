"""What a server is: its model, its software, and how it takes prompts; or why it is of no use."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sweetspot.config import Endpoint
from sweetspot.engines.endpoint.client import Server, UnreachableError, UnseenError
from sweetspot.engines.endpoint.metrics import Counts, parse_metrics
from sweetspot.engines.endpoint.prompts import Style, text_of
from sweetspot.errors import InputError

if TYPE_CHECKING:
    import aiohttp

# Where servers say their version: vLLM and trtllm-serve, TGI, SGLang (the second is its older
# name, python/sglang/srt/entrypoints/http_server.py at 004c82e), llama.cpp.
_VERSIONS = {
    "/version": "version",
    "/info": "version",
    "/server_info": "version",
    "/get_server_info": "version",
    "/props": "build_info",
}
_PROBE_WORDS = (16, 32)
_REFUSED = (400, 422)  # what servers answer to a body that they do not take


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a server says that it is.

    Attributes:
        model: what it calls the model.
        software: what it runs; "" where it does not say.
        version: of that.
        version_path: where it says it; "" where it does not.
        unseen: why one of these could not be looked at, by its name.
    """

    model: str
    software: str
    version: str
    version_path: str = ""
    unseen: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """Its software and version, as records name them."""
        return f"{self.software} {self.version}".strip()

    def contradicts(self, other: "Identity") -> bool:
        """Return whether two are of different servers; what was not seen is no evidence."""
        return any(
            getattr(self, name) != getattr(other, name)
            for name in ("model", "software", "version")
            if name not in self.unseen and name not in other.unseen
        )

    def with_seen(self, now: "Identity") -> "Identity":
        """Return it with what only `now`, a later look that does not contradict it, has seen."""
        seen = {name: getattr(now, name) for name in self.unseen if name not in now.unseen}
        return replace(
            self,
            **seen,
            version_path=self.version_path or now.version_path,
            unseen={name: why for name, why in self.unseen.items() if name not in seen},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A server that answers.

    Attributes:
        identity: what it is.
        style: how it takes prompts.
    """

    identity: Identity
    style: Style


async def find(server: Server, session: "aiohttp.ClientSession", options: Endpoint) -> Found:
    """Ask a server what it is.

    Raises:
        UnreachableError: it does not answer, or is none.
        UnseenError: a version is wanted, and its own could not be looked at.
        RefusedError: it does not let us in.
        InputError: it has not the model or the version that is wanted, or refuses requests.
    """
    found = await identity(server, session, options)
    if options.version and found.version != options.version:
        if "version" in found.unseen:
            raise UnseenError(found.unseen["version"])
        raise InputError(
            f"the server at {server.url} is {found.software or 'something'}"
            f" {found.version or '(no version)'}, not {options.version}; set endpoint.version to"
            " what runs, or leave it out"
        )
    return Found(identity=found, style=await _style(server, session, found.model))


async def identity(
    server: Server,
    session: "aiohttp.ClientSession",
    options: Endpoint,
    version_path: str = "",
) -> Identity:
    """Return what a server says that it is; `version_path` is where it said its version before.

    Raises:
        UnreachableError: it does not answer, or is none.
        RefusedError: it does not let us in.
        InputError: it has not the model that is wanted.
    """
    models = await _models_of(server, session)
    model = _chosen(models, options.model, server)
    software, version, unseen = "", "", {}
    try:
        software = await _software(server, session)
        software = software or server.without_key(models[model].get("owned_by") or "")
    except UnseenError as error:
        unseen["software"] = str(error)
    try:
        version_path, version = await _version(server, session, version_path)
    except UnseenError as error:
        unseen["version"] = str(error)
    return Identity(
        model=model,
        software=software,
        version=version,
        version_path=version_path,
        unseen=unseen,
    )


async def _models_of(
    server: Server, session: "aiohttp.ClientSession"
) -> dict[str, Mapping[str, Any]]:
    """Return the models of a server, by their names.

    Raises:
        UnreachableError: it does not answer, or is none.
        RefusedError: it does not let us in.
    """
    answer = await server.get_json(session, "/v1/models")
    try:
        return {str(each["id"]): dict(each) for each in answer["data"]}
    except (KeyError, TypeError, ValueError) as error:
        raise UnreachableError(
            f"{server.url}/v1/models lists no models; endpoint.url must be that of an"
            " OpenAI-compatible server, without a path"
        ) from error


async def counts_of(server: Server, session: "aiohttp.ClientSession") -> Counts | None:
    """Return what a server counts; None where it shows nothing that is known.

    Raises:
        UnseenError: it could not be looked at.
    """
    page = await server.look(session, "/metrics")
    return None if page is None else parse_metrics(page)


def _chosen(models: Mapping[str, Any], wanted: str, server: Server) -> str:
    known = server.without_key(", ".join(models)) or "none"
    if not wanted:
        if len(models) != 1:
            raise InputError(f"the server has the models {known}; say which in endpoint.model")
        return next(iter(models))
    if wanted not in models:
        raise InputError(f"the server has no model {wanted!r} (endpoint.model); it has {known}")
    return wanted


async def _software(server: Server, session: "aiohttp.ClientSession") -> str:
    """Return what a server runs, by what it counts; "" where that is not known."""
    counts = await counts_of(server, session)
    return counts.kind if counts else ""


async def _version(server: Server, session: "aiohttp.ClientSession", path: str) -> tuple[str, str]:
    """Return where a server says its version, and the version; "" and "" where it says none.

    It is looked for at `path` first, if that is given, as pages of a gateway and of what is behind
    it may say different ones: where that page is only late or busy, no other is asked.

    Raises:
        UnseenError: no page says a version, and one could not be looked at.
    """
    if path and (version := await _version_at(server, session, path)):
        return path, version
    found = await asyncio.gather(
        *(_version_at(server, session, path) for path in _VERSIONS), return_exceptions=True
    )
    for where, said in zip(_VERSIONS, found, strict=True):
        if isinstance(said, str) and said:
            return where, said
    for error in found:
        if isinstance(error, BaseException):
            raise error
    return "", ""


async def _version_at(server: Server, session: "aiohttp.ClientSession", path: str) -> str:
    """Return the version that a page says; "" where it says none.

    Raises:
        UnseenError: it could not be looked at.
    """
    page = await server.look(session, path)
    try:
        version = json.loads(page or "").get(_VERSIONS[path])
    except (ValueError, AttributeError):  # what is no JSON object says no version
        return ""
    return server.without_key(version) if version else ""


async def _style(server: Server, session: "aiohttp.ClientSession", model: str) -> Style:
    """Return how a server takes prompts: as ids, or else as text, whose tokens it counts."""
    style = Style(model=model)
    answer = await server.ask(session, style.body("[11,12,13,14]", 2))
    if not answer.failure:
        return style
    if answer.status not in _REFUSED:
        raise InputError(f"a first request failed: {answer.failure}")
    refusal = answer.failure
    added = []
    for words in _PROBE_WORDS:
        text = json.dumps(text_of(words, words))
        answer = await server.ask(session, style.body(text, 2))
        if answer.failure:
            raise InputError(f"a first request failed: {refusal}; as text: {answer.failure}")
        added.append(answer.input_tokens - words)
    if len(set(added)) != 1 or added[0] < 0:
        raise InputError(
            "the server refuses token ids, and its tokenizer splits common words, so that no text"
            f" has a known number of tokens: {refusal}"
        )
    return Style(model=model, as_text=True, added_tokens=added[0])
