"""The feed services on other tables than the catalogue's: keys, elements, metrics, names, indexes over tables, settings."""
import json

import apsw
import pytest
from conftest import LIBRARY
from service import KINDS, Service, by_sql
from test_service import failed

ROWS = 60


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def serve(kind, tmp_path):
    """Makes a file with some SQL, and starts a service over it."""
    started = []

    def start(sql: str, **settings):
        connection = apsw.Connection(str(tmp_path / "feed.db"))
        connection.enable_load_extension(True)
        connection.load_extension(str(LIBRARY))
        connection.execute(sql)
        connection.close()
        started.append(Service(kind, tmp_path / "feed.db", tmp_path, **settings))
        return started[-1]

    yield start
    for running in started:
        running.kill()


def values(number: int, size: int = 1) -> str:
    return json.dumps([size * (number % 7) - 3, size * (number % 5) - 2, 1 + number % 3])


def inserted(table: str, columns: str, row) -> str:
    return f"INSERT INTO {table}({columns}) VALUES " + ", ".join(row(number) for number in range(1, ROWS + 1)) + ";"


@pytest.mark.parametrize("element, metric", [("FLOAT16", "cosine"), ("INT8", "l2"), ("FLOAT", "dot"), ("FLOAT", "l2")])
def test_elements_and_metrics(serve, tmp_path, element, metric):
    rows = inserted("t", "id, name, v", lambda n: f"({n}, 'row {n}', '{values(n)}')")
    service = serve(f"CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, name TEXT, v {element}[3], metric = '{metric}'); {rows}")
    assert service.get("/catalogue")["embedding"] == {"column": "v", "dims": 3, "metric": metric}
    assert service.get("/catalogue")["key"] == "id"
    page = service.feed(embedding=[1, 0.5, -2], limit=ROWS)
    assert [(row["id"], row["distance"]) for row in page["rows"]] == by_sql(
        tmp_path / "feed.db", f"SELECT id, distance FROM t WHERE v MATCH '[1, 0.5, -2]' ORDER BY distance LIMIT {ROWS}"
    )
    (like,) = by_sql(tmp_path / "feed.db", "SELECT v FROM t WHERE id = 9")
    wanted = by_sql(tmp_path / "feed.db", "SELECT id FROM t WHERE v MATCH ? AND id <> 9 ORDER BY distance LIMIT 5", *like)
    for key in (9, "9"):
        assert [(row["id"],) for row in service.feed(liked=[key], limit=5)["rows"]] == wanted
    # The mean of two rows, from SQL: of vectors as JSON, whatever the element is.
    likes = [json.loads(text) for (text,) in by_sql(tmp_path / "feed.db", "SELECT vec_json(vec_parse('" + values(9) + "')) UNION ALL SELECT '" + values(12) + "'")]
    middle = json.dumps([sum(pair) / 2 for pair in zip(*likes)])
    wanted = by_sql(tmp_path / "feed.db", "SELECT id FROM t WHERE v MATCH ? AND id <> 9 AND id <> 12 ORDER BY distance LIMIT 5", middle)
    assert [(row["id"],) for row in service.feed(liked=[9, 12], limit=5)["rows"]] == wanted
    assert service.get("/items/7") == {"id": 7, "name": "row 7"}


def test_bits(serve, tmp_path):
    def bits(number: int) -> str:
        return json.dumps([number * factor >> 3 & 1 for factor in range(1, 17)])

    rows = inserted("t", "id, v", lambda n: f"({n}, '{bits(n)}')")
    service = serve(f"CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, v BIT[16]); {rows}")
    assert service.get("/catalogue")["embedding"] == {"column": "v", "dims": 16, "metric": "hamming"}

    def nearest(taste: str, but: str = "0") -> list[tuple]:
        return by_sql(tmp_path / "feed.db", f"SELECT id, distance FROM t WHERE v MATCH '{taste}' AND id NOT IN ({but}) ORDER BY distance LIMIT 20")

    def page(**request) -> list[tuple]:
        return [(row["id"], row["distance"]) for row in service.feed(limit=20, **request)["rows"]]

    assert page(embedding=json.loads(bits(5))) == nearest(bits(5))
    assert page(liked=[9]) == nearest(bits(9), "9")
    likes = [json.loads(bits(number)) for number in (9, 12, 31)]
    assert page(liked=[9, 12, 31]) == nearest(json.dumps([int(sum(three) > 1) for three in zip(*likes)]), "9, 12, 31")
    assert service.refused({"embedding": [0.5] * 16}) == "embedding: expected zeros and ones, for the column is of BIT"


def test_vectors_that_cancel_each_other_out_are_refused(serve):
    service = serve("CREATE VIRTUAL TABLE t USING hnsw(id TEXT PRIMARY KEY, v FLOAT[2]); INSERT INTO t(id, v) VALUES ('a', '[1, 2]'), ('b', '[-1, -2]'), ('c', NULL)")
    assert service.refused({"liked": ["a", "b"]}) == "liked: the vectors of these rows cancel each other out"
    assert service.refused({"liked": ["c"]}) == 'liked: no row with a vector has id "c"'
    assert [row["id"] for row in service.feed(liked=["a"])["rows"]] == ["b"]
    assert [row["id"] for row in service.feed()["rows"]] == ["a", "b", "c"]


def test_odd_names_and_values(serve):
    service = serve(
        """CREATE VIRTUAL TABLE "o'dd ""t" USING hnsw("k ey" TEXT PRIMARY KEY, "or""der" TEXT, data BLOB, "real" REAL, "v x" FLOAT[2]);
        INSERT INTO "o'dd ""t"("k ey", "or""der", data, "real", "v x") VALUES
          ('a''b/c?', 'größe', x'00ff', 9e999, '[1, 0]'), ('d', NULL, NULL, 0.5, '[0, 1]')"""
    )
    assert service.get("/catalogue")["table"] == "o'dd \"t"
    row = {"k ey": "a'b/c?", 'or"der': "größe", "data": "00ff", "real": None}
    assert service.get("/items/a'b%2Fc%3F") == row
    assert service.feed(embedding=[1, 0], filters={'or"der': "größe"})["rows"] == [{**row, "distance": 0.0}]
    assert service.feed(liked=["d"], group_by='or"der')["rows"][0]["k ey"] == "a'b/c?"


def test_a_table_without_a_key_goes_by_rowid(serve):
    service = serve("CREATE VIRTUAL TABLE t USING hnsw(name TEXT, v FLOAT[2]); INSERT INTO t(rowid, name, v) VALUES (7, 'a', '[1, 0]'), (9, 'b', '[0, 1]')")
    assert service.get("/catalogue")["key"] == "rowid"
    assert service.get("/items/9") == {"name": "b"}
    assert service.feed(liked=[7])["rows"][0]["name"] == "b"
    status, _, text = service.ask("GET", "/items/8")
    assert (status, json.loads(text)) == (404, {"error": 'no row has rowid "8"'})


def test_an_index_over_a_table(serve, tmp_path):
    rows = inserted("products", "id, name, v", lambda n: f"({n}, 'row {n}', '{values(n)}')")
    service = serve(
        f"CREATE TABLE products(id INTEGER PRIMARY KEY, name TEXT, v TEXT); CREATE INDEX by_name ON products(name); {rows}"
        "CREATE VIRTUAL TABLE near USING hnsw(content = 'products', v FLOAT[3], metric = 'l2')"
    )
    about = service.get("/catalogue")
    assert (about["table"], about["key"], about["rows"]) == ("near", "id", ROWS)
    assert about["values"]["name"][0] == "row 1"
    wanted = by_sql(tmp_path / "feed.db", "SELECT id FROM near WHERE v MATCH ? AND id <> 9 ORDER BY distance LIMIT 5", values(9))
    assert [(row["id"],) for row in service.feed(liked=[9], limit=5)["rows"]] == wanted


@pytest.mark.parametrize("wrong, reason", [
    ("'[1, 2'", "near.v: malformed JSON vector: expected ',' or ']' at byte 5, found the end of the text"),
    ("'[1, 2]'", "near.v: expected 3 dimensions (12 bytes of FLOAT), got 2"),
    ("x'0000803f00'", "near.v: expected 3 dimensions (12 bytes of FLOAT), got 5 bytes"),
    ("x'0000c07f0000803f0000803f'", "near.v: component 0: expected a finite number, got NaN"),
    ("'[0, 0, 0]'", "near.v: expected a vector with a direction, since the metric is cosine, got all zeros"),
    ("7", "near.v: expected a vector (a BLOB, or JSON text), got INTEGER"),
])
def test_a_liked_row_with_a_wrong_vector_is_refused(serve, wrong, reason):
    service = serve(
        """CREATE TABLE products(id INTEGER PRIMARY KEY, v);
        CREATE VIRTUAL TABLE near USING hnsw(content = 'products', v FLOAT[3], sync = 'log');
        INSERT INTO products VALUES (1, '[1, 0, 0]'), (2, vec_parse('[0, 1, 0]')), (3, NULL)"""
        f", (4, {wrong})"
    )
    expected = f'liked: the vector of id "4" is wrong: {reason}'
    for liked in ([4], [1, 4], [4, 2], [1, 2, 4]):
        assert service.refused({"liked": liked}) == expected
    assert service.refused({"liked": [3]}) == 'liked: no row with a vector has id "3"'
    assert [row["id"] for row in service.feed(liked=[1, 2])["rows"]] == []
    assert [row["id"] for row in service.feed(liked=[1])["rows"]] == [2]


def test_the_limits_of_a_request_can_be_set(serve):
    rows = inserted("t", "id, v", lambda n: f"({n}, '{values(n)}')")
    service = serve(f"CREATE VIRTUAL TABLE t USING hnsw(id INTEGER PRIMARY KEY, v FLOAT[3]); {rows}", max_limit=5, max_offset=10, connections=1)
    assert service.refused({"limit": 6}) == "limit: expected 1 to 5, got 6"
    assert service.refused({"limit": 5, "offset": 11}) == "offset: expected 0 to 10, got 11"
    assert [service.feed(limit=5, offset=offset)["next_offset"] for offset in (0, 5, 6, 10)] == [5, 10, None, None]


def test_one_of_several_tables_and_vector_columns_is_chosen(kind, serve, tmp_path):
    sql = """CREATE VIRTUAL TABLE a USING hnsw(id TEXT PRIMARY KEY, x FLOAT[2], y FLOAT[3], y.metric = 'l2');
        CREATE VIRTUAL TABLE b USING hnsw(id TEXT PRIMARY KEY, x FLOAT[2]);
        INSERT INTO a(id, x, y) VALUES ('one', '[1, 0]', '[0, 0, 0]')"""
    service = serve(sql, table="A", embedding="Y")
    assert service.get("/catalogue")["embedding"] == {"column": "y", "dims": 3, "metric": "l2"}
    assert service.feed(embedding=[3, 0, 4])["rows"] == [{"id": "one", "distance": 5.0}]
    option = {"python": "by FEED_TABLE", "rust": "with --table"}[kind]
    assert failed(kind, "feed.db", tmp_path).endswith(f": a, b; choose one {option}")
    option = {"python": "by FEED_EMBEDDING", "rust": "with --embedding"}[kind]
    assert failed(kind, "feed.db", tmp_path, table="a").endswith(f": x, y; choose one {option}")
