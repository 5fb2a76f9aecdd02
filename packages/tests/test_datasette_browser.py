"""The Datasette plugin in Chromium: open, three more pages, a filter, more like this, back."""
import json
import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import apsw
import pytest

from conftest import LIBRARY, ROOT, need, run
from test_datasette import VERSIONS

PROGRAM = ROOT / "packages" / "tests" / "programs" / "browse_datasette.py"
MINUTES = 3


@pytest.fixture(params=VERSIONS)
def server(request, installed, kept, feed_file):
    """The address of a Datasette that serves the catalogue, immutable."""
    python = installed("/usr/bin/python3", "python", "datasette")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [python, "-m", "datasette", "serve", "-i", feed_file, "--port", str(port)],
        env=os.environ | {"PYTHONPATH": kept(f"datasette-{request.param}")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    url = f"http://127.0.0.1:{port}"
    last = time.monotonic() + 60 * MINUTES
    while True:
        try:
            urllib.request.urlopen(f"{url}/-/versions.json", timeout=60).close()
            break
        except OSError:
            assert process.poll() is None, process.stderr.read().decode()
            assert time.monotonic() < last, "Datasette does not answer"
            time.sleep(0.2)
    yield url
    process.terminate()
    process.communicate()


def test_a_visitor_pages_filters_and_asks_for_more(server, kept, feed_file, tmp_path):
    chromium = need("chromium")
    screenshot = Path(os.environ.get("VECRANK_SCREENSHOTS", tmp_path)) / "datasette.png"
    found = json.loads(run("/usr/bin/python3", PROGRAM, chromium, server, screenshot, cwd=tmp_path, PYTHONPATH=kept("browser")))
    connection = apsw.Connection(str(feed_file))
    connection.enable_load_extension(True)
    connection.load_extension(str(LIBRARY))

    ((start,),) = connection.execute("SELECT rowid FROM articles WHERE instr(main_name, 'tent') ORDER BY rowid LIMIT 1")
    chosen = "AND category IN ('Tents', 'Backpacks', 'Hiking boots')"

    def ranked(filters: str) -> list:
        like = f"(SELECT embedding FROM articles WHERE rowid = {start})"
        sql = f"SELECT article_id FROM articles WHERE embedding MATCH {like} {filters} ORDER BY distance LIMIT 32"
        return [row[0] for row in connection.execute(sql)]

    assert found["errors"] == []
    assert found["likes"] == f"_like={start}"
    assert found["pages"] == [ranked(chosen)[first:first + 8] for first in (0, 8, 16, 24)]
    assert found["first"][0] == found["pages"][0][0]
    assert found["filtered"] == ranked(f"{chosen} AND in_stock > 40")[:8]
    assert f"where nearest to {found['first'][0]}, category in" in found["heading"]
    assert found["facets"] == 3
    assert found["nearest"] == found["filtered"][2]
    assert found["back"] == found["filtered"]
    assert screenshot.stat().st_size > 10_000
