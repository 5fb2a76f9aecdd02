"""A web server for files, and pages in headless Chromium that may fail no script and ask nothing of another host."""
import os
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from conftest import need
from service import VERY_LONG

playwright = pytest.importorskip("playwright.sync_api") if os.environ.get("CI") != "true" else __import__(
    "playwright.sync_api", fromlist=["sync_api"]
)


class Files(SimpleHTTPRequestHandler):
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".wasm": "application/wasm", ".js": "text/javascript"}

    def do_GET(self):
        if self.path == "/favicon.ico":  # every browser asks for it
            self.send_response(204)
            return self.end_headers()
        return super().do_GET()

    def log_message(self, *_):
        pass


@contextmanager
def serve(folder: Path):
    """The address of a web server with the files of a folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def opened_page(width: int = 1280, height: int = 860):
    """A page of a new profile. At its end nothing may have failed."""
    chromium = need("chromium")
    wrong = []
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="light", reduced_motion="reduce")
        context.set_default_timeout(1000 * VERY_LONG)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        context.on("request", lambda asked: None if "//127.0.0.1:" in asked.url or asked.url.startswith("data:") else wrong.append(asked.url))
        yield page
        browser.close()
    assert wrong == []
