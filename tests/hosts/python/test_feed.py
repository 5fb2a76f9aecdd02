"""Feeds over the imported sample catalogue: order, distances, recall, paging, filters, joins."""
from collections import Counter

import numpy as np
import pytest

from sample import blob, sample

# Identified by its number in the sample: the importer chooses the order of rowids.
NUMBER = "CAST(substr(article_id, 2) AS INTEGER)"
FEED = f"SELECT {NUMBER}, distance FROM articles WHERE embedding MATCH :taste ORDER BY distance"
TASTES = sample().tastes(30, seed=5)


def assert_same_order(got: list[int], truth: list[int], distances: np.ndarray) -> None:
    """Equal, except that adjacent rows whose distances differ by less than the rounding error may be swapped."""
    assert len(got) == len(truth) and set(got) == set(truth)
    gaps = [abs(distances[g - 1] - distances[t - 1]) for g, t in zip(got, truth)]
    assert max(gaps) < 1e-6


def test_distances_are_exact_and_never_decrease(feed):
    for taste in TASTES[:10]:
        rows = feed.rows(f"{FEED} LIMIT 200", taste=blob(taste))
        distances = [distance for _, distance in rows]
        assert len(rows) == 200 and distances == sorted(distances)
        truth = sample().distances(taste)
        np.testing.assert_allclose(distances, truth[[rowid - 1 for rowid, _ in rows]], rtol=0, atol=1e-6)


def test_recall_at_default_settings(feed):
    plan = feed.rows(f"EXPLAIN QUERY PLAN {FEED} LIMIT 10", taste=blob(TASTES[0]))
    assert "knn embedding cosine" in plan[0][-1]
    for k, floor in ((10, 0.96), (100, 0.94)):
        found = 0
        for taste in TASTES:
            got = {rowid for rowid, _ in feed.rows(f"{FEED} LIMIT {k}", taste=blob(taste))}
            found += len(got & set(sample().nearest(taste)[:k]))
        assert found / (k * len(TASTES)) >= floor


def test_pages_of_random_sizes_tile(feed):
    random = np.random.default_rng(11)
    for taste in TASTES[:5]:
        whole = feed.rows(f"{FEED} LIMIT 400", taste=blob(taste))
        pages = []
        while len(pages) < 400:
            size = min(int(random.integers(1, 60)), 400 - len(pages))
            pages += feed.rows(f"{FEED} LIMIT {size} OFFSET {len(pages)}", taste=blob(taste))
        assert pages == whole


def test_pages_tile_across_connections(connect, feed_file):
    first, second = connect(feed_file), connect(feed_file)
    taste = blob(TASTES[1])
    whole = first.rows(f"{FEED} LIMIT 60", taste=taste)
    assert whole == [*first.rows(f"{FEED} LIMIT 20", taste=taste), *second.rows(f"{FEED} LIMIT 40 OFFSET 20", taste=taste)]


@pytest.mark.parametrize("column", ["brand", "category"])
def test_pages_with_a_group_limit_are_the_feed_counted(feed, column):
    random = np.random.default_rng(12)
    for taste, limit in zip(TASTES, (1, 2, 5)):
        counts, expected = Counter(), []
        for number, value in feed.rows(
            f"SELECT {NUMBER}, {column} FROM articles WHERE embedding MATCH :taste ORDER BY distance LIMIT 1500", taste=blob(taste)
        ):
            counts[value] += 1
            if value is None or counts[value] <= limit:
                expected.append(number)
        grouped = f"SELECT {NUMBER} FROM articles(:taste) WHERE group_by = '{column}' AND group_limit = {limit} ORDER BY distance"
        pages = []
        while len(pages) < len(expected):
            size = min(int(random.integers(1, 30)), len(expected) - len(pages))
            pages += [number for (number,) in feed.rows(f"{grouped} LIMIT {size} OFFSET {len(pages)}", taste=blob(taste))]
        assert pages == expected


def test_similarity_is_what_the_distance_leaves_of_one(feed):
    taste = blob(TASTES[0])
    rows = feed.rows("SELECT article_id, distance, similarity FROM articles(:taste) ORDER BY distance LIMIT 100", taste=taste)
    assert all(similarity == 1 - distance for _, distance, similarity in rows)
    least = rows[50][2]
    near = "SELECT article_id FROM articles WHERE embedding MATCH :taste AND similarity >= :least ORDER BY similarity DESC"
    assert [row[0] for row in feed.rows(near, taste=taste, least=least)] == [row[0] for row in rows if row[2] >= least]


def test_without_order_every_row_comes_once(feed):
    taste = blob(TASTES[2])
    rowids = [rowid for (rowid,) in feed.rows(f"SELECT {NUMBER} FROM articles WHERE embedding MATCH :taste", taste=taste)]
    assert sorted(rowids) == list(range(1, len(sample().rows) + 1))
    assert feed.value("SELECT count(*) FROM articles(:taste)", taste=taste) == len(sample().rows)


def test_exact_gives_the_true_order_of_all(feed):
    taste = TASTES[3]
    rows = feed.rows(
        f"SELECT {NUMBER} FROM articles WHERE embedding MATCH :taste AND ef_search = 'exact' ORDER BY distance", taste=blob(taste)
    )
    assert_same_order([rowid for (rowid,) in rows], sample().nearest(taste), sample().distances(taste))


FILTERS = {
    "category = 'Tents'": lambda r: r["category"] == "Tents",
    "category IN ('Tents', 'Tea', 'Sofas') AND in_stock > 0": lambda r: r["category"] in ("Tents", "Tea", "Sofas")
    and r["in_stock"] > 0,
    "retail_price BETWEEN 20 AND 25": lambda r: 20 <= r["retail_price"] <= 25,
    "retail_price < 200": lambda r: r["retail_price"] < 200,
    "rating IS NULL": lambda r: r["rating"] is None,
    "rating IS NOT NULL AND rating <> 4.0": lambda r: r["rating"] not in (None, 4.0),
    "main_name LIKE '%tent%' AND brand GLOB 'G*'": lambda r: "tent" in r["main_name"].lower() and r["brand"].startswith("G"),
    "listed_on >= '2025-01-01'": lambda r: r["listed_on"].isoformat() >= "2025-01-01",
    "article_id IN (SELECT article_id FROM articles_rows WHERE brand = 'Tarnow')": lambda r: r["brand"] == "Tarnow",
    "article_id BETWEEN 'A00100' AND 'A00160'": lambda r: 100 <= int(r["article_id"][1:]) <= 160,
    "category = 'no such category'": lambda r: False,
    "(article_id = 'A00018' OR category = 'Tea')": lambda r: r["article_id"] == "A00018" or r["category"] == "Tea",
    "(category = 'Tea' OR retail_price > 3000)": lambda r: r["category"] == "Tea" or r["retail_price"] > 3000,
}


@pytest.mark.parametrize("where", FILTERS)
def test_filters_agree_with_an_ordinary_where(feed, where):
    taste = TASTES[4]
    truth = sample().nearest(taste, FILTERS[where])
    every = feed.rows(f"SELECT {NUMBER} FROM articles WHERE embedding MATCH :taste AND {where}", taste=blob(taste))
    assert sorted(rowid for (rowid,) in every) == sorted(truth)
    page = feed.rows(
        f"SELECT {NUMBER}, distance FROM articles WHERE embedding MATCH :taste AND {where} ORDER BY distance LIMIT 20",
        taste=blob(taste),
    )
    assert len(page) == min(20, len(truth)), "the page is full when enough rows match"
    assert {rowid for rowid, _ in page} <= set(truth)
    assert [d for _, d in page] == sorted(d for _, d in page)
    assert len({rowid for rowid, _ in page} & set(truth[:20])) >= 0.85 * len(page)


def test_a_distance_threshold_ends_the_feed(feed):
    taste = TASTES[5]
    rows = feed.rows(f"{FEED.replace('ORDER', 'AND distance < 0.5 ORDER')}", taste=blob(taste))
    near = int((sample().distances(taste) < 0.5).sum())
    assert 0 < len(rows) <= near and len(rows) >= 0.9 * near
    assert all(distance < 0.5 for _, distance in rows)


def test_joins_leave_the_page_full(feed):
    feed.rows("CREATE TABLE stock(article_id TEXT PRIMARY KEY, qty INTEGER)")
    feed.rows(f"INSERT INTO stock SELECT article_id, {NUMBER} % 7 = 0 FROM articles_rows")
    rows = feed.rows(
        f"SELECT {NUMBER}, a.distance FROM articles a JOIN stock s USING (article_id)"
        " WHERE a.embedding MATCH :taste AND s.qty > 0 ORDER BY a.distance LIMIT 25 OFFSET 25",
        taste=blob(TASTES[6]),
    )
    truth = sample().nearest(TASTES[6], lambda r: int(r["article_id"][1:]) % 7 == 0)
    assert len(rows) == 25 and all(rowid % 7 == 0 for rowid, _ in rows)
    assert [d for _, d in rows] == sorted(d for _, d in rows)
    assert len({rowid for rowid, _ in rows} & set(truth[25:50])) >= 21


def test_k_nearest_for_every_user(feed):
    feed.rows("CREATE TABLE users(id INTEGER PRIMARY KEY, taste BLOB)")
    for taste in TASTES[:4]:
        feed.rows("INSERT INTO users(taste) VALUES (:taste)", taste=blob(taste))
    rows = feed.rows(f"SELECT u.id, {NUMBER}, a.distance FROM users u, articles(u.taste, 10) a")
    for user, taste in enumerate(TASTES[:4], start=1):
        alone = feed.rows(f"{FEED} LIMIT 10", taste=blob(taste))
        assert sorted([r, d] for u, r, d in rows if u == user) == sorted(alone)
    assert len(rows) == 40


def test_a_taste_blended_in_sql_is_the_mean(feed):
    ids = ["A00018", "A00982", "A01153"]
    bytes_of = feed.value(f"SELECT vec_avg(embedding) FROM articles WHERE article_id IN {tuple(ids)}")
    mean = np.mean([sample().raw[int(i[1:]) - 1] for i in ids], axis=0)
    np.testing.assert_allclose(np.frombuffer(bytes_of, "<f4"), mean, rtol=1e-6, atol=1e-7)
