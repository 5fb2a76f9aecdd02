"""Feeds of a vecrank file over HTTP: python service.py --port 8000, with the settings of settings.py."""
import argparse
import signal
import socket
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread
import feed
import prometheus_client
import uvicorn
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from pool import Busy, Pool
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from settings import Fault, Settings
from starlette.exceptions import HTTPException

import settings as environment

PAGE = Path(__file__).parent / "web" / "index.html"
MOST_BYTES = 1_000_000
# The page is one file, which loads nothing.
HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
        b"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


# Series of when each counter began say nothing here.
prometheus_client.disable_created_metrics()


class Metrics:
    def __init__(self, pool: Pool):
        self.registry = CollectorRegistry()
        own = {"registry": self.registry}
        self.requests = Counter("vecrank_requests", "Requests by route and status", ("route", "status"), **own)
        self.seconds = Histogram("vecrank_request_seconds", "Time to answer", buckets=SECONDS, **own)
        Gauge("vecrank_file_swaps", "New files put in place since the start", **own).set_function(lambda: pool.swaps)
        Gauge("vecrank_file_refused", "1 if the file there now cannot be used", **own).set_function(lambda: bool(pool.fault))


def service(settings: Settings) -> FastAPI:
    """The application. Raises a Fault if the file cannot be served."""
    pool = Pool(settings)
    metrics = Metrics(pool)

    @asynccontextmanager
    async def lifespan(_):
        # A thread per connection: what waits then waits in one place.
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.connections
        yield

    app = FastAPI(title="vecrank feed", version="1", lifespan=lifespan, docs_url=None, redoc_url=None)
    refusals = {422: {"model": feed.Problem, "description": "the request is wrong"}}
    busy_too = {503: {"model": feed.Problem, "description": "all connections are in use"}}

    @app.post("/feed", responses={200: {"model": feed.Page}, **refusals, **busy_too})
    def page(request: feed.FeedRequest) -> dict:
        """A page of rows, the nearest to the taste first."""
        with pool.catalogue() as catalogue:
            version, rows = pool.version, feed.feed(catalogue, request, settings)
        is_last = len(rows) < request.limit or request.offset + request.limit > settings.max_offset
        return {"rows": rows, "next_offset": None if is_last else request.offset + request.limit, "version": version}

    @app.get("/items/{key:path}", responses={404: {"model": feed.Problem, "description": "no such row"}, **refusals, **busy_too})
    def item(key: str) -> dict:
        """The columns of one row."""
        with pool.catalogue() as catalogue:
            return feed.item(catalogue, key)

    @app.get("/catalogue", responses=busy_too)
    def about() -> dict:
        """The table: its columns, the values to filter by, and the limits of a request."""
        with pool.catalogue() as catalogue:
            limits = {"max_limit": settings.max_limit, "max_offset": settings.max_offset}
            return {**catalogue.about(), **limits, "version": pool.version}

    @app.get("/health", responses=busy_too)
    def health() -> dict:
        """Whether requests are answered, and from the file that is there now."""
        with pool.catalogue() as catalogue:
            catalogue.db.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
        return {"status": "stale" if pool.fault else "ok", "fault": pool.fault, "version": pool.version}

    @app.get("/metrics", response_class=Response)
    def exposition():
        """Counters for Prometheus."""
        return Response(prometheus_client.generate_latest(metrics.registry), media_type=prometheus_client.CONTENT_TYPE_LATEST)

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    def web_page():
        return FileResponse(PAGE, media_type="text/html; charset=utf-8", headers={"Cache-Control": "no-cache"})

    app.add_middleware(Account, metrics=metrics)

    @app.exception_handler(RequestValidationError)
    async def invalid(_, error):
        return refusal(422, in_one_line(error.errors()[0]))

    @app.exception_handler(feed.Refused)
    async def refused(_, error):
        return refusal(error.status, str(error))

    @app.exception_handler(Busy)
    async def busy(_, error):
        return JSONResponse({"error": "all connections are in use; try again"}, 503, {"Retry-After": "1"})

    @app.exception_handler(HTTPException)
    async def other(_, error):
        return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def failed(_, error):
        return refusal(500, "internal error; the log of the service has it")

    return app


class Account:
    """Counts each request, adds the headers of every response, and refuses large bodies."""

    def __init__(self, app, metrics: Metrics):
        self.app, self.metrics = app, metrics

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        began, status = time.perf_counter(), 500

        async def sent(message):
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        is_large = not is_within(dict(scope["headers"]))
        app = refusal(413, f"body: expected a length of at most {MOST_BYTES} bytes") if is_large else self.app
        try:
            await app(scope, receive, sent)
        finally:
            route = getattr(scope.get("route"), "path", "none").replace(":path", "")
            self.metrics.requests.labels(route, status).inc()
            self.metrics.seconds.observe(time.perf_counter() - began)


def is_within(headers: dict) -> bool:
    """True of a body whose length is told and not too large."""
    length = headers.get(b"content-length", b"0")
    return b"transfer-encoding" not in headers and length.isdigit() and int(length) <= MOST_BYTES


def refusal(status: int, text: str) -> JSONResponse:
    return JSONResponse({"error": text.encode("utf8", "replace").decode()}, status)


EXPECTED = {
    "limit": "a whole number",
    "offset": "a whole number",
    "embedding": "a list of numbers",
    "liked": "a list of keys: texts or whole numbers",
    "filters": "an object with columns",
    "group_by": "the name of a column",
    "group_limit": "a whole number",
}


def in_one_line(error: dict) -> str:
    """What pydantic found first, in the words that `vecrank serve` has too."""
    place = error["loc"][1:]
    field = place[0] if place else "body"
    if error["type"] == "json_invalid":
        return f"body: expected JSON: {error['ctx']['error']}"
    if error["type"] == "extra_forbidden" and len(place) == 1:
        return f'body: no field "{field}"; the fields are {", ".join(feed.FeedRequest.model_fields)}'
    if field == "filters" and len(place) > 1:
        return f'filters.{place[1]}: expected a value, a list of values, or {{"min": ..., "max": ...}}'
    return f"{field}: expected {EXPECTED.get(field, 'a JSON object')}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    try:
        app = service(environment.read())
        listening = listen(arguments.host, arguments.port)
    except Fault as fault:
        print(f"feed service: {fault}", file=sys.stderr)
        return 2
    host, port = listening.getsockname()[:2]
    print(f"serving at http://{host}:{port}", file=sys.stderr, flush=True)
    # uvicorn raises the signal that ended it once more when all requests are answered.
    signal.signal(signal.SIGTERM, lambda *_: None)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=10)).run([listening])
    return 0


def listen(host: str, port: int) -> socket.socket:
    try:
        # asyncio sends small packets at once only on sockets whose protocol is told: without, each answer takes 40 ms.
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(1024)
    except OSError as error:
        raise Fault(f"{host}:{port}: the address cannot be used: {error.strerror}") from None
    return listening


if __name__ == "__main__":
    sys.exit(main())
