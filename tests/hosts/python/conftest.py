"""Fixtures: every host, a fresh database, and a copy of the imported sample catalogue."""
import os
import shutil
from pathlib import Path

import pytest

from hosts import HOSTS, LIBRARY, Host, HostMissing, Session
from manual import import_catalogue


def pytest_report_header() -> list[str]:
    lines = []
    for host in HOSTS:
        try:
            with host.open(":memory:") as session:
                lines.append(f"host {host.name}: SQLite {session.version}")
        except (HostMissing, ConnectionError, OSError) as error:
            lines.append(f"host {host.name}: {error}")
    return [f"library: {LIBRARY}", *lines]


def opened(host: Host, database) -> Session:
    """A session; a skip if the host is missing, which under CI is a failure."""
    try:
        return host.open(database)
    except HostMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"host {host.name} is missing under CI: {missing}")
        pytest.skip(str(missing))


@pytest.fixture(params=HOSTS, ids=lambda host: host.name)
def host(request) -> Host:
    return request.param


@pytest.fixture
def connect(host):
    """Opens databases on the host of this test, and closes them at the end of the test."""
    sessions = []

    def open_one(database=":memory:") -> Session:
        sessions.append(opened(host, database))
        return sessions[-1]

    yield open_one
    for session in sessions:
        session.close()


@pytest.fixture(scope="session")
def imported(tmp_path_factory) -> Path:
    """The imported sample catalogue. Tests that write use `feed_file`, a copy."""
    file = tmp_path_factory.mktemp("catalogue") / "feed.db"
    import_catalogue(file)
    return file


@pytest.fixture
def feed_file(imported, tmp_path) -> Path:
    return Path(shutil.copy(imported, tmp_path / "feed.db"))


@pytest.fixture
def feed(connect, feed_file) -> Session:
    """A connection to a private copy of the imported catalogue."""
    return connect(feed_file)


@pytest.fixture
def memory(connect) -> Session:
    """A connection to an empty database."""
    return connect()
