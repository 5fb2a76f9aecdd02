"""The hosts under test, behind one interface: run statements against a database file, get rows or error texts.

Every host is a separate process with its own SQLite, so one pytest run covers them all.
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[3]
TARGET = pathlib.Path(os.environ.get("VECRANK_TARGET", ROOT / "target"))
SUFFIX = {"darwin": "dylib", "win32": "dll"}.get(sys.platform, "so")
LIBRARY = TARGET / "release" / ("vecrank.dll" if SUFFIX == "dll" else f"libvecrank.{SUFFIX}")
CLI = TARGET / "release" / "vecrank"
RUSQLITE_HOST = TARGET / "rusqlite-host" / "release" / "vecrank-rusqlite-host"
OLD_APSW = TARGET / "python-hosts" / "apsw-3.40.1.0"
TIMEOUT = 300  # seconds that any one exchange with a host may take


class HostMissing(Exception):
    """The system lacks this host: a skip, or under CI a failure."""


@dataclass
class Answer:
    """The result of one statement: rows (lists of Python values), or the text of its error."""

    rows: list = field(default_factory=list)
    error: str | None = None


class Session:
    """One connection of one host. `values` maps parameter names (without the colon) to Python values."""

    version = "?"
    # Whether 1.0 comes back as a REAL: JavaScript has one kind of number.
    tells_reals = True

    def answer(self, sql: str, **values) -> Answer:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def rows(self, sql: str, **values) -> list:
        answer = self.answer(sql, **values)
        assert answer.error is None, f"{sql}\n{answer.error}"
        return answer.rows

    def error(self, sql: str, **values) -> str:
        answer = self.answer(sql, **values)
        assert answer.error is not None, f"no error from: {sql}\nbut {answer.rows}"
        return answer.error

    def value(self, sql: str, **values):
        ((value,),) = self.rows(sql, **values)
        return value

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_) -> None:
        self.close()


class WorkerSession(Session):
    """A worker that exchanges lines of JSON; worker.py says what they hold."""

    def __init__(self, database: str, command: list[str], environment: dict):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        ((self.version,),) = self.exchange({"open": database}).rows

    def exchange(self, request: dict) -> Answer:
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"the host died (exit {self.process.wait(TIMEOUT)}) at {request}"
        answer = json.loads(line)
        if "error" in answer:
            if "open" in request:
                self.close()
                raise ConnectionError(answer["error"])
            return Answer(error=answer["error"])
        return Answer([[from_json(value) for value in row] for row in answer["rows"]])

    def answer(self, sql: str, **values) -> Answer:
        packed = {name: {"blob": v.hex()} if isinstance(v, bytes) else v for name, v in values.items()}
        return self.exchange({"sql": sql, "values": packed})

    def close(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(TIMEOUT)


class PythonSession(WorkerSession):
    """apsw or the standard library's sqlite3, in worker.py."""

    def __init__(self, database: str, python: str, module: str, path: pathlib.Path | None):
        environment = dict(os.environ)
        environment.pop("PYTHONPATH", None)
        if path is not None:
            environment["PYTHONPATH"] = str(path)
        worker = pathlib.Path(__file__).with_name("worker.py")
        super().__init__(database, [python, str(worker), module, str(LIBRARY)], environment)


class WasmSession(WorkerSession):
    """The package for browsers, in Node.js."""

    tells_reals = False

    def __init__(self, database: str):
        super().__init__(database, ["node", str(pathlib.Path(WASM, "worker.mjs"))], dict(os.environ))


class PipeSession(Session):
    """A program that reads SQL from its standard input. It gets one statement at a time; its output is read up to a mark."""

    mark = "\x1e"

    def start(self, command: list[str]) -> None:
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def send(self, text: str) -> str:
        self.process.stdin.write(text)
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line == self.mark + "\n":
                return "".join(lines)
            lines.append(line)
        raise AssertionError(f"the host died (exit {self.process.wait(TIMEOUT)}) after {text!r}: {''.join(lines)}")

    def close(self) -> None:
        self.process.stdin.close()
        self.process.stdout.read()
        self.process.stdout.close()
        self.process.wait(TIMEOUT)


class ShellSession(PipeSession):
    """The sqlite3 shell. `.print` does not flush, so stdbuf makes stdout line-buffered."""

    def __init__(self, database: str, shell: str):
        self.start(["stdbuf", "-oL", shell, "-batch", database])
        loaded = self.send(f".mode quote\n.separator \x1f\n.load {LIBRARY.with_suffix('')}\n.print {self.mark}\n")
        if loaded.strip():
            self.close()
            raise ConnectionError(loaded.strip())
        self.version = self.value("SELECT sqlite_version()")

    def answer(self, sql: str, **values) -> Answer:
        text = self.send(f"{with_literals(sql, values)}\n;\n.print {self.mark}\n")
        error = re.match(r"(?:Parse error|Runtime error|Error)(?: near line \d+)?: (?:in prepare, )?", text)
        if error:
            first = text[error.end() :].split("\n  ", 1)[0].strip()
            return Answer(error=re.sub(r" \(\d+\)$", "", first))
        if text.startswith("QUERY PLAN\n"):  # the shell draws plans as a tree
            return Answer([[0, 0, 0, re.sub(r"^[|` -]+", "", line)] for line in text.splitlines()[1:]])
        return Answer(parse_rows(text))


class RusqliteSession(PipeSession):
    """tests/hosts/rusqlite: the rusqlite crate over the oldest supported SQLite."""

    def __init__(self, database: str):
        self.start([str(RUSQLITE_HOST), str(LIBRARY), database])
        loaded = self.send(self.mark)
        if loaded:
            self.close()
            raise ConnectionError(loaded.removeprefix("error: ").strip())
        self.version = self.value("SELECT sqlite_version()")

    def answer(self, sql: str, **values) -> Answer:
        text = self.send(with_literals(sql, values) + self.mark)
        if text.startswith("error: "):
            return Answer(error=text.removeprefix("error: ").strip())
        return Answer(parse_rows(text))


def literal(value) -> str:
    """A Python value as an SQL literal."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def with_literals(sql: str, values: dict) -> str:
    """The statement with its parameters as literals, for hosts that read text."""
    for name, value in values.items():
        sql = re.sub(rf":{name}\b", lambda _, v=value: literal(v), sql)
    return sql.strip().rstrip(";")


def from_json(value):
    if isinstance(value, dict):
        return int(value["integer"]) if "integer" in value else bytes.fromhex(value["blob"])
    return value


LITERAL = re.compile(r"NULL|[xX]'([0-9a-fA-F]*)'|'((?:[^']|'')*)'|([-+.\w]+)")


def parse_rows(text: str) -> list:
    """Parses rows of SQL literals: 0x1F separates columns, a line end separates rows (texts may contain line ends)."""
    rows, row, place = [], [], 0
    while place < len(text):
        match = LITERAL.match(text, place)
        assert match, f"not a row: {text[place : place + 200]!r}"
        blob, string, number = match.groups()
        if blob is not None:
            row.append(bytes.fromhex(blob))
        elif string is not None:
            row.append(string.replace("''", "'"))
        elif number is not None:
            row.append(int(number) if re.fullmatch(r"-?\d+", number) else float(number))
        else:
            row.append(None)
        place = match.end() + 1
        if text[match.end() : place] == "\n":
            rows.append(row)
            row = []
    return rows


@dataclass(frozen=True)
class Host:
    """A way to open sessions. `check` raises HostMissing if the system lacks the host."""

    name: str

    def open(self, database) -> Session:
        database = str(database)
        if self.name == "wasm":
            return WasmSession(database)
        if self.name == "apsw":
            return PythonSession(database, sys.executable, "apsw", None)
        if self.name == "apsw-3.40.1":
            if not OLD_APSW.exists():
                raise HostMissing(f"no apsw in {OLD_APSW}: tests/run.sh prepare installs it")
            return PythonSession(database, sys.executable, "apsw", OLD_APSW)
        if self.name == "python-sqlite3":
            return PythonSession(database, python_that_loads_extensions(), "sqlite3", None)
        if self.name == "shell":
            shell = shutil.which("sqlite3")
            if shell is None:
                raise HostMissing("no sqlite3 shell: tests/run.sh prepare installs it")
            return ShellSession(database, shell)
        if not RUSQLITE_HOST.exists():
            raise HostMissing(f"no {RUSQLITE_HOST}: tests/run.sh build makes it")
        return RusqliteSession(database)


# The tests of the package for browsers run the cases in its module instead of on the hosts: packages/tests/test_wasm.py.
WASM = os.environ.get("VECRANK_WASM")
NAMES = ["wasm"] if WASM else ["apsw", "apsw-3.40.1", "python-sqlite3", "shell", "rusqlite-3.38.2"]
HOSTS = [Host(name) for name in NAMES]


def python_that_loads_extensions() -> str:
    """A Python whose sqlite3 module can load extensions. Many cannot."""
    probe = "import sqlite3; sqlite3.connect(':memory:').enable_load_extension"
    for python in (sys.executable, "/usr/bin/python3", shutil.which("python3")):
        if python and shutil.which(python):
            if subprocess.run([python, "-c", probe], capture_output=True, check=False).returncode == 0:
                return python
    raise HostMissing("no Python whose sqlite3 module can load extensions")
