"""An IoTDB as far as sinks and stores ask it: what it is sent is stored, and given back.

It speaks by the `Processor` that Apache's client for Python has beside its `Client`.
"""

import re
import socket
import struct
import sys
import threading
from contextlib import contextmanager, suppress

import numpy as np
from iotdb.thrift.common.ttypes import TSStatus
from iotdb.thrift.rpc import ttypes
from iotdb.thrift.rpc.IClientRPCService import Processor
from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TFramedTransport

DOUBLE, TEXT, STRING = 4, 5, 11
TYPES = {DOUBLE: "DOUBLE", TEXT: "TEXT", STRING: "STRING"}
SELECT = re.compile(
    r"SELECT (?P<columns>.+) FROM (?P<place>\S+) WHERE (gpu_uuid = '(?P<uuid>.*)' AND )?"
    r"time >= (?P<first>-?\d+) AND time <= (?P<last>-?\d+)( ORDER BY time)?"
)


class Iotdb:
    """The server's data, and what it does instead of answering.

    Attributes:
        devices: by device, or by table and board: {time: {column: value}}.
        made: databases, tables and columns that were made; a tablet for others is refused.
        precision: in which it counts time.
        page: rows of one block.
        statements: all that were asked.
        trick: called before each answer with the call's name; what it returns is the answer.
    """

    def __init__(self, password, precision="ms", page=1000, user="root"):
        self.password, self.precision, self.page, self.user = password, precision, page, user
        self.devices, self.made, self.statements = {}, {}, []
        self.trick = lambda _: None
        self._used, self._pending = None, {}

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if name in CALLS:
            return lambda *asked: self.trick(name) or found(*asked)
        return found

    def openSession(self, req):
        if (req.username, req.password) != (self.user, self.password):
            return ttypes.TSOpenSessionResp(TSStatus(801, "Authentication failed."), 2)
        self.dialect = req.configuration["sql_dialect"]
        return ttypes.TSOpenSessionResp(
            TSStatus(200), req.client_protocol, 7, {"timestamp_precision": self.precision}
        )

    def requestStatementId(self, _):
        return 3

    def executeUpdateStatementV2(self, req):
        self.statements.append(req.statement)
        status = self._update(req.statement)
        return ttypes.TSExecuteStatementResp(status)

    def _update(self, statement):
        if found := re.fullmatch(r"CREATE DATABASE (IF NOT EXISTS )?(\S+)", statement):
            if found[2] in self.made and not found[1]:
                return TSStatus(501, f"{found[2]} has already been created as database")
            self.made.setdefault(found[2], {})
        elif found := re.fullmatch(r"USE (\S+)", statement):
            if found[1] not in self.made:
                return TSStatus(500, f"Unknown database {found[1]}")
            self._used = found[1]
        elif found := re.fullmatch(r"CREATE ALIGNED TIMESERIES (\S+)\((.+)\)", statement):
            if found[1] in self.made:
                return TSStatus(509, f"{found[1]} already exists")
            self.made[found[1]] = dict(each.split() for each in found[2].split(", "))
        elif found := re.fullmatch(r"CREATE TABLE IF NOT EXISTS (\S+) \((.+)\)", statement):
            columns = (each.split() for each in found[2].split(", "))
            self.made[f"{self._used}.{found[1]}"] = {name: kind for name, kind, _ in columns}
        else:
            return TSStatus(700, f"no such statement: {statement}")
        return TSStatus(200)

    def insertTablet(self, req):
        place = f"{self._used}.{req.prefixPath}" if req.writeToTable else req.prefixPath
        columns = self.made.get(place)
        if columns is None or not (req.isAligned or req.writeToTable):
            return TSStatus(508, f"Path [{place}] does not exist")
        if any(
            columns.get(name) != TYPES[kind]
            for name, kind in zip(req.measurements, req.types, strict=True)
        ):
            return TSStatus(507, "data type is not consistent")
        for at, row in zip(*_rows(req), strict=True):
            board = (place, row["gpu_uuid"]) if req.writeToTable else place
            self.devices.setdefault(board, {}).setdefault(at, {}).update(row)
        return TSStatus(200)

    def executeQueryStatementV2(self, req):
        self.statements.append(req.statement)
        found = SELECT.fullmatch(req.statement)
        if not found:
            return ttypes.TSExecuteStatementResp(TSStatus(700, "no such statement"))
        uuid = found["uuid"]
        table = uuid is not None
        if table and found["place"] not in self.made:
            return ttypes.TSExecuteStatementResp(TSStatus(550, "Table does not exist"))
        board = (found["place"], uuid.replace("''", "'")) if table else found["place"]
        rows = self.devices.get(board, {})
        known = {name for row in rows.values() for name in row} | ({"time"} if table else set())
        names = [name for name in found["columns"].split(", ") if name in known]
        given = [
            (at, {"time": at} | rows[at])
            for at in sorted(rows)
            if int(found["first"]) <= at <= int(found["last"])
        ]
        blocks = [
            _block(names, given[first : first + self.page])
            for first in range(0, len(given), self.page)
        ]
        self._pending[9] = blocks[1:]
        return ttypes.TSExecuteStatementResp(
            TSStatus(200),
            queryId=9,
            columns=[name if table else f"{board}.{name}" for name in names],
            dataTypeList=["TIMESTAMP" if name == "time" else "DOUBLE" for name in names],
            ignoreTimeStamp=table,
            queryResult=blocks[:1],
            moreData=len(blocks) > 1,
            columnIndex2TsBlockColumnIndexList=list(range(len(names)))[::-1],
        )

    def fetchResultsV2(self, req):
        block = self._pending[req.queryId].pop(0)
        return ttypes.TSFetchResultsResp(
            TSStatus(200), True, True, queryResult=[block], moreData=bool(self._pending[9])
        )


CALLS = {
    "openSession",
    "executeUpdateStatementV2",
    "insertTablet",
    "executeQueryStatementV2",
    "fetchResultsV2",
}


def _rows(req):
    """Return times and rows of a tablet, read by IoTDB's definition of one."""
    data, offset, columns = memoryview(req.values), 0, []
    for kind in req.types:
        if kind == DOUBLE:
            columns.append(np.frombuffer(data, ">f8", req.size, offset).tolist())
            offset += 8 * req.size
            continue
        texts = []
        for _ in range(req.size):
            (length,) = struct.unpack_from(">i", data, offset)
            texts.append(bytes(data[offset + 4 : offset + 4 + length]).decode())
            offset += 4 + length
        columns.append(texts)
    for column in columns:
        flagged, offset = data[offset], offset + 1
        if flagged:
            for i in range(req.size):
                if data[offset + i // 8] >> i % 8 & 1:
                    column[i] = None
            offset += req.size // 8 + 1
    assert offset == len(data)
    rows = [
        {
            name: value
            for name, value in zip(req.measurements, values, strict=True)
            if value is not None
        }
        for values in zip(*columns, strict=True)
    ]
    return np.frombuffer(req.timestamps, ">i8").tolist(), rows


def _block(names, rows):
    """Return rows as IoTDB's block, its columns in reverse; one without any value is run-length."""
    names = names[::-1]
    kinds = bytes(2 if name == "time" else DOUBLE for name in names)
    columns, encodings = [_longs([at for at, _ in rows])], [2]
    for name in names:
        values = [row.get(name) for _, row in rows]
        if name == "time":
            columns.append(_longs(values))
        elif len(set(values)) == 1:
            columns.append(b"\2" + _doubles(values[:1]))
        else:
            columns.append(_doubles(values))
        encodings.append(4 if columns[-1][:1] == b"\2" else 2)
    head = struct.pack(">i", len(names)) + kinds + struct.pack(">i", len(rows)) + bytes(encodings)
    return head + b"".join(columns)


def _longs(values):
    return b"\0" + np.array(values, ">i8").tobytes()


def _doubles(values):
    missing = np.array([value is None for value in values])
    there = np.array([value for value in values if value is not None], ">f8").tobytes()
    return b"\1" + np.packbits(missing).tobytes() + there if missing.any() else b"\0" + there


@contextmanager
def serving(iotdb, tls=None, port=0):
    """Serve on a port that is held, or a free one; yields it, and what ends all connections."""
    listening = socket.create_server(("127.0.0.1", port))
    connections = []

    def serve():
        with suppress(OSError):
            while True:
                sock, _ = listening.accept()
                connections.append(sock)
                threading.Thread(target=_talk, args=(iotdb, sock, tls), daemon=True).start()

    def cut():
        while connections:
            with suppress(OSError):
                connections.pop().shutdown(socket.SHUT_RDWR)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listening.getsockname()[1], cut
    finally:
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        cut()


def _talk(iotdb, sock, tls):
    with suppress(Exception), tls.wrap_socket(sock, server_side=True) if tls else sock as sock:
        wire = TSocket()
        wire.setHandle(sock)
        protocol = TBinaryProtocolAccelerated(TFramedTransport(wire))
        processor = Processor(iotdb)
        while True:
            processor.process(protocol, protocol)


def main():
    """Serve until standard input ends, with the password everybody knows; the port is printed."""
    with serving(Iotdb("root")) as (port, _):
        print(port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
