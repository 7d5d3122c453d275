"""How samples lie in IoTDB: in its tree of paths, in a table, or as ExaMon's plugin puts them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sweetspot.errors import InputError, shown
from sweetspot.telemetry.iotdb.tablets import ATTRIBUTE, STRING, TAG, TEXT
from sweetspot.telemetry.mqtt.messages import METRICS
from sweetspot.telemetry.paths import ROOT, device, node
from sweetspot.telemetry.sample import COLUMNS, Source

DATABASE = "sweetspot"
TABLE = "gpu"

_PATH = re.compile(r"root(\.[A-Za-z_]\w*)+", re.ASCII)
_PLACE = re.compile(r"\{(host|gpu)\}")


class Readable(Protocol):
    """Where a board's samples are."""

    @property
    def dialect(self) -> str:
        """One of IoTDB's: "tree" or "table"."""

    @property
    def names(self) -> Sequence[str]:
        """What each of `COLUMNS` is called there."""

    def select(self, source: Source, first: int, last: int) -> str:
        """Return the statement that reads them from one time to another, both included."""


class Layout(Readable, Protocol):
    """Where a board's samples are put."""

    def made_of(self, source: Source) -> Iterator[str]:
        """Yield statements after which they can be stored."""

    def target(self, source: Source) -> str:
        """Return the device or table that they are stored in."""

    def texts(self, source: Source) -> Mapping[str, tuple[str, int, int]]:
        """Return what is the same in all of them: what, its type and its category."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A path for each board, as `root.sweetspot.node01.GPU_1f2e`, whose columns are aligned.

    Names in a path are letters, digits and `_`; what they are really is in columns of text.

    Attributes:
        root: the path above; a database.
    """

    root: str = ROOT

    dialect = "tree"
    names = COLUMNS

    def __post_init__(self) -> None:
        """Raise InputError for what is no path."""
        if not _PATH.fullmatch(self.root):
            raise InputError(
                f"path {shown(self.root)} of IoTDB must be root and names of letters, digits and _"
                f" behind it, such as {ROOT}"
            )

    def made_of(self, source: Source) -> Iterator[str]:
        """Yield statements that make the database and the board's columns."""
        yield f"CREATE DATABASE {self.root}{'_simulated' if source.simulated else ''}"
        columns = [f"{name} DOUBLE" for name in COLUMNS]
        columns += [f"{name} TEXT" for name in self.texts(source)]
        yield f"CREATE ALIGNED TIMESERIES {self.target(source)}({', '.join(columns)})"

    def target(self, source: Source) -> str:
        """Return the board's path."""
        return device(self.root, source)

    def texts(self, source: Source) -> Mapping[str, tuple[str, int, int]]:
        """Return the names that the path cannot hold."""
        names = _names(source)
        return {name: (text, TEXT, ATTRIBUTE) for name, text in names.items()}

    def select(self, source: Source, first: int, last: int) -> str:
        """Return the statement."""
        return (
            f"SELECT {', '.join(COLUMNS)} FROM {self.target(source)}"  # noqa: S608
            f" WHERE time >= {first} AND time <= {last}"
        )


@dataclass(frozen=True, slots=True)
class Table:
    """A table `gpu` of all boards, told apart by their UUID.

    Attributes:
        database: its database.
    """

    database: str = DATABASE

    dialect = "table"
    names = COLUMNS

    def made_of(self, source: Source) -> Iterator[str]:
        """Yield statements that make the database and the table."""
        database = quoted(self._database(source))
        yield f"CREATE DATABASE IF NOT EXISTS {database}"
        yield f"USE {database}"
        columns = ["gpu_uuid STRING TAG", "gpu_name STRING ATTRIBUTE", "host STRING ATTRIBUTE"]
        columns += [f"{name} DOUBLE FIELD" for name in COLUMNS]
        yield f"CREATE TABLE IF NOT EXISTS {TABLE} ({', '.join(columns)})"

    def target(self, source: Source) -> str:
        """Return the table."""
        return TABLE

    def texts(self, source: Source) -> Mapping[str, tuple[str, int, int]]:
        """Return whose samples they are."""
        return {
            name: (text, STRING, TAG if name == "gpu_uuid" else ATTRIBUTE)
            for name, text in _names(source).items()
        }

    def select(self, source: Source, first: int, last: int) -> str:
        """Return the statement."""
        uuid = source.gpu_uuid.replace("'", "''")
        return (
            f"SELECT time, {', '.join(COLUMNS)} FROM"  # noqa: S608
            f" {quoted(self._database(source))}.{TABLE} WHERE gpu_uuid = '{uuid}'"
            f" AND time >= {first} AND time <= {last} ORDER BY time"
        )

    def _database(self, source: Source) -> str:
        return f"{self.database}_simulated" if source.simulated else self.database


@dataclass(frozen=True, slots=True)
class Examon:
    """Paths that a cluster has anyway, with the metrics of ExaMon's plugin for NVML: to read only.

    Attributes:
        template: of a device's path, as `root.cluster.{host}.nvml_pub.{gpu}`.

    Source: ExamonHPC/nvml_pub, nvml_pub.py, whose records have a device and measurements.
    """

    template: str

    dialect = "tree"
    names = METRICS

    def __post_init__(self) -> None:
        """Raise InputError for what is no template of a path."""
        if not _PATH.fullmatch(_PLACE.sub("_", self.template)):
            raise InputError(
                f"path {shown(self.template)} must be that of a device, with {{host}} and {{gpu}}"
                " where its names stand, such as root.cluster.{host}.nvml_pub.{gpu}"
            )

    def select(self, source: Source, first: int, last: int) -> str:
        """Return the statement; IoTDB leaves out metrics that a device has not."""
        names = {"{host}": node(source.host), "{gpu}": node(source.gpu_uuid)}
        device = _PLACE.sub(lambda place: names[place[0]], self.template)
        return (
            f"SELECT {', '.join(self.names)} FROM {device}"  # noqa: S608
            f" WHERE time >= {first} AND time <= {last}"
        )


def quoted(name: str) -> str:
    """Return an identifier of the table dialect."""
    return '"' + name.replace('"', '""') + '"'


def _names(source: Source) -> dict[str, str]:
    return {"gpu_uuid": source.gpu_uuid, "gpu_name": source.gpu_name, "host": source.host}
