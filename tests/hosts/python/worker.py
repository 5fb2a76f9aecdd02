"""One Python host in its own process: `worker.py apsw|sqlite3 LIBRARY`, one JSON request and one JSON answer per line.

{"open": DATABASE}                       opens it (a path or a file: URI) and loads the extension
{"sql": TEXT, "values": {name: value}}   runs one statement; the answer is {"rows": [...]} or {"error": TEXT}

BLOBs travel as {"blob": HEX}. Kept to the standard library and SQLite's own module, so that any Python can run it.
"""
import json
import sys


def to_json(value):
    return {"blob": bytes(value).hex()} if isinstance(value, (bytes, memoryview)) else value


def from_json(value):
    return bytes.fromhex(value["blob"]) if isinstance(value, dict) else value


class Apsw:
    def __init__(self, database: str, library: str):
        import apsw

        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_URI
        self.db = apsw.Connection(database, flags=flags)
        # Names that every apsw has. Newer ones also offer enable_load_extension and load_extension.
        self.db.enableloadextension(True)
        self.db.loadextension(library)
        self.db.enableloadextension(False)
        self.version = apsw.sqlitelibversion()

    def rows(self, sql: str, values: dict) -> list:
        return [list(row) for row in self.db.cursor().execute(sql, values)]


class Sqlite3:
    def __init__(self, database: str, library: str):
        import sqlite3

        self.db = sqlite3.connect(database, uri=True, isolation_level=None)
        self.db.enable_load_extension(True)
        self.db.load_extension(library)
        self.db.enable_load_extension(False)
        self.version = sqlite3.sqlite_version

    def rows(self, sql: str, values: dict) -> list:
        return [list(row) for row in self.db.execute(sql, values)]


def main() -> None:
    module, library = sys.argv[1:3]
    connect = {"apsw": Apsw, "sqlite3": Sqlite3}[module]
    host = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "open" in request:
                host = connect(request["open"], library)
                answer = {"rows": [[host.version]]}
            else:
                values = {name: from_json(value) for name, value in request["values"].items()}
                answer = {"rows": [[to_json(v) for v in row] for row in host.rows(request["sql"], values)]}
        except Exception as error:  # whatever the host raises is the answer
            text = str(error)
            prefix = type(error).__name__ + ": "
            answer = {"error": text.removeprefix(prefix)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
