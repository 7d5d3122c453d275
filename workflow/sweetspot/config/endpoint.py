"""The section of the engine `endpoint`: a server that already runs."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from sweetspot.config.sections import Natural, Section, Seed
from sweetspot.credentials import secret_in
from sweetspot.schema.keys import Range
from sweetspot.schema.mistakes import wrong

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*", re.ASCII)
_LARGEST_PORT = 65535


@dataclass(frozen=True, kw_only=True)
class Endpoint(Section):
    """The engine `endpoint`: a running server that speaks OpenAI's API."""

    weights: ClassVar[str] = "server"
    """They are the server's own: no checkpoint is asked for, none is drawn."""

    PLACES: ClassVar[frozenset[str]] = frozenset({"url", "api_key_env", "gpus", "arrivals_log"})
    """What says where something is, which decides no value of a cell."""

    LOG_DIGEST: ClassVar[str] = "arrivals_log_sha256"
    """What a block's options have of that log beside its path."""

    url: Annotated[
        str,
        "Where the server answers, without `/v1`: `http://127.0.0.1:8000`. It has to be on the "
        "machine that measures, whose GPUs are metered.",
    ] = "http://127.0.0.1:8000"
    version: Annotated[
        str,
        "Version of the server's software; another one found is refused. Left empty: whatever "
        "runs, which each record names.",
    ] = ""
    model: Annotated[
        str,
        "What the server calls the model. Left empty: the only one that it has.",
    ] = ""
    api_key_env: Annotated[
        str,
        "Name of the environment variable that holds the server's API key, in capitals; the key "
        "itself stands in no file and no output. Left empty: no key is sent.",
    ] = ""
    gpus: Annotated[
        list[str] | None,
        "UUIDs (`nvidia-smi -L`) of the boards that the server computes on. Left out: those that "
        "its processes are on, where they can be told.",
    ] = None
    arrivals: Annotated[
        Literal["at-once", "poisson", "log"],
        "`at-once`: all requests of a cell together, as in the paper. `poisson`: at "
        "`rate_per_s`. `log`: when those of `arrivals_log` came.",
    ] = "at-once"
    rate_per_s: Annotated[
        float | None, Range(gt=0, le=1e6), "Mean arrivals per s of `poisson`."
    ] = None
    arrivals_seed: Annotated[Seed, "Another seed draws other arrivals."] = 0
    arrivals_log: Annotated[
        Path | None,
        "Log of requests ([formats](serving.md)) whose first N times of arrival a cell of N "
        "requests takes; its lengths stay the cell's.",
    ] = None
    warmup: Annotated[
        Natural, "Requests that run before the measured window of each cell, for a few tokens."
    ] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if kind := secret_in(self.url):
            raise wrong(f"url holds {kind}, which records would show; use api_key_env")
        if (problem := _problem(self.url)) is not None:
            raise wrong(f"url {self.url!r} {problem}; it looks like http://127.0.0.1:8000")
        if self.api_key_env and not _VARIABLE.fullmatch(self.api_key_env):
            # what stands there may be the key
            raise wrong("api_key_env must be the name of a variable, in capitals, not a key")
        if self.gpus is not None and (not self.gpus or len(set(self.gpus)) != len(self.gpus)):
            raise wrong("gpus must name one UUID or more, each once; see nvidia-smi -L")
        for name, kind in (("rate_per_s", "poisson"), ("arrivals_log", "log")):
            if (getattr(self, name) is not None) != (self.arrivals == kind):
                raise wrong(f"{name} and arrivals: {kind} go together; give both, or neither")

    @property
    def base_url(self) -> str:
        """The URL without what paths are appended to."""
        return self.url.rstrip("/").removesuffix("/v1")


def _problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return f"is none ({error})"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "has no http:// or https:// and host"
    if parts.query or parts.fragment:
        return "has a query or fragment"
    if port is not None and not 0 < port <= _LARGEST_PORT:
        return "has no possible port"
    return None
