"""The web page of the feed service in headless Chromium, as a visitor uses it."""
import os
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import COMMAND, ROOT, need, run
from service import KINDS, VERY_LONG, Service, wait_until

playwright = pytest.importorskip("playwright.sync_api") if os.environ.get("CI") != "true" else __import__(
    "playwright.sync_api", fromlist=["sync_api"]
)

SIZES = {"phone": (390, 844), "desktop": (1280, 860)}
CARD = ".card:not(.ghost)"


@pytest.fixture(scope="module", params=KINDS)
def service(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    catalogue = ROOT / "examples" / "catalogue" / "catalogue.parquet"
    options = ("--table", "articles", "--key", "article_id", "--index", "category,brand")
    run(COMMAND, "import", catalogue, folder / "feed.db", *options, cwd=folder)
    running = Service(request.param, folder / "feed.db", folder)
    yield running
    running.kill()


@pytest.fixture(scope="module")
def browser():
    chromium = need("chromium")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser, service):
    """A page that fails the test if a script fails, or if anything is asked of another host.

    Both services serve the same page: one is visited by phone, the other on a desktop.
    """
    width, height = SIZES[{"python": "phone", "rust": "desktop"}[service.kind]]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme="light", reduced_motion="reduce")
    context.set_default_timeout(1000 * VERY_LONG)
    opened, wrong = context.new_page(), []
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda said: wrong.append(said.text) if said.type == "error" and "status of 4" not in said.text else None)
    opened.on("request", lambda asked: None if asked.url.startswith((service.url, "data:")) else wrong.append(asked.url))
    yield opened
    context.close()
    assert wrong == []


def cards(page) -> list[str]:
    return page.locator(f"{CARD} h2").all_text_contents()


def wait(page, expression: str) -> None:
    """Polls from outside: the page's policy forbids Playwright's own wait_for_function to evaluate there."""
    wait_until(expression, lambda: page.evaluate(expression))


def wait_for_cards(page, least: int) -> None:
    wait(page, f"document.querySelectorAll('{CARD}').length >= {least}")
    wait(page, "document.getElementById('cards').ariaBusy !== 'true'")


def show_filters(page) -> None:
    if page.locator("#filters-button").is_visible() and page.locator("#filters-button").get_attribute("aria-expanded") == "false":
        page.locator("#filters-button").click()


def scroll_to(page, rows: int) -> None:
    """Scrolls until so many cards are there."""
    while page.locator(CARD).count() < rows:
        page.mouse.move(200, 600)
        page.mouse.wheel(0, 4000)
        page.wait_for_timeout(50)


def names(service, **request) -> list[str]:
    return [row["main_name"] for row in service.feed(**request)["rows"]]


def test_a_visitor_scrolls_filters_asks_for_more_like_this_and_goes_back(page, service):
    page.goto(service.url)
    wait_for_cards(page, 24)
    assert page.locator("h1").inner_text() == "The catalogue"
    # Three more pages come as the end comes near; the rows are those of the feed.
    scroll_to(page, 96)
    assert cards(page)[:96] == names(service, limit=96)

    page.evaluate("scrollTo(0, 0)")
    show_filters(page)
    page.locator("select[name=category]").select_option("Tents")
    wait(page, "location.search === '?is.category=Tents'")
    wait_for_cards(page, 24)
    assert cards(page)[:24] == names(service, limit=24, filters={"category": "Tents"})

    scroll_to(page, 48)
    fifth = page.locator(f"{CARD} .like-this").nth(40)
    fifth.scroll_into_view_if_needed()
    page.wait_for_timeout(400)  # the place is remembered when scrolling has ended
    top, shown = page.evaluate("scrollY"), cards(page)
    fifth.click()
    wait(page, "location.search.includes('like=')")
    wait_for_cards(page, 24)
    (liked,) = parse_qs(urlsplit(page.url).query)["like"]
    assert page.locator("h1").inner_text().startswith("More like ")
    assert page.locator(".chip").count() == 1 and page.evaluate("scrollY") == 0
    assert cards(page)[:24] == names(service, limit=24, filters={"category": "Tents"}, liked=[liked])
    assert page.evaluate("document.activeElement.id") == "title", "a screen reader starts at the heading"

    page.go_back()
    wait(page, "!location.search.includes('like=')")
    wait_for_cards(page, 41)
    wait(page, f"Math.abs(scrollY - {top}) < 3")
    assert cards(page)[:41] == shown[:41]
    page.go_back()
    wait(page, "location.search === ''")
    wait_for_cards(page, 24)
    assert cards(page)[:24] == names(service, limit=24)


def test_likes_are_blended_and_the_address_can_be_shared(page, service):
    page.goto(f"{service.url}/?like=A00018&like=A00982&stock=1&max=300&vary=1")
    wait_for_cards(page, 24)
    wanted = {"filters": {"in_stock": {"min": 1}, "retail_price": {"max": 300}}, "group_by": "brand", "group_limit": 2}
    assert cards(page)[:24] == names(service, limit=24, liked=["A00018", "A00982"], **wanted)
    page.locator(f"{CARD} .heart").first.click()
    wait(page, "document.querySelectorAll('.chip').length === 3")
    assert page.locator("h1").inner_text() == "A blend of 3 that you like"
    page.locator(".chip button").first.click()
    wait(page, "document.querySelectorAll('.chip').length === 2")
    show_filters(page)
    page.locator(".reset").click()
    wait(page, "!location.search.includes('stock')")
    wait_for_cards(page, 24)
    page.locator("#home").click()
    wait(page, "location.search === ''")


def test_the_end_of_a_feed_and_an_empty_one_are_told(page, service):
    page.goto(f"{service.url}/?is.category=Tents&max=40")
    wait(page, "document.getElementById('status').textContent !== ''")
    count = len(names(service, limit=100, filters={"category": "Tents", "retail_price": {"max": 40}}))
    assert count < 24
    text = page.locator("#status").inner_text()
    assert text == (f"That is all: {count} articles." if count else "Nothing matches these filters.")
    page.goto(f"{service.url}/?min=1000000")
    wait(page, "document.getElementById('status').textContent === 'Nothing matches these filters.'")
    page.goto(f"{service.url}/?like=A99999")
    page.get_by_text("An article of your taste is no longer in the catalogue.").wait_for()


def test_the_page_can_be_used_without_a_mouse(page, service):
    page.goto(service.url)
    wait_for_cards(page, 24)
    unnamed = page.evaluate(
        """[...document.querySelectorAll("button, a, input, select")].filter((control) => control.offsetParent
          && !control.ariaLabel && !control.textContent.trim() && !control.labels?.length).map((control) => control.outerHTML)"""
    )
    assert unnamed == []
    small = page.evaluate(
        """[...document.querySelectorAll(".card button, .bar button, .bar select")].filter((control) => control.offsetParent)
          .filter((control) => control.getBoundingClientRect().height < 24).length"""
    )
    assert small == 0
    link = page.locator(".like-this").first
    link.focus()
    page.keyboard.press("Enter")
    wait(page, "location.search.includes('like=')")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than the screen"


def test_screenshots(browser, service, tmp_path):
    """Taken where VECRANK_SHOTS says, to look at: phone and desktop, light and dark."""
    folder = os.environ.get("VECRANK_SHOTS") or tmp_path
    for name, (width, height) in SIZES.items():
        for scheme in ("light", "dark"):
            context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce")
            opened = context.new_page()
            opened.goto(f"{service.url}/?like=A00018&like=A00982&stock=1")
            wait_for_cards(opened, 24)
            file = os.path.join(folder, f"{name}-{scheme}.png")
            opened.screenshot(path=file)
            assert os.path.getsize(file) > 20_000
            context.close()
