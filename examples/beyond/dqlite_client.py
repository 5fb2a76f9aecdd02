"""A client of dqlite's wire protocol, as far as the example needs it: https://dqlite.io/docs/protocol"""
import socket
import struct

LEADER, CLIENT, OPEN, EXEC_SQL, QUERY_SQL, ADD, ASSIGN, DUMP, CLUSTER = 0, 1, 3, 8, 9, 12, 13, 15, 16
FAILURE, ROWS = 0, 7
INTEGER, FLOAT, TEXT, BLOB, NULL = 1, 2, 3, 4, 5
VOTER = 0
ROWS_END, ROWS_MORE = b"\xff" * 8, b"\xee" * 8


class Refused(Exception):
    """The node answered that it could not: not the leader, or the statement is wrong."""


def padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 8)


def text(value: str) -> bytes:
    return padded(value.encode() + b"\0")


def number(value: int) -> bytes:
    return struct.pack("<q", value)


def parameters(values: tuple) -> bytes:
    if not values:
        return b""
    kinds, data = bytes([len(values)]), b""
    for value in values:
        if value is None:
            kind, encoded = NULL, number(0)
        elif isinstance(value, int):
            kind, encoded = INTEGER, number(value)
        elif isinstance(value, float):
            kind, encoded = FLOAT, struct.pack("<d", value)
        elif isinstance(value, str):
            kind, encoded = TEXT, text(value)
        else:
            kind, encoded = BLOB, number(len(value)) + padded(value)
        kinds, data = kinds + bytes([kind]), data + encoded
    return padded(kinds) + data


class Reader:
    """Takes values from an answer, each of which begins at a multiple of eight bytes."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, size: int) -> bytes:
        taken = self.data[self.at : self.at + size]
        self.at += size + -size % 8
        return taken

    def number(self) -> int:
        return struct.unpack("<q", self.take(8))[0]

    def text(self) -> str:
        return self.take(self.data.index(b"\0", self.at) - self.at + 1)[:-1].decode()

    def value(self, kind: int):
        if kind == FLOAT:
            return struct.unpack("<d", self.take(8))[0]
        if kind == TEXT:
            return self.text()
        if kind == BLOB:
            return self.take(self.number())
        value = self.number()
        return None if kind == NULL else value

    def rows(self) -> tuple[list[tuple], bool]:
        """The rows, and whether there are more in a further answer."""
        columns = self.number()
        for _ in range(columns):
            self.text()
        rows = []
        while (mark := self.data[self.at : self.at + 8]) not in (ROWS_END, ROWS_MORE):
            kinds = self.take((columns + 1) // 2)
            rows.append(tuple(self.value(kinds[column // 2] >> 4 * (column % 2) & 15) for column in range(columns)))
        return rows, mark == ROWS_MORE


class Client:
    """A connection to one node."""

    def __init__(self, address: str, timeout: float = 30):
        host, port = address.split(":")
        self.socket = socket.create_connection((host, int(port)), timeout)
        self.socket.settimeout(timeout)
        self.socket.sendall(struct.pack("<Q", 1))
        self.ask(CLIENT, number(1))
        self.database = None

    def receive(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise ConnectionError("the node closed the connection")
            data += part
        return bytes(data)

    def answer(self) -> tuple[int, Reader]:
        words, kind = struct.unpack("<IBxxx", self.receive(8))
        reader = Reader(self.receive(8 * words))
        if kind == FAILURE:
            reader.number()
            raise Refused(reader.text())
        return kind, reader

    def ask(self, kind: int, body: bytes) -> tuple[int, Reader]:
        self.socket.sendall(struct.pack("<IBxxx", len(body) // 8, kind) + body)
        return self.answer()

    def leader(self) -> str:
        """The address of the leader; empty if there is none."""
        _, reader = self.ask(LEADER, number(0))
        reader.number()
        return reader.text()

    def open(self, name: str) -> None:
        _, reader = self.ask(OPEN, text(name) + number(0) + text(""))
        self.database = struct.unpack("<I", reader.take(4))[0]

    def execute(self, sql: str, values: tuple = ()) -> None:
        self.ask(EXEC_SQL, number(self.database) + text(sql) + parameters(values))

    def query(self, sql: str, values: tuple = ()) -> list[tuple]:
        _, reader = self.ask(QUERY_SQL, number(self.database) + text(sql) + parameters(values))
        rows, more = reader.rows()
        while more:
            _, reader = self.answer()
            part, more = reader.rows()
            rows += part
        return rows

    def add(self, node: int, address: str) -> None:
        self.ask(ADD, number(node) + text(address))
        self.ask(ASSIGN, number(node) + number(VOTER))

    def dump(self, name: str) -> dict[str, bytes]:
        """The database of this node, and its log: of this node alone, which may be behind."""
        _, reader = self.ask(DUMP, text(name))
        return {reader.text(): reader.take(reader.number()) for _ in range(reader.number())}

    def close(self) -> None:
        self.socket.close()
