"""What a server is: its model, its software, and how it takes prompts; or why it is of no use."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweetspot.config import Endpoint
from sweetspot.engines.endpoint.client import RefusedError, Server, UnreachableError
from sweetspot.engines.endpoint.metrics import Counts, parse_metrics
from sweetspot.engines.endpoint.prompts import Style, text_of
from sweetspot.errors import InputError

if TYPE_CHECKING:
    import aiohttp

# Where servers say their version: vLLM and trtllm-serve, TGI, SGLang, llama.cpp.
_VERSIONS = (
    ("/version", "version"),
    ("/info", "version"),
    ("/get_server_info", "version"),
    ("/props", "build_info"),
)
_PROBE_WORDS = (16, 32)
_REFUSED = (400, 422)  # what servers answer to a body that they do not take


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A server that answers.

    Attributes:
        software: what it runs, as it says itself; "" where it does not.
        version: of that.
        style: how it takes prompts.
    """

    software: str
    version: str
    style: Style

    @property
    def words(self) -> str:
        """Its software and version, as records name them."""
        return f"{self.software} {self.version}".strip()


async def find(server: Server, session: "aiohttp.ClientSession", options: Endpoint) -> Found:
    """Ask a server what it is.

    Raises:
        UnreachableError: it does not answer, or is none.
        RefusedError: it does not let us in.
        InputError: it has not the model or the version that is wanted, or refuses requests.
    """
    model, software, version = await identity(server, session, options)
    if options.version and version != options.version:
        raise InputError(
            f"the server at {server.url} is {software or 'something'} {version or '(no version)'},"
            f" not {options.version}; set endpoint.version to what runs, or leave it out"
        )
    style = await _style(server, session, model)
    return Found(software=software, version=version, style=style)


async def identity(
    server: Server, session: "aiohttp.ClientSession", options: Endpoint
) -> tuple[str, str, str]:
    """Return what a server calls its model, its software and the version of that.

    Raises:
        UnreachableError: it does not answer, or is none.
        RefusedError: it does not let us in.
        InputError: it has not the model that is wanted.
    """
    models = await _models_of(server, session)
    model = _chosen(models, options.model, server)
    counts = await counts_of(server, session)
    software = counts.kind if counts else server.without_key(models[model].get("owned_by") or "")
    return model, software, await _version(server, session)


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
    """Return what a server counts; None where it shows nothing that is known."""
    try:
        return parse_metrics(await server.get(session, "/metrics"))
    except (UnreachableError, RefusedError):
        return None


def _chosen(models: Mapping[str, Any], wanted: str, server: Server) -> str:
    known = server.without_key(", ".join(models)) or "none"
    if not wanted:
        if len(models) != 1:
            raise InputError(f"the server has the models {known}; say which in endpoint.model")
        return next(iter(models))
    if wanted not in models:
        raise InputError(f"the server has no model {wanted!r} (endpoint.model); it has {known}")
    return wanted


async def _version(server: Server, session: "aiohttp.ClientSession") -> str:
    for path, name in _VERSIONS:
        try:
            found = (await server.get_json(session, path)).get(name)
        except (UnreachableError, RefusedError):
            continue
        if found:
            return server.without_key(found)
    return ""


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
