"""The Datasette plugin, through Datasette's own client, in the last 0.65 and in a 1.0 alpha."""
import json
import stat
from pathlib import Path

import apsw
import pytest

from conftest import LIBRARY, ROOT, run
from tour import FILTER

PROGRAMS = ROOT / "packages" / "tests" / "programs"
VERSIONS = ("0.65.5", "1.0a41")
VISIBLE = "article_id main_name description category brand retail_price in_stock rating listed_on embedding".split()


@pytest.fixture(params=VERSIONS)
def serve(request, installed, kept):
    """Asks a Datasette for pages: `serve(file, ask={"name": path}, ...)` returns what each answered."""
    python = installed("/usr/bin/python3", "python", "datasette")
    libraries = kept(f"datasette-{request.param}")

    def ask(file: Path, **settings) -> dict:
        settings = {"ask": {}, "plugins_dir": str(PROGRAMS / "none"), **settings}
        program = PROGRAMS / "through_datasette.py"
        return json.loads(run(python, program, file, json.dumps(settings), cwd=file.parent, PYTHONPATH=libraries))

    return ask


@pytest.fixture
def plugins_dir(tmp_path) -> str:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "embedder.py").write_bytes((PROGRAMS / "embedder.py").read_bytes())
    return str(folder)


@pytest.fixture
def sql(feed_file):
    connection = apsw.Connection(str(feed_file))
    connection.enable_load_extension(True)
    connection.load_extension(str(LIBRARY))
    return lambda statement, *values: [row[0] for row in connection.execute(statement, values)]


def ranked(sql, match: str, filters: str = "") -> list:
    return sql(f"SELECT article_id FROM articles WHERE embedding MATCH {match} {filters} ORDER BY distance")


LIKE_18 = "(SELECT embedding FROM articles WHERE rowid = 18)"


def test_shadow_tables_and_hidden_columns_are_hidden(serve, feed_file):
    found = serve(feed_file, ask={"tables": "/feed.json", "page": "/feed/articles", "home": "/"})
    assert [table["name"] for table in found["tables"]["tables"] if not table["hidden"]] == ["articles"]
    assert found["page"]["columns"] == ["Link", "rowid", *VISIBLE]
    assert found["page"]["offered"] == ["rowid", *VISIBLE]
    assert "articles_nodes" not in found["home"]["text"]


def test_a_table_of_another_kind_is_as_without_the_plugin(serve, feed_file, sql):
    sql("CREATE TABLE sizes(id INTEGER PRIMARY KEY, name TEXT, icon BLOB)")
    sql("INSERT INTO sizes VALUES (1, 'small', x'00')")
    found = serve(feed_file, ask={"page": "/feed/sizes", "like": "/feed/sizes?_like=1"})
    assert found["page"]["columns"] == ["id", "name", "icon"]
    assert found["page"]["links"] == []
    assert found["like"]["heading"] == found["page"]["heading"]


def test_each_row_has_a_link_to_a_ranked_page(serve, feed_file, sql):
    found = serve(feed_file, ask={"page": "/feed/articles?_size=3", "row": "/feed/articles/18", "like": "/feed/articles?_like=18"})
    assert found["page"]["links"] == [f"/feed/articles?_like={rowid}" for rowid in (1, 2, 3)]
    assert found["row"]["links"] == ["/feed/articles?_like=18"]
    (name,) = sql("SELECT article_id FROM articles WHERE rowid = 18")
    like = found["like"]
    assert like["heading"] == f"5,000 rows where nearest to {name} sorted by distance"
    assert like["title"] == f"feed: articles: 5,000 rows where nearest to {name} sorted by distance"
    assert like["columns"] == ["Link", "rowid", *VISIBLE, "distance"]
    assert "more like this 0.0000" in like["text"]
    assert like["text"].index(ranked(sql, LIKE_18)[0]) < like["text"].index(ranked(sql, LIKE_18)[1])


def test_pages_tile_to_the_last_row(serve, feed_file, sql):
    found = serve(feed_file, walk="/feed/articles.json?_like=18&_shape=objects&_size=400&_nofacet=1&_nocount=1")
    assert [len(page) for page in found["walk"]][:12] == [400] * 12
    assert sum(found["walk"], []) == ranked(sql, LIKE_18)


def test_filters_and_facets_are_kept_on_every_page(serve, feed_file, sql):
    filters = "category__in=Hiking+boots,Backpacks&retail_price__lt=130&in_stock__gt=0"
    query = f"/feed/articles.json?_like=18&{filters}&_facet=category&_size=20&_shape=objects"
    found = serve(feed_file, walk=query, ask={"facets": query + "&_extra=facet_results,count", "page": query.replace(".json", "")})
    wanted = ranked(sql, LIKE_18, f"AND {FILTER}")
    assert sum(found["walk"], []) == wanted and len(found["walk"]) > 2
    facets = found["facets"]["facet_results"]
    facets = facets.get("results", facets)["category"]["results"]
    counted = sql(f"SELECT category || '=' || count(*) FROM articles WHERE {FILTER} GROUP BY category ORDER BY count(*) DESC")
    assert [f"{facet['value']}={facet['count']}" for facet in facets] == counted
    assert f"{len(wanted)} rows where" in found["page"]["heading"]


def test_several_likes_are_one_taste(serve, feed_file, sql):
    found = serve(feed_file, walk="/feed/articles.json?_like=18&_like=700&_like=4000&_shape=objects&_size=1000&_nofacet=1")
    taste = "(SELECT vec_avg(embedding) FROM articles WHERE rowid IN (18, 700, 4000))"
    assert sum(found["walk"], []) == ranked(sql, taste)


def test_a_chosen_order_is_kept(serve, feed_file):
    found = serve(feed_file, ask={"page": "/feed/articles.json?_like=18&_sort=retail_price&_shape=objects&_size=50"})
    prices = [row["retail_price"] for row in found["page"]["rows"]]
    assert prices == sorted(prices) and prices[0] < prices[-1]


def test_a_wrong_argument_is_an_error_of_the_page(serve, feed_file):
    ask = {
        "row": "/feed/articles?_like=99999",
        "column": "/feed/articles?_like=18&_by=image",
        "chosen": "/feed/articles?_like=18&_col=brand",
        "left_out": "/feed/articles?_like=18&_nocol=distance",
    }
    found = serve(feed_file, ask=ask)
    assert found["row"]["status"] == 404
    assert "_like: articles has no row 99999" in found["row"]["text"]
    assert found["column"]["status"] == 400
    assert "_by: expected a vector column of articles (embedding), got image" in found["column"]["text"]
    for page in (found["chosen"], found["left_out"]):
        assert page["status"] == 400
        assert "_col: expected distance among the columns of a page in its order: add &amp;_col=distance" in page["text"]


def test_pages_of_chosen_columns_tile(serve, feed_file, sql):
    found = serve(feed_file, walk="/feed/articles.json?_like=18&_col=article_id&_col=distance&_shape=objects&_size=1000&_nofacet=1")
    assert sum(found["walk"], []) == ranked(sql, LIKE_18)


def test_the_second_vector_column_is_named_in_the_link(serve, feed_file, sql):
    sql("CREATE VIRTUAL TABLE two USING hnsw(id INTEGER PRIMARY KEY, name TEXT, a FLOAT[2], b FLOAT[2])")
    sql("INSERT INTO two VALUES (1, 'one', '[1, 0]', '[0, 1]'), (2, 'two', '[1, 1]', '[1, 0]'), (3, 'three', '[0, 1]', '[0, 1]')")
    ask = {"page": "/feed/two", "a": "/feed/two.json?_like=1&_shape=array", "b": "/feed/two.json?_like=1&_by=b&_shape=array"}
    found = serve(feed_file, ask=ask)
    assert found["page"]["links"][:2] == ["/feed/two?_like=1", "/feed/two?_like=1&amp;_by=b"]
    assert [row["name"] for row in found["a"]] == ["one", "two", "three"]
    assert [row["name"] for row in found["b"]] == ["one", "three", "two"]


def test_names_of_tables_and_columns_are_quoted(serve, feed_file, sql):
    sql("""CREATE VIRTUAL TABLE "a ""b' c" USING hnsw("x ""y" TEXT, "v ' w" FLOAT[2])""")
    sql("""INSERT INTO "a ""b' c" VALUES ('one', '[1, 0]'), ('two', '[0, 1]'), ('three', '[1, 1]')""")
    found = serve(feed_file, ask={"rows": "/feed/a+~22b~27+c.json?_like=2&_shape=array", "page": "/feed/a+~22b~27+c"})
    assert [row['x "y'] for row in found["rows"]] == ["two", "three", "one"]
    assert found["page"]["columns"] == ["Link", "rowid", 'x &#34;y', "v &#39; w"]


def test_an_embedding_function_gives_a_search_box(serve, feed_file, sql, plugins_dir):
    ask = {
        "page": "/feed/articles",
        "text": "/feed/articles?_search=tent",
        "empty": "/feed/articles?_search=",
        "rows": "/feed/articles.json?_search=tent&_shape=array&_size=40",
        "both": "/feed/articles.json?_search=tent&_like=700&_shape=array&_size=40",
    }
    found = serve(feed_file, ask=ask, plugins_dir=plugins_dir, plugin={"embed": "embed_text"})
    tent = "(SELECT embedding FROM articles WHERE instr(main_name, 'tent') ORDER BY article_id LIMIT 1)"
    assert found["page"]["box"] == [""] and found["text"]["box"] == ["tent"]
    assert found["text"]["heading"] == '5,000 rows where nearest to &#34;tent&#34; sorted by distance'
    assert found["empty"]["heading"] == found["page"]["heading"]
    assert [row["article_id"] for row in found["rows"]] == ranked(sql, tent)[:40]
    mean = f"(SELECT vec_avg(v) FROM (SELECT embedding AS v FROM articles WHERE rowid = 700 UNION ALL SELECT {tent}))"
    assert [row["article_id"] for row in found["both"]] == ranked(sql, mean)[:40]


def test_there_is_no_search_box_without_an_embedding_function(serve, feed_file):
    found = serve(feed_file, ask={"page": "/feed/articles", "text": "/feed/articles?_search=tent"})
    assert found["page"]["box"] == []
    assert found["text"]["heading"] == found["page"]["heading"]


@pytest.mark.parametrize("immutable", (False, True))
def test_a_file_on_a_read_only_disk_is_served(serve, feed_file, sql, immutable):
    before = feed_file.read_bytes()
    feed_file.chmod(stat.S_IRUSR)
    feed_file.parent.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        found = serve(feed_file, immutable=immutable, walk="/feed/articles.json?_like=18&_shape=objects&_size=1000&_nofacet=1")
    finally:
        feed_file.parent.chmod(stat.S_IRWXU)
    assert sum(found["walk"], []) == ranked(sql, LIKE_18)
    assert feed_file.read_bytes() == before


@pytest.mark.parametrize("version", VERSIONS)
def test_the_example_embeds_what_is_typed(version, installed, kept, feed_file):
    python = installed("/usr/bin/python3", "python", "datasette")
    example = ROOT / "examples" / "datasette"
    options = ("-i", feed_file, "--metadata", example / "metadata.yml", "--plugins-dir", example / "plugins")
    path = "/feed/articles.json?_search=waterproof+hiking+boots&_shape=array"
    libraries = f"{kept(f'datasette-{version}')}:{kept('wordllama')}"
    environment = {"PYTHONPATH": libraries, "PYTHONDONTWRITEBYTECODE": "1"}
    rows = json.loads(run(python, "-m", "datasette", "serve", *options, "--get", path, cwd=feed_file.parent, **environment))
    assert len(rows) == 20
    assert [row["distance"] for row in rows] == sorted(row["distance"] for row in rows)
    assert sum("boots" in row["main_name"] for row in rows) > 10
