"""The SQL function embed_text, for the search box of datasette-vecrank."""
from pathlib import Path

import vecrank
import wordllama
from datasette import hookimpl

# The model of the sample catalogue; it is inside wordllama's wheel.
model = wordllama.WordLlama.load(dim=256, cache_dir=Path(wordllama.__file__).parent, disable_download=True)


@hookimpl
def prepare_connection(conn):
    conn.create_function("embed_text", 1, lambda text: vecrank.vector(model.embed([text])[0]), deterministic=True)
