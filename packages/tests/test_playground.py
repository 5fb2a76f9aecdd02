"""The playground of the book in headless Chromium, as a visitor uses it."""
import os
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import apsw
import pytest

from browsers import opened_page, serve
from conftest import LIBRARY, ROOT, TARGET, run
from service import wait_until

SIZES = {"phone": (390, 844), "desktop": (1280, 860)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("book") / "playground"
    run(ROOT / "docs" / "playground" / "build.sh", out, cwd=ROOT, CARGO_TARGET_DIR=str(TARGET))
    (out.parent / "index.html").write_text("the book")
    return out


@pytest.fixture
def address(folder):
    with serve(folder.parent) as root:
        yield f"{root}/playground/"


@pytest.fixture(params=SIZES)
def page(request):
    with opened_page(*SIZES[request.param]) as page:
        page.size = request.param
        yield page


def settled(page) -> None:
    """Waits until rows or an error are shown. The page's policy forbids Playwright's own wait_for_function."""
    wait_until("rows", lambda: page.evaluate("document.getElementById('results').ariaBusy === 'false'"))


def cards(page) -> list[str]:
    return page.locator(".card h2").all_text_contents()


def act(page, deed) -> None:
    """Does something that changes the address, and waits for its rows."""
    before = page.url
    deed()
    wait_until("another address", lambda: page.url != before)
    settled(page)


def native(folder: Path, sql: str) -> list:
    connection = apsw.Connection(str(folder / "feed.db"), flags=apsw.SQLITE_OPEN_READONLY)
    connection.enable_load_extension(True)
    connection.load_extension(str(LIBRARY))
    return list(connection.execute(sql))


def names(folder: Path, page) -> list[str]:
    """What the native library finds for the statement that the page shows."""
    return [row[1] for row in native(folder, page.locator("#sql").input_value())]


def asked(page) -> dict:
    return parse_qs(urlsplit(page.url).fragment)


def picture(page, name: str) -> None:
    to = os.environ.get("VECRANK_SCREENSHOTS")
    if to:
        page.screenshot(path=f"{to}/playground-{page.size}-{name}.png")


def test_a_visitor_likes_filters_pages_and_goes_back(page, address, folder):
    page.goto(address)
    settled(page)
    assert len(cards(page)) == 20 and cards(page) == names(folder, page)
    assert page.locator("#title").inner_text() == "A blend of 3 that you like"
    assert "knn embedding cosine" in page.locator("#plan pre").text_content()
    assert page.locator("#status").inner_text().startswith("20 rows in ")
    assert page.locator(".card.is-liked").count() == page.locator("#likes li").count() == 3
    picture(page, "first")

    act(page, page.locator(".card").nth(5).get_by_text("More like this").click)
    assert page.locator("#title").inner_text().startswith("More like ")
    assert len(asked(page)["like"]) == 1 and cards(page) == names(folder, page)
    alone = cards(page)

    act(page, page.locator(".card").nth(12).get_by_role("button").click)
    assert len(asked(page)["like"]) == 2 and "vec_avg" in page.locator("#sql").input_value()
    assert cards(page) == names(folder, page) != alone

    act(page, lambda: page.locator("select[name=category]").select_option("Tents"))
    act(page, page.locator("input[name=stock]").check)
    act(page, page.locator("input[name=vary]").check)
    assert asked(page).keys() == {"like", "category", "stock", "vary"}
    assert cards(page) == names(folder, page) and len(cards(page)) == 20
    assert set(page.locator(".kind").all_text_contents()[0].split(" · ")) & {"Tents"}
    assert "filter category=?" in page.locator("#plan pre").text_content()
    picture(page, "filtered")

    first = cards(page)
    act(page, page.locator("#next").click)
    assert asked(page)["page"] == ["2"] and cards(page) == names(folder, page) and not set(cards(page)) & set(first)
    act(page, page.go_back)
    assert cards(page) == first

    for _ in range(2):
        act(page, page.locator("#likes button").first.click)
    assert asked(page).keys() == {"category", "stock", "vary"} or asked(page).get("like") is None
    assert page.locator("#title").inner_text() == "The newest articles" and cards(page) == names(folder, page)


def test_a_visitor_writes_sql(page, address, folder):
    page.goto(address)
    settled(page)
    sql = page.locator("#sql")
    sql.fill("SELECT category, count(*) AS articles, avg(retail_price), NULL, x'00ff' FROM articles GROUP BY category ORDER BY 2 DESC, 1")
    act(page, lambda: sql.press("Control+Enter"))
    assert page.locator("th").all_text_contents() == ["category", "articles", "avg(retail_price)", "NULL", "x'00ff'"]
    assert page.locator("tbody tr").count() == 78
    first = native(folder, sql.input_value())[0]
    assert page.locator("tbody tr").first.locator("td").all_text_contents()[:2] == [str(value) for value in first[:2]]
    picture(page, "table")

    sql.fill("SELECT article_id, main_name FROM articles WHERE embedding MATCH '[1, 2]'")
    act(page, page.locator("#run").click)
    assert page.locator("#error").inner_text() == "articles.embedding: expected 256 dimensions (512 bytes of FLOAT16), got 2"
    assert page.locator("#results").inner_text() == ""
    picture(page, "error")

    # A link to the statement opens it; the controls lead back to the feed.
    page.goto("about:blank")
    page.goto(f"{address}#sql=SELECT+article_id,+main_name+FROM+articles+LIMIT+3")
    settled(page)
    assert len(cards(page)) == 3
    act(page, lambda: page.locator("select[name=category]").select_option("Tea"))
    assert cards(page) == names(folder, page) and asked(page)["category"] == ["Tea"]


def test_an_endless_statement_is_stopped(address):
    with opened_page() as page:
        page.goto(address)
        settled(page)
        page.locator("#sql").fill("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n")
        page.locator("#run").click()
        page.locator("#stop").click()
        wait_until("stopped", lambda: page.locator("#error").is_visible())
        assert page.locator("#error").inner_text().startswith("Stopped.")
        page.go_back()
        wait_until("the feed", lambda: len(cards(page)) == 20)


def test_it_works_without_a_network_after_the_first_load(folder):
    with opened_page() as page:
        with serve(folder.parent) as root:
            page.goto(f"{root}/playground/")
            settled(page)
            shown = cards(page)
            page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        # The server is gone.
        page.reload()
        settled(page)
        assert cards(page) == shown
        act(page, page.locator(".card").nth(5).get_by_text("More like this").click)
        assert len(cards(page)) == 20


def test_the_first_feed_asks_for_each_file_once(address):
    """What a visitor waits for: nothing twice, and the database beside the module, not after it."""
    with opened_page() as page:
        asked_for = []
        page.context.on("request", lambda request: asked_for.append(urlsplit(request.url).path.rsplit("/", 1)[-1]))
        page.goto(address)
        settled(page)
        first = [name for name in asked_for if name.endswith((".db", ".wasm"))]
        assert sorted(first) == ["feed.db", "vecrank_wasm_bg.wasm"]
