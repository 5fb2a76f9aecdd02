"""Connections that follow the file: when another one is put in its place by a rename, they are opened anew."""
import os
import sys
import threading
from contextlib import contextmanager

from catalogue import Catalogue
from settings import Fault, Settings

# Seconds that a request waits for a connection.
PATIENCE = 5.0


class Busy(Exception):
    """All connections were in use for too long."""


class Pool:
    """A fixed number of connections. A request has one for itself.

    Which file a connection has open is told by device and inode: while it is open, no other file can have them. A new
    file that cannot be used (half a copy, no such table) is reported, and the old one goes on being served.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self.swaps = 0
        self.fault = None  # why the file that is there now is not the one that is served
        self._refused = None  # that file
        self._lock = threading.Lock()
        self._free = threading.Semaphore(settings.connections)
        self._idle = [self._open() for _ in range(settings.connections)]
        self._served = self._idle[-1].identity
        self.version, self._seen = "", None
        self._follow()

    @contextmanager
    def catalogue(self):
        if not self._free.acquire(timeout=PATIENCE):
            raise Busy
        try:
            with self._lock:
                self._follow()
                catalogue = self._renewed(self._idle.pop())
            try:
                yield catalogue
            finally:
                with self._lock:
                    self._idle.append(self._renewed(catalogue))
        finally:
            self._free.release()

    def _follow(self) -> None:
        """Turns to the file that is there now. The lock is held: one request opens it, the others wait."""
        try:
            status = os.stat(self.settings.database)
        except OSError as error:
            return self._refuse(None, f"{self.settings.database}: {error.strerror}")
        now = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)
        if now[:2] != self._served:
            if now == self._refused:
                return None
            try:
                fresh = self._open()
            except Fault as fault:
                return self._refuse(now, str(fault))
            self._served, self.swaps = fresh.identity, self.swaps + 1
            # All are renewed, for an open file keeps its space on the disk.
            self._idle.pop().db.close()
            self._idle = [*map(self._renewed, self._idle), fresh]
        if now != self._seen:
            self.version, self._seen = version(self.settings.database), now
        self.fault = self._refused = None

    def _refuse(self, file: tuple | None, fault: str) -> None:
        if self.fault != fault:
            print(f"feed service: {fault}; the old file is served", file=sys.stderr, flush=True)
        self.fault, self._refused = fault, file

    def _renewed(self, catalogue: Catalogue) -> Catalogue:
        """The connection, or one to the file that is served now."""
        if catalogue.identity == self._served:
            return catalogue
        try:
            fresh = self._open()
        except Fault:
            return catalogue
        catalogue.db.close()
        return fresh

    def _open(self) -> Catalogue:
        """Opens the file. The identity is looked up before and after, for a rename may come between."""
        while True:
            before = self._identity()
            catalogue = Catalogue(self.settings, before)
            if before == self._identity():
                return catalogue
            catalogue.db.close()

    def _identity(self) -> tuple | None:
        try:
            status = os.stat(self.settings.database)
        except OSError:
            return None
        return status.st_dev, status.st_ino


def version(path) -> str:
    """Change counter and schema cookie. An import computes them from the content, a transaction counts them up."""
    with open(path, "rb") as file:
        header = file.read(44)
    return header[24:28].hex() + header[40:44].hex()
