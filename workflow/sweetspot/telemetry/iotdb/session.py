"""A session with a server: its calls end in time, and what fails is said in a line.

The calls are those that Apache's client for Python has generated from IoTDB's definition. Its own
`Session` is passed by: it has no time limit on a whole answer, and loads pandas and SQLAlchemy.

Source: apache-iotdb 2.0.11, iotdb/Session.py and iotdb/utils/rpc_utils.py; codes as IoTDB's own
TSStatusCode.java has them.
"""

import logging
import ssl
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from struct import error as struct_error
from time import monotonic
from typing import Any

with warnings.catch_warnings():  # the client has all deprecations of anybody shown
    from iotdb.thrift.rpc import ttypes
    from iotdb.thrift.rpc.IClientRPCService import Client
    from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
    from thrift.Thrift import TException
    from thrift.transport.TTransport import TFramedTransport

from sweetspot.config.telemetry import Address
from sweetspot.errors import TelemetryError, one_line
from sweetspot.telemetry.contracts import RefusedError
from sweetspot.telemetry.failures import ended_at_once, why
from sweetspot.telemetry.iotdb.blocks import Rows, rows_of
from sweetspot.telemetry.iotdb.tablets import Tablet
from sweetspot.telemetry.iotdb.wire import Wire
from sweetspot.telemetry.login import Login
from sweetspot.telemetry.sample import MS

FETCH = 10_000
"""Rows of one answer."""

UNITS_NS = {"ms": MS, "us": 1000, "ns": 1}
"""What a server may be told to count time in."""

_DEFAULT = Login("root", "root")  # as every IoTDB has it that was told no other
_WELL, _SEVERAL, _ELSEWHERE, _WRONG_PASSWORD = 200, 302, 400, 801
_REFUSED = {
    507,  # metadata error, such as a series of another type
    508,  # no such path
    509,  # no path
    607,  # older than it keeps anything
    609,  # a device that is not aligned
    614,  # another type
    615,  # another category of a column
    616,  # no such column
    701,  # semantic error, such as a table's column of another type
    803,  # no permission
}
"""What says that it is this tablet; all else may be well later, or by another session."""
# What the generated code raises of bytes that mean nothing.
_NONSENSE = (
    AttributeError,
    LookupError,
    OverflowError,
    TException,
    TypeError,
    ValueError,
    struct_error,
)

log = logging.getLogger(__name__)


class Session:
    """A session, opened when it is first used, and again after a failure.

    Attributes:
        name: of the server, as messages show it.
        opened: how often it was.
        unit_ns: what the server counts time in, once it was.
    """

    def __init__(
        self,
        address: Address,
        login: Login,
        tls: ssl.SSLContext | None,
        timeout_s: float,
        dialect: str,
    ) -> None:
        """Take an address; nothing is opened yet.

        Args:
            address: of the server.
            login: who asks; nobody in particular is `root`, whose first password is no secret.
            tls: how its certificate is checked; None for a connection without.
            timeout_s: longest that all calls from one `begin` to the next may take.
            dialect: "tree" or "table".
        """
        self.name = address.name
        self._address, self._tls, self._timeout_s = address, tls, timeout_s
        self._login = login if login.user else _DEFAULT
        # what is called root are paths, too, which a message has to show
        self._hidden = one_line if self._login == _DEFAULT else login.hidden
        self._dialect = dialect
        self._wire: Wire | None = None
        self._client: Any = None
        self._id = self._statement_id = self.opened = 0
        self.unit_ns = MS

    def begin(self) -> None:
        """Open the session, unless it is open; raises TelemetryError."""
        until_s = monotonic() + self._timeout_s
        if self._wire is not None and not self._wire.quiet:  # it was ended while nobody asked
            self.close()
        if self._wire is None:
            self._open(until_s)
        else:
            self._wire.until_s = until_s

    def execute(self, statement: str) -> None:
        """Do what a statement says, if the server lets us; raises TelemetryError if it is silent.

        What we have made is mostly there, and who may write may often not make anything: whether
        it was needed shows as samples are stored.
        """
        request = self._request(statement)
        answer = self._asked(lambda client: client.executeUpdateStatementV2(request))
        if failed := self._failed(answer.status):
            log.debug("%s: %s: %s", self.name, statement, self._said(failed[0]))

    def insert(self, target: str, tablet: Tablet, *, table: bool) -> None:
        """Store a tablet; where that fails, the session is ended: the next makes anew what is gone.

        Args:
            target: an aligned device, or a table.
            tablet: what to store.
            table: which of both.

        Raises:
            RefusedError: the server will not have all of it.
            TelemetryError: it does not say that all is stored.
        """
        request = ttypes.TSInsertTabletReq(
            sessionId=self._id,
            prefixPath=target,
            measurements=list(tablet.names),
            values=tablet.values,
            timestamps=tablet.timestamps,
            types=list(tablet.types),
            size=tablet.rows,
            isAligned=not table,
            writeToTable=table,
            columnCategories=list(tablet.categories) if table else None,
        )
        status = self._asked(lambda client: client.insertTablet(request))
        if failed := self._failed(status):
            self.close()
            passing = [part for part in failed if part.code not in _REFUSED]
            error = TelemetryError if passing else RefusedError
            raise error(f"{self.name}: {self._said((passing or failed)[0])}")

    def query(self, statement: str) -> Iterator[Rows]:
        """Yield what a statement gives, some rows at a time.

        Raises:
            TelemetryError: the server does not answer, or nonsense.
        """
        request = self._request(statement)
        answer = self._asked(lambda client: client.executeQueryStatementV2(request))
        self._require_well(answer.status)
        columns, types = answer.columns or [], answer.dataTypeList or []
        places = answer.columnIndex2TsBlockColumnIndexList
        more = ttypes.TSFetchResultsReq(
            self._id, statement, FETCH, answer.queryId, True, self._timeout_ms, self._statement_id
        )
        while True:
            for block in answer.queryResult or ():
                try:
                    yield rows_of(columns, types, places, block)
                except _NONSENSE as error:
                    raise self._nonsense() from error
            if not answer.moreData:
                return
            self._require_wire().until_s = monotonic() + self._timeout_s
            answer = self._asked(lambda client: client.fetchResultsV2(more))
            self._require_well(answer.status)

    def close(self) -> None:
        """End the connection, and with it the session."""
        wire, self._wire, self._client = self._wire, None, None
        if wire is not None:
            with suppress(OSError):
                wire.close()

    def _open(self, until_s: float) -> None:
        address, login = self._address, self._login
        try:
            self._wire = Wire(address.host, address.port, self._tls, until_s)
        except OSError as error:
            raise TelemetryError(f"{self.name}: {why(error)}") from error
        self._client = Client(TBinaryProtocolAccelerated(TFramedTransport(self._wire)))
        request = ttypes.TSOpenSessionReq(
            client_protocol=ttypes.TSProtocolVersion.IOTDB_SERVICE_PROTOCOL_V3,
            zoneId="UTC",
            username=login.user,
            password=login.password,
            configuration={"version": "V_1_0", "sql_dialect": self._dialect},
        )
        answer = self._asked(lambda client: client.openSession(request), is_new=True)
        self._require_well(answer.status)
        unit = (answer.configuration or {}).get("timestamp_precision", "ms")
        if unit not in UNITS_NS or answer.sessionId is None:
            raise self._nonsense()
        self.unit_ns, self._id = UNITS_NS[unit], answer.sessionId
        self._statement_id = self._asked(lambda client: client.requestStatementId(self._id))
        self.opened += 1

    @property
    def _timeout_ms(self) -> int:
        return round(self._timeout_s * 1000)

    def _request(self, statement: str) -> Any:
        return ttypes.TSExecuteStatementReq(
            self._id, statement, self._statement_id, FETCH, self._timeout_ms
        )

    def _require_wire(self) -> Wire:
        if self._wire is None:
            raise TelemetryError(f"{self.name}: the connection has ended")
        return self._wire

    def _asked(self, ask: Callable[[Any], Any], *, is_new: bool = False) -> Any:
        """Return an answer that is there in time and can be read; else the connection is ended."""
        self._require_wire()
        try:
            return ask(self._client)
        except (OSError, EOFError) as error:
            self.close()
            is_ended = is_new and isinstance(error, EOFError | ConnectionError)
            said = ended_at_once(self._tls) if is_ended else self._hidden(why(error))
            raise TelemetryError(f"{self.name}: {said}") from error
        except _NONSENSE as error:
            raise self._nonsense() from error

    def _nonsense(self) -> TelemetryError:
        self.close()
        return TelemetryError(f"{self.name} does not answer as IoTDB does")

    def _require_well(self, status: Any) -> None:
        if failed := self._failed(status):
            self.close()
            raise TelemetryError(f"{self.name}: {self._said(failed[0])}")

    def _failed(self, status: Any) -> list[Any]:
        """Return what the server says of each part that it has not done."""
        parts = [status]
        if status is not None and status.code == _SEVERAL:
            parts = status.subStatus or [status]
        if any(part is None or type(part.code) is not int for part in parts):
            raise self._nonsense()
        return [part for part in parts if part.code not in (_WELL, _ELSEWHERE)]

    def _said(self, part: Any) -> str:
        hint = "; see user and password_env" if part.code == _WRONG_PASSWORD else ""
        return f"{part.code} {self._hidden(part.message or '')[:200]}{hint}"
