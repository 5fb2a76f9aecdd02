"""A visitor of the Datasette plugin's pages in Chromium: browse_datasette.py CHROMIUM URL SCREENSHOT, prints JSON."""
import json
import sys

from playwright.sync_api import sync_playwright


def articles(page):
    return page.locator("td.col-article_id").all_inner_texts()


def main(chromium, url, screenshot):
    found, errors = {}, []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.set_default_timeout(180_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{url}/feed/articles?main_name__contains=tent&_size=8")
        found["first"] = articles(page)
        page.locator("tbody tr").first.get_by_text("more like this").click()
        page.wait_for_url("**_like=**")
        found["likes"] = page.url.split("?")[1]
        chosen = "category__in=Tents,Backpacks,Hiking+boots&_nocol=description&_nocol=listed_on"
        page.goto(f"{page.url}&_size=8&_facet=category&{chosen}")
        page.screenshot(path=screenshot)
        found["pages"] = [articles(page)]
        for _ in range(3):
            before = page.url
            page.get_by_text("Next page").click()
            page.wait_for_url(lambda now: now != before)
            found["pages"].append(articles(page))
        page.locator("select[name=_filter_column]").select_option("in_stock")
        page.locator("select[name=_filter_op]").select_option("gt")
        page.locator("input[name=_filter_value]").fill("40")
        page.locator("form.filters input[type=submit]").click()
        page.wait_for_url("**in_stock__gt=40**")
        found["filtered"] = articles(page)
        found["heading"] = page.locator("h3").first.inner_text()
        found["facets"] = page.locator(".facet-results li").count()
        page.locator("tbody tr").nth(2).get_by_text("more like this").click()
        page.wait_for_url(lambda now: "in_stock" not in now)
        found["nearest"] = articles(page)[0]
        page.go_back()
        page.wait_for_url("**in_stock__gt=40**")
        found["back"] = articles(page)
        browser.close()
    print(json.dumps(found | {"errors": errors}))


main(*sys.argv[1:])
