"""The contract of the feed service: examples/service in Python and `vecrank serve` answer alike."""
import json
import os
import shutil
import signal
import socket
import subprocess
import threading

import apsw
import pytest
from conftest import COMMAND, LIBRARY, ROOT, run
from service import KINDS, SOURCE, Service, by_sql, changed_copy, command, put, vector, wait_until

LIKED = ["A00018", "A00982", "A01153"]
COLUMNS = "article_id, main_name, description, category, brand, retail_price, in_stock, rating, listed_on"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    database = tmp_path_factory.mktemp("service") / "feed.db"
    catalogue = ROOT / "examples" / "catalogue" / "catalogue.parquet"
    options = ("--table", "articles", "--key", "article_id", "--index", "category,brand")
    run(COMMAND, "import", catalogue, database, *options, cwd=database.parent)
    return database


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def service(kind, file, tmp_path_factory):
    running = Service(kind, file, tmp_path_factory.mktemp(kind))
    yield running
    assert running.stop() == 0, running.said()


@pytest.fixture
def own(kind, file, tmp_path):
    """A service of the test's own, over a copy of the file in the test's folder."""
    started = []

    def start(**settings):
        shutil.copy(file, tmp_path / "feed.db")
        started.append(Service(kind, tmp_path / "feed.db", tmp_path, **settings))
        return started[-1]

    yield start
    for running in started:
        running.kill()


def ids(page: dict) -> list[str]:
    return [row["article_id"] for row in page["rows"]]


def expected(file, taste, where: str = "", values=(), limit: int = 8, offset: int = 0) -> list[str]:
    sql = f"SELECT article_id FROM articles WHERE embedding MATCH ? {where} ORDER BY distance LIMIT {limit} OFFSET {offset}"
    return [key for (key,) in by_sql(file, sql, taste.tobytes(), *values)]


def test_a_page_has_the_rows_that_sql_gives(service, file):
    taste = vector(file, *LIKED)
    page = service.feed(embedding=[float(number) for number in taste], limit=5)
    sql = f"SELECT {COLUMNS}, distance FROM articles WHERE embedding MATCH ? ORDER BY distance LIMIT 5"
    rows = by_sql(file, sql, taste.tobytes())
    assert [tuple(row.values()) for row in page["rows"]] == rows
    assert list(page["rows"][0]) == [*COLUMNS.split(", "), "distance"]
    assert page["next_offset"] == 5


def test_liked_rows_are_the_taste_and_are_left_out(service, file):
    wanted = expected(file, vector(file, *LIKED), "AND article_id NOT IN (?, ?, ?)", LIKED, 20)
    assert ids(service.feed(liked=LIKED, limit=20)) == wanted
    wanted = expected(file, vector(file, "A00018"), "AND article_id <> 'A00018'", (), 20)
    assert ids(service.feed(liked=["A00018"], limit=20)) == wanted


def test_pages_tile(service, file):
    whole = ids(service.feed(liked=LIKED, limit=100))
    pages, offset = [], 0
    for limit in (7, 20, 1, 33, 39):
        page = service.feed(liked=LIKED, limit=limit, offset=offset)
        pages += ids(page)
        offset = page["next_offset"]
    assert pages == whole and len(set(whole)) == 100


def test_a_feed_ends_with_the_last_row(service, file):
    found, offset = [], 0
    while offset is not None:
        page = service.feed(liked=["A00018"], limit=30, offset=offset, filters={"category": "Tents"})
        found += ids(page)
        offset = page["next_offset"]
    assert len(found) == len(set(found))
    assert sorted(found + ["A00018"]) == sorted(key for (key,) in by_sql(file, "SELECT article_id FROM articles WHERE category = 'Tents'"))


def test_without_a_taste_rows_come_in_the_order_of_the_table(service, file):
    page = service.feed(limit=3, offset=2)
    rows = by_sql(file, "SELECT article_id FROM articles ORDER BY rowid LIMIT 3 OFFSET 2")
    assert ids(page) == [key for (key,) in rows]
    assert [row["distance"] for row in page["rows"]] == [None, None, None]
    rows = by_sql(file, "SELECT article_id FROM articles WHERE brand = 'Tarnow' ORDER BY rowid LIMIT 3")
    assert ids(service.feed(limit=3, filters={"BRAND": "Tarnow"})) == [key for (key,) in rows]


@pytest.mark.parametrize(
    "filters, where",
    [
        ({"category": "Tents"}, "AND category = 'Tents'"),
        ({"brand": ["Tarnow", "Mulin"]}, "AND brand IN ('Tarnow', 'Mulin')"),
        ({"retail_price": {"min": 20, "max": 80.5}}, "AND retail_price BETWEEN 20 AND 80.5"),
        ({"in_stock": {"min": 1}, "category": ["Backpacks"]}, "AND in_stock >= 1 AND category = 'Backpacks'"),
        ({"listed_on": {"min": "2025-01-01"}}, "AND listed_on >= '2025-01-01'"),
        ({"in_stock": False}, "AND in_stock = 0"),
    ],
)
def test_filters_mean_what_they_mean_in_sql(service, file, filters, where):
    wanted = expected(file, vector(file, *LIKED), where + " AND article_id NOT IN (?, ?, ?)", LIKED, 25)
    assert wanted and ids(service.feed(liked=LIKED, limit=25, filters=filters)) == wanted


def test_a_group_limit_counts_along_all_pages(service, file):
    pages = [service.feed(liked=LIKED, limit=30, offset=offset, group_by="brand", group_limit=2) for offset in (0, 30, 60)]
    brands = [row["brand"] for page in pages for row in page["rows"]]
    assert len(brands) == 90 and max(map(brands.count, brands)) == 2
    # Liked rows are left out before groups are counted.
    left_out = "AND article_id <> ? AND article_id <> ? AND article_id <> ? AND group_by = 'brand' AND group_limit = 2"
    assert ids(pages[0]) == expected(file, vector(file, *LIKED), left_out, LIKED, 30)
    brands = [row["brand"] for row in service.feed(liked=LIKED, limit=50, group_by="Brand")["rows"]]
    assert len(set(brands)) == 50


COLUMN_LIST = "the columns are " + COLUMNS
FILTER = 'expected a value, a list of values, or {"min": ..., "max": ...}'
REFUSALS = [
    ({"embedding": [1.0, 2.0]}, "embedding: expected 256 numbers, got 2"),
    ({"embedding": [0.0] * 256}, "embedding: expected a direction, got only zeros"),
    ({"embedding": [1.0] * 255 + [1e300]}, "embedding: number 256 is not a finite 32-bit float"),
    ({"embedding": ["1"] * 256}, "embedding: expected a list of numbers"),
    ({"embedding": [1.0], "liked": ["A00018"]}, "embedding: give liked or embedding, not both"),
    ({"liked": ["A00018", "A99999"]}, 'liked: no row with a vector has article_id "A99999"'),
    ({"liked": []}, "liked: ids: expected 1 to 100, got 0"),
    ({"liked": ["A00018"] * 101}, "liked: ids: expected 1 to 100, got 101"),
    ({"liked": "A00018"}, "liked: expected a list of keys: texts or whole numbers"),
    ({"liked": [1.5]}, "liked: expected a list of keys: texts or whole numbers"),
    ({"limit": 101}, "limit: expected 1 to 100, got 101"),
    ({"limit": 0}, "limit: expected 1 to 100, got 0"),
    ({"limit": "20"}, "limit: expected a whole number"),
    ({"limit": 1.5}, "limit: expected a whole number"),
    ({"offset": -1}, "offset: expected 0 to 10000, got -1"),
    ({"offset": 10001}, "offset: expected 0 to 10000, got 10001"),
    ({"filters": {"colour": "red"}}, f'filters: articles has no column "colour"; {COLUMN_LIST}'),
    ({"filters": {"embedding": "x"}}, f'filters: articles has no column "embedding"; {COLUMN_LIST}'),
    ({"filters": {"brand\" = '' OR 1 --": "x"}}, f"filters: articles has no column \"brand\" = '' OR 1 --\"; {COLUMN_LIST}"),
    ({"filters": {"brand": None}}, f"filters.brand: {FILTER}"),
    ({"filters": {"brand": {"like": "T%"}}}, f"filters.brand: {FILTER}"),
    ({"filters": {"brand": [["x"]]}}, f"filters.brand: {FILTER}"),
    ({"filters": {"brand": {}}}, "filters.brand: expected min, max or both"),
    ({"filters": {"brand": []}}, "filters.brand: values: expected 1 to 100, got 0"),
    ({"filters": ["brand"]}, "filters: expected an object with columns"),
    ({"liked": ["A00018"], "group_by": "colour"}, f'group_by: articles has no column "colour"; {COLUMN_LIST}'),
    ({"liked": ["A00018"], "group_by": "brand", "group_limit": 0}, "group_limit: expected 1 to 1000, got 0"),
    ({"liked": ["A00018"], "group_by": 1}, "group_by: expected the name of a column"),
    ({"group_by": "brand"}, "group_by: give liked or embedding too"),
    ({"group_limit": 2}, "group_limit: give group_by too"),
    (
        {"page": 2},
        'body: no field "page"; the fields are limit, offset, embedding, liked, filters, group_by, group_limit',
    ),
    ("[]", "body: expected a JSON object"),
]


@pytest.mark.parametrize("body, text", REFUSALS, ids=[text[:50] for _, text in REFUSALS])
def test_a_wrong_request_is_refused_in_one_line(service, body, text):
    assert service.refused(body) == text


@pytest.mark.parametrize("body", ['{"embedding": [' + "NaN, " * 255 + "1]}", '{"embedding": [' + "1e999, " * 255 + "1]}", "{", ""])
def test_what_is_no_number_or_no_json_is_refused(service, body):
    assert service.refused(body).startswith(("body: ", "embedding: number 1 is not a finite 32-bit float"))


NASTY = [
    rb'{"liked": ["\ud800"]}',
    rb'{"filters": {"brand": "\ud800"}}',
    rb'{"filters": {"brand": ["x", "\ud800"]}}',
    rb'{"filters": {"\ud800": "x"}}',
    rb'{"group_by": "\ud800", "liked": ["A00018"]}',
    b'{"liked": [36893488147419103232]}',
    b'{"liked": ["\xff"]}',
    b"[" * 100_000,
    b'{"filters": ' * 1000,
    b'{"embedding": [1' + b"0" * 400 + b"]}",
]


@pytest.mark.parametrize("body", NASTY, ids=range(len(NASTY)))
def test_a_body_that_no_client_sends_is_refused(service, body):
    status, _, text = service.ask("POST", "/feed", body)
    assert status in (400, 422) and set(json.loads(text)) == {"error"}, text


def test_a_number_beyond_sqlites_integers_is_compared_as_a_real(service):
    assert service.feed(filters={"in_stock": 2**70})["rows"] == []
    assert len(service.feed(filters={"in_stock": {"max": 2**70}, "retail_price": {"min": -(2**70)}})["rows"]) == 20


def test_a_large_body_is_refused(service):
    status, _, text = service.ask("POST", "/feed", b" " * 1_000_001)
    assert (status, json.loads(text)) == (413, {"error": "body: expected a length of at most 1000000 bytes"})


def test_an_item_has_the_columns_of_its_row(service, file):
    (row,) = by_sql(file, f"SELECT {COLUMNS} FROM articles WHERE article_id = 'A00018'")
    assert service.get("/items/A00018") == dict(zip(COLUMNS.split(", "), row))
    for key, shown in (("A99999", "A99999"), ("a%2Fb%20%22c", 'a/b "c')):
        status, _, text = service.ask("GET", f"/items/{key}")
        assert (status, json.loads(text)) == (404, {"error": f'no row has article_id "{shown}"'})


def test_other_paths_and_methods_are_refused_as_json(service):
    for method, path, status in (("GET", "/nothing", 404), ("GET", "/feed", 405), ("POST", "/health", 405)):
        found, _, text = service.ask(method, path)
        assert found == status and set(json.loads(text)) == {"error"}


def test_the_catalogue_says_what_may_be_asked(service, file):
    about = service.get("/catalogue")
    assert (about["table"], about["key"], about["rows"]) == ("articles", "article_id", 5000)
    assert about["embedding"] == {"column": "embedding", "dims": 256, "metric": "cosine"}
    assert (about["max_limit"], about["max_offset"]) == (100, 10000)
    assert about["columns"][3:6] == [
        {"name": "category", "type": "TEXT", "indexed": True},
        {"name": "brand", "type": "TEXT", "indexed": True},
        {"name": "retail_price", "type": "REAL", "indexed": False},
    ]
    for column in ("category", "brand"):
        assert about["values"][column] == [v for (v,) in by_sql(file, f"SELECT DISTINCT {column} FROM articles ORDER BY 1")]
    assert about["version"] == service.feed()["version"]


def test_the_web_page_and_the_description_of_the_api_are_served(service):
    status, headers, text = service.ask("GET", "/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert text == (SOURCE / "web" / "index.html").read_bytes()
    assert headers["content-security-policy"].startswith("default-src 'none'; ")
    # The file is what FastAPI makes of the Python service: `vecrank serve` carries it.
    assert service.get("/openapi.json") == json.loads((SOURCE / "openapi.json").read_text())


def test_health_and_metrics(service):
    assert service.get("/health") == {"status": "ok", "fault": None, "version": service.feed()["version"]}
    good, bad = 'vecrank_requests_total{route="/feed",status="200"}', 'vecrank_requests_total{route="/feed",status="422"}'
    before = service.metric(good), service.metric(bad), service.metric("vecrank_request_seconds_count")
    service.feed()
    service.refused("[]")
    after = service.metric(good), service.metric(bad), service.metric("vecrank_request_seconds_count")
    assert (after[0], after[1]) == (before[0] + 1, before[1] + 1) and after[2] >= before[2] + 2
    assert service.metric("vecrank_file_swaps") == service.metric("vecrank_file_refused") == 0


def test_requests_at_once_get_their_own_pages(service, file):
    keys = [f"A{number:05}" for number in range(1, 33)]
    alone = {key: service.feed(liked=[key]) for key in keys}
    together = {}
    threads = [threading.Thread(target=lambda key=key: together.update({key: service.feed(liked=[key])})) for key in keys]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone


def test_a_new_file_is_served_from_the_next_request_on(own, file, tmp_path):
    running = own(connections=4)
    other = changed_copy(tmp_path / "feed.db", "other.db")
    old = running.feed(liked=LIKED[:1])
    put(other, tmp_path / "feed.db")
    new = running.feed(liked=LIKED[:1])
    assert all(row["main_name"].startswith("new ") for row in new["rows"]) and new["version"] != old["version"]
    assert running.get("/catalogue")["rows"] == by_sql(other, "SELECT count(*) FROM articles")[0][0]
    put(file, tmp_path / "feed.db")
    assert running.feed(liked=LIKED[:1]) == old
    assert running.metric("vecrank_file_swaps") == 2


def test_rows_changed_in_place_are_seen(own, tmp_path):
    running = own()
    before = running.feed(limit=1)
    writer = sqlite_writer(tmp_path / "feed.db")
    writer.execute("UPDATE articles SET main_name = 'changed' WHERE article_id = ?", ids(before))
    writer.close()
    after = running.feed(limit=1)
    assert after["rows"][0]["main_name"] == "changed" and after["version"] != before["version"]
    assert running.metric("vecrank_file_swaps") == 0


def sqlite_writer(database):
    connection = apsw.Connection(str(database))
    connection.enable_load_extension(True)
    connection.load_extension(str(LIBRARY))
    return connection


def test_no_page_mixes_two_files_while_they_are_swapped(own, file, tmp_path):
    running = own(connections=3)
    other = changed_copy(tmp_path / "feed.db", "other.db")
    requests = [{"liked": [key], "limit": 15} for key in ("A00018", "A00982", "A01153", "A00495")]
    right = {}
    for source in (file, other):
        put(source, tmp_path / "feed.db")
        for number, request in enumerate(requests):
            page = running.feed(**request)
            right[number, page["version"]] = page
    assert len(right) == 8
    wrong, counts, is_over = [], [], threading.Event()

    def ask(number: int) -> None:
        count = 0
        while not is_over.is_set():
            page = running.feed(**requests[number])
            count += 1
            # A file may be swapped between the look at it and the answer: what counts is that the page is of one file.
            if page["rows"] not in [right[number, version]["rows"] for _, version in right if (number, version) in right]:
                wrong.append(page)
        counts.append(count)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for swap in range(30):
        put((file, other)[swap % 2], tmp_path / "feed.db")
        served = running.metric("vecrank_request_seconds_count") + 8
        wait_until("requests go on", lambda: running.metric("vecrank_request_seconds_count") >= served)
    is_over.set()
    for thread in threads:
        thread.join()
    assert wrong == [] and min(counts) > 0
    running.feed()
    files = [os.readlink(entry) for entry in os.scandir(f"/proc/{running.process.pid}/fd")]
    assert [name for name in files if name.endswith(".db (deleted)")] == [], "replaced files are closed"


def test_a_file_that_cannot_be_used_leaves_the_old_one_served(own, file, tmp_path):
    running = own()
    database = tmp_path / "feed.db"
    old = running.feed(liked=LIKED)
    (tmp_path / "broken.db").write_bytes(file.read_bytes()[:5000])
    (tmp_path / "text.db").write_text("no database\n" * 1000)
    sqlite_writer(tmp_path / "empty.db").execute("CREATE TABLE articles(article_id)")
    for name, fault in (("text.db", "file is not a database"), ("empty.db", "no vecrank table"), ("broken.db", "")):
        put(tmp_path / name, database)
        assert running.feed(liked=LIKED) == old
        health = running.get("/health")
        assert health["status"] == "stale" and str(database) in health["fault"]
        assert fault in health["fault"].replace("not an SQLite database", "file is not a database")
        assert running.metric("vecrank_file_refused") == 1
    database.unlink()
    assert running.feed(liked=LIKED) == old and running.get("/health")["status"] == "stale"
    put(file, database)
    assert running.get("/health")["status"] == "ok" and running.feed(liked=LIKED) == old
    assert running.metric("vecrank_file_refused") == 0


def test_nothing_is_written_beside_the_file(kind, file, tmp_path):
    folder = tmp_path / "image"
    folder.mkdir()
    shutil.copy(file, folder / "feed.db")
    (folder / "feed.db").chmod(0o444)
    folder.chmod(0o555)
    before = (folder / "feed.db").stat().st_mtime_ns
    running = Service(kind, folder / "feed.db", tmp_path)
    try:
        assert len(running.feed(liked=LIKED)["rows"]) == 20
        assert os.listdir(folder) == ["feed.db"] and (folder / "feed.db").stat().st_mtime_ns == before
    finally:
        running.kill()
        folder.chmod(0o755)


def test_requests_that_have_begun_are_answered_after_sigterm(own):
    running = own()
    body = json.dumps({"liked": LIKED}).encode()
    with socket.create_connection(("127.0.0.1", running.port)) as slow:
        head = f"POST /feed HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        slow.sendall(head.encode() + body[:5])
        wait_until("the other requests are answered", lambda: running.get("/health")["status"] == "ok")
        running.process.send_signal(signal.SIGTERM)
        wait_until("no new connection is taken", lambda: not takes_connections(running.port))
        slow.sendall(body[5:])
        answer = b""
        while more := slow.recv(65536):
            answer += more
    assert answer.startswith(b"HTTP/1.1 200 OK") and b'"next_offset":20' in answer
    assert running.process.wait(60) == 0, running.said()


def takes_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def failed(kind: str, database, folder, **settings) -> str:
    """The one line of a service that does not start."""
    program, environment = command(kind, database, **settings)
    done = subprocess.run(program, cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    return done.stderr.strip().split(": ", 1)[1]


def test_a_service_that_cannot_start_says_why_in_one_line(kind, file, tmp_path):
    assert failed(kind, "none.db", tmp_path) == "none.db: no such file"
    (tmp_path / "text.db").write_text("no database\n" * 1000)
    not_one = "file is not a database" if kind == "python" else "not an SQLite database"
    assert failed(kind, "text.db", tmp_path) == f"text.db: {not_one}"
    sqlite_writer(tmp_path / "plain.db").execute("CREATE TABLE articles(article_id)")
    missing = "no vecrank table" if kind == "python" else "no vecrank table in the file"
    assert failed(kind, "plain.db", tmp_path) == f"plain.db: {missing}"
    shutil.copy(file, tmp_path / "feed.db")
    unknown = {"python": "no vecrank table is named shoes; there is articles", "rust": 'no vecrank table "shoes"; there is articles'}
    assert failed(kind, "feed.db", tmp_path, table="shoes") == f"feed.db: {unknown[kind]}"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert failed(kind, "feed.db", tmp_path, port=port).startswith(f"127.0.0.1:{port}: the address cannot be used: Address")


def test_wrong_settings_of_the_python_service_are_named(tmp_path, file):
    def said(**settings):
        return failed("python", file, tmp_path, **settings)

    assert said(connections="many") == "FEED_CONNECTIONS: expected a number from 1 to 256, got many"
    program, environment = command("python", file)
    environment["VECRANK_LIBRARY"] = ""
    done = subprocess.run(program, cwd=tmp_path, env=os.environ | environment, capture_output=True, text=True, timeout=60)
    wanted = "VECRANK_LIBRARY: expected the path of libvecrank, for the package vecrank is not installed"
    assert done.returncode == 2 and done.stderr == f"feed service: {wanted}\n"
