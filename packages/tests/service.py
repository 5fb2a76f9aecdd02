"""The two services of the same API: examples/service in Python, and `vecrank serve`."""
import hashlib
import http.client
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import apsw
import numpy as np
import pytest
from conftest import COMMAND, LIBRARY, ROOT, TARGET, run

SOURCE = ROOT / "examples" / "service"
KINDS = ("python", "rust")
# Longer than anything takes on the busiest machine.
VERY_LONG = 300


def wait_until(what: str, is_so) -> None:
    ends = time.monotonic() + VERY_LONG
    while not is_so():
        assert time.monotonic() < ends, what
        time.sleep(0.02)


def loading_python() -> str:
    """A Python whose sqlite3 module can load extensions. Many cannot."""
    probe = "import sqlite3, venv, ensurepip; sqlite3.connect(':memory:').enable_load_extension"
    for python in ("/usr/bin/python3", sys.executable):
        if Path(python).exists() and not subprocess.run([python, "-c", probe], capture_output=True, check=False).returncode:
            return python
    if os.environ.get("CI") == "true":
        pytest.fail("no Python whose sqlite3 module can load extensions, under CI")
    pytest.skip("no Python whose sqlite3 module can load extensions")


def service_python() -> Path:
    """The Python of an environment with the service's requirements, kept between runs."""
    requirements = SOURCE / "requirements.txt"
    base = loading_python()
    version = subprocess.run([base, "--version"], capture_output=True, text=True, check=True).stdout
    stamp = hashlib.sha256(requirements.read_bytes() + version.encode()).hexdigest()
    folder = TARGET / "service-venv"
    kept = folder / "stamp"
    if not kept.exists() or kept.read_text() != stamp:
        run(base, "-m", "venv", "--clear", folder, cwd=TARGET)
        run(folder / "bin" / "python", "-m", "pip", "install", "-q", "-r", requirements, cwd=TARGET)
        kept.write_text(stamp)
    return folder / "bin" / "python"


def command(kind: str, database: Path, **settings) -> tuple[list, dict]:
    """The command of a service, and its environment. Settings are named as the options of `vecrank serve`."""
    if kind == "rust":
        options = [part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", str(value))]
        return [COMMAND, "serve", database, *options], {}
    port = ["--port", str(settings.pop("port", 0))]
    named = {f"FEED_{name.upper()}": str(value) for name, value in settings.items()}
    environment = {"FEED_DATABASE": str(database), "VECRANK_LIBRARY": str(LIBRARY), **named}
    return [service_python(), SOURCE / "service.py", *port], environment


class Service:
    """A running service."""

    def __init__(self, kind: str, database: Path, folder: Path, **settings):
        program, environment = command(kind, database, **{"port": 0, **settings})
        self.kind = kind
        self.log = folder / f"{kind}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(program, cwd=folder, env=os.environ | environment, stderr=log)
        wait_until("the service listens", lambda: "serving" in self.said() or self.process.poll() is not None)
        assert self.process.poll() is None, self.said()
        self.port = int(self.said().split("serving")[1].splitlines()[0].rsplit(":", 1)[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def said(self) -> str:
        return self.log.read_text()

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=VERY_LONG)

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, dict, bytes]:
        connection = self.connect()
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body is not None else {})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def get(self, path: str):
        status, _, text = self.ask("GET", path)
        assert status == 200, text
        return json.loads(text)

    def feed(self, **request) -> dict:
        status, _, text = self.ask("POST", "/feed", json.dumps(request).encode())
        assert status == 200, text
        return json.loads(text)

    def refused(self, body: str | dict) -> str:
        text = body if isinstance(body, str) else json.dumps(body)
        status, _, answer = self.ask("POST", "/feed", text.encode())
        assert status == 422, answer
        return json.loads(answer)["error"]

    def metric(self, line: str) -> float:
        text = self.ask("GET", "/metrics")[2].decode()
        return float(next((row.rsplit(" ", 1)[1] for row in text.splitlines() if row.startswith(line + " ")), "0"))

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(VERY_LONG)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(VERY_LONG)


def by_sql(database: Path, sql: str, *values) -> list[tuple]:
    """Rows through apsw, without any service."""
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    connection.enable_load_extension(True)
    connection.load_extension(str(LIBRARY))
    rows = connection.execute(sql, values).fetchall()
    connection.close()
    return rows


def vector(database: Path, *keys: str) -> np.ndarray:
    """The mean of the vectors of some rows."""
    marks = ", ".join("?" * len(keys))
    rows = by_sql(database, f"SELECT embedding FROM articles WHERE article_id IN ({marks})", *keys)
    return np.mean([np.frombuffer(row[0], "<f4") for row in rows], axis=0, dtype="f8").astype("<f4")


def changed_copy(database: Path, name: str) -> Path:
    """The same table in a file of its own, with other names and without a third of the rows."""
    copy = database.with_name(name)
    copy.write_bytes(database.read_bytes())
    connection = apsw.Connection(str(copy))
    connection.enable_load_extension(True)
    connection.load_extension(str(LIBRARY))
    without = "DELETE FROM articles WHERE substr(article_id, 2) % 3 = 2"
    connection.execute(f"BEGIN; UPDATE articles SET main_name = 'new ' || main_name; {without}; COMMIT")
    connection.close()
    return copy


def put(new: Path, database: Path) -> None:
    """Puts a copy of a file in the place of another by a rename, as an import does."""
    draft = database.with_name("draft.db")
    draft.write_bytes(new.read_bytes())
    os.replace(draft, database)
