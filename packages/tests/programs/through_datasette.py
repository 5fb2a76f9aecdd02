"""What Datasette serves of a file with the plugin, as JSON: through_datasette.py FEED SETTINGS, SETTINGS a JSON object."""
import asyncio
import json
import re
import sys
from pathlib import Path

from datasette.app import Datasette


def plain(html):
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


async def main(file, settings):
    settings = json.loads(settings)
    files = {"immutables": [file]} if settings.get("immutable") else {"files": [file]}
    config = {"plugins": {"datasette-vecrank": settings["plugin"]}} if "plugin" in settings else {}
    # 0.65 calls the plugins' settings metadata.
    files["config" if "config" in Datasette.__init__.__code__.co_varnames else "metadata"] = config
    datasette = Datasette(plugins_dir=settings.get("plugins_dir"), **files)
    await datasette.invoke_startup()
    found = {}
    for name, path in settings["ask"].items():
        answer = await datasette.client.get(path)
        if "json" in path and answer.status_code == 200:
            found[name] = answer.json()
        else:
            heading = re.search(r'<h3(?: class="table-summary")?>(.*?)</h3>', answer.text, re.S)
            found[name] = {
                "status": answer.status_code,
                "heading": heading and plain(heading[1]),
                "title": plain(re.search(r"<title>(.*?)</title>", answer.text, re.S)[1]),
                "columns": re.findall(r'<th class="col-[^"]*" scope="col" data-column="([^"]*)"', answer.text),
                "offered": re.findall(r"<option>(.*?)</option>", answer.text),
                "links": re.findall(r'<a href="([^"]*)">more like this</a>', answer.text),
                "box": re.findall(r'<input id="_search"[^>]*value="([^"]*)"', answer.text),
                "text": plain(answer.text),
            }
    if "walk" in settings:
        found["walk"], path = [], settings["walk"]
        while path:
            answer = (await datasette.client.get(path)).json()
            found["walk"].append([row["article_id"] for row in answer["rows"]])
            path = settings["walk"] + f"&_next={answer['next']}" if answer["next"] else None
    print(json.dumps(found))


asyncio.run(main(*sys.argv[1:]))
