"""The section `node.telemetry`: where samples are sent while they are taken."""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from sweetspot.config.sections import Section
from sweetspot.credentials import secret_in
from sweetspot.schema.keys import Range
from sweetspot.schema.mistakes import wrong

Kind = Literal["mqtt", "iotdb", "influx", "prometheus", "examon"]

# Scheme -> what is spoken there, whether by TLS, and the port where none is named.
_SCHEMES: dict[str, tuple[Kind, bool, int]] = {
    "mqtt": ("mqtt", False, 1883),
    "mqtts": ("mqtt", True, 8883),
    "iotdb": ("iotdb", False, 6667),
    "iotdbs": ("iotdb", True, 6667),
    "influx+http": ("influx", False, 8086),
    "influx+https": ("influx", True, 8086),
    "prometheus": ("prometheus", False, 9400),
    "examon+http": ("examon", False, 8083),
    "examon+https": ("examon", True, 8083),
}
# The first is what holds where none is named.
_FORMATS: dict[Kind, tuple[str, ...]] = {
    "mqtt": ("examon", "iotdb-json"),
    "iotdb": ("tree", "table", "examon"),
    "influx": (),
    "prometheus": (),
    "examon": (),
}
# What says where in it samples are -> of which of them, in which formats.
_WHERE: dict[str, dict[Kind, tuple[str, ...]]] = {
    "topic": {"mqtt": ("examon", "iotdb-json")},
    "path": {"mqtt": ("iotdb-json",), "iotdb": ("tree", "examon")},
    "database": {"iotdb": ("tree", "table"), "influx": ("",)},
}
_TIMEOUT_S = 5
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*", re.ASCII)
_PLACE = re.compile(r"\{(\w*)\}")
PLACES = ("host", "gpu")
"""What a topic may name in braces: the node, and the UUID of the board."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """What a URL says of where a broker or a store is.

    Attributes:
        path: what follows host and port, without slashes at its ends: a database.
    """

    scheme: str
    kind: Kind
    tls: bool
    host: str
    port: int
    path: str = ""

    @property
    def name(self) -> str:
        """The URL in full: as messages show it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        path = f"/{self.path}" if self.path else ""
        return f"{self.scheme}://{host}:{self.port}{path}"


def parse_address(url: str) -> Address:
    """Return what a URL says.

    Raises:
        MistakesError: it is none, or has a password in it, which is not shown.
    """
    if secret_in(url) or "@" in url:
        raise wrong(
            "url holds a user or a password, which records would show; use user and"
            " password_env or password_file"
        )
    looks = "; it looks like mqtt://broker:1883, iotdb://store:6667 or influx+http://store:8086/db"
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError as error:
        raise wrong(f"url {url!r} is none ({error}){looks}") from error
    if parts.scheme not in _SCHEMES:
        raise wrong(f"url {url!r} must begin with {', '.join(_SCHEMES)} and ://{looks}")
    if parts.query or parts.fragment:  # one may hold a password
        raise wrong(f"url has a query or fragment, which nothing here has a use for{looks}")
    if not host or port == 0:
        raise wrong(f"url {url!r} has no {'possible port' if host else 'host'}{looks}")
    kind, tls, default = _SCHEMES[parts.scheme]
    path = unquote(parts.path).strip("/")
    if path and kind in ("mqtt", "prometheus", "examon"):
        raise wrong(f"url {url!r} has a path, for which {parts.scheme}:// has no use")
    return Address(
        scheme=parts.scheme, kind=kind, tls=tls, host=host, port=port or default, path=path
    )


@dataclass(frozen=True, kw_only=True)
class TelemetrySink(Section):
    """A broker or a store: where it is, who asks, and how samples are laid out in it."""

    url: Annotated[
        str,
        "Where: `mqtt://host:1883` a broker, as ExaMon has it, `iotdb://host:6667` Apache IoTDB,"
        " `influx+http://host:8086/database` InfluxDB 1.x, VictoriaMetrics, QuestDB or Telegraf;"
        " by TLS `mqtts://`, `iotdbs://`, `influx+https://`. `prometheus://127.0.0.1:9400` shows"
        " the last sample to Prometheus, which asks for it there. `examon+http://host:8083` is"
        " KairosDB behind ExaMon's broker, to read from only.",
    ]
    name: Annotated[
        str, "What commands may call it (`sweetspot telemetry`). Left empty: by its URL."
    ] = ""
    user: Annotated[str, "Who asks. Left empty: nobody in particular."] = ""
    password_env: Annotated[
        str,
        "Name of the environment variable that holds the password, in capitals; the password itself"
        " stands in no file and no output of ours.",
    ] = ""
    password_file: Annotated[
        Path | None, "File whose first line is the password, on the node that measures."
    ] = None
    ca: Annotated[
        Path | None,
        "File of the certificates that a server by TLS is checked against. Left out: the system's.",
    ] = None
    format: Annotated[
        str,
        "Of a broker `examon` (a topic a metric, `value;seconds`) or `iotdb-json` (what IoTDB's"
        " own broker takes), of IoTDB `tree` or `table`, or, to read only, `examon`, a path that a"
        " cluster has anyway. Left empty: the first of them.",
    ] = ""
    topic: Annotated[
        str,
        "Of a broker: what precedes the metric; of `iotdb-json` the topic. `{host}` and `{gpu}`"
        " stand for the node's name and the board's UUID. Left empty: [as ExaMon has"
        " it](telemetry.md).",
    ] = ""
    path: Annotated[
        str,
        "Of IoTDB's tree, also by a broker in `iotdb-json`: the path above node and board, as"
        " `root.sweetspot`; of its format `examon` a device's, as"
        " `root.cluster.{host}.nvml_pub.{gpu}`.",
    ] = ""
    database: Annotated[str, "Of IoTDB's tables and of InfluxDB, where the URL names none."] = ""
    timeout_s: Annotated[
        float,
        Range(gt=0, le=60),
        "A call that takes longer, in s, has failed; its samples are sent once more.",
    ] = _TIMEOUT_S

    def __post_init__(self) -> None:
        super().__post_init__()
        address = parse_address(self.url)
        formats = _FORMATS[address.kind]
        if self.format and self.format not in formats:
            known = f"must be {' or '.join(map(repr, formats))}" if formats else "must be left out"
            raise wrong(f"format {known} with {address.scheme}://, not {self.format!r}")
        if self.password_env and not _VARIABLE.fullmatch(self.password_env):
            # what stands there may be the password
            raise wrong("password_env must be the name of a variable, in capitals, not a password")
        if self.password_env and self.password_file is not None:
            raise wrong("password_env and password_file both name a password; give one of them")
        self._require_login(address)
        if self.ca is not None and not address.tls:
            raise wrong(f"ca is for TLS, which {address.scheme}:// has not; use the scheme with it")
        self._require_places(address)

    def _require_login(self, address: Address) -> None:
        has_password = bool(self.password_env) or self.password_file is not None
        if address.kind == "prometheus" and (self.user or has_password):
            raise wrong("prometheus:// has no user and no password: whoever asks is answered")
        if has_password and not self.user and address.kind != "influx":  # which knows tokens
            raise wrong("a password needs a user; give both")
        if self.user and not has_password and address.kind in ("influx", "examon"):
            raise wrong(f"a user of {address.scheme}:// needs a password; give both")

    def _require_places(self, address: Address) -> None:
        for name, layouts in _WHERE.items():
            if not getattr(self, name) or self.layout in layouts.get(address.kind, ()):
                continue
            of = f" of format {self.layout}" if address.kind in layouts else ""
            raise wrong(f"{name} is nothing that {address.scheme}://{of} has; leave it out")
        if self.database and address.path:
            raise wrong("database and the path of url both name a database; give one of them")
        if address.path and self.layout == "examon":
            raise wrong("the path of url names a database, which format examon has not: use path")
        if self.path and self.store:
            raise wrong("path and database both say where in the tree; give path alone")
        if self.timeout_s != _TIMEOUT_S and address.kind == "prometheus":
            raise wrong("timeout_s is nothing that prometheus:// has, which calls nobody")
        for place in _PLACE.findall(self.topic):
            if place not in PLACES:
                raise wrong(f"topic names {{{place}}}; it may name {{host}} and {{gpu}}")
        if any(each in _PLACE.sub("", self.topic) for each in "{}"):
            raise wrong("topic holds { or } that name nothing; it may name {host} and {gpu}")
        if any(each in self.topic for each in "+#"):
            raise wrong("topic holds + or #, which brokers keep for subscriptions")

    @property
    def address(self) -> Address:
        """What its URL says."""
        return parse_address(self.url)

    @property
    def layout(self) -> str:
        """The format in force; "" of what has one only."""
        return self.format or next(iter(_FORMATS[self.address.kind]), "")

    @property
    def store(self) -> str:
        """The database that is named, in the URL or beside it."""
        return self.database or self.address.path


@dataclass(frozen=True, kw_only=True)
class Telemetry(Section):
    """Where samples of measured cells are sent while they are taken."""

    sinks: Annotated[
        list[TelemetrySink], "Brokers and stores; each gets every sample. Left out: none."
    ] = field(default_factory=list)
    interval_s: Annotated[
        float,
        Range(ge=0.1, le=60),
        "How often what was sampled since is sent, in s; each sample keeps its own time.",
    ] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        names = Counter(sink.name or sink.url for sink in self.sinks)
        twice = [name for name, times in names.items() if times > 1]
        if twice:
            raise wrong(f"two sinks are called {twice[0]!r}; give each a name of its own")
