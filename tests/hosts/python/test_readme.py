"""README names every function and every default as the library has them."""
import re

from manual import README


def documented(pattern: str) -> set[str]:
    return set(re.findall(pattern, README.read_text("utf8"), re.MULTILINE))


def test_every_function_is_documented_and_exists(memory):
    library = {
        name
        for (name,) in memory.rows("SELECT DISTINCT name FROM pragma_function_list WHERE name GLOB 'vec*'")
        if name != "vecrank_test_panic"
    }
    modules = {name for (name,) in memory.rows("SELECT name FROM pragma_module_list WHERE name IN ('vec_each', 'hnsw_info')")}
    assert documented(r"^\| `(vec\w*|hnsw_info)\(") == library | modules


def test_defaults_are_those_of_the_library(memory):
    memory.rows("CREATE VIRTUAL TABLE t USING hnsw(v FLOAT[3])")
    info = dict(memory.rows("SELECT key, value FROM hnsw_info('t')"))
    rows = dict(re.findall(r"^\| `(\w+)` \| `?(\w+)`? \|", README.read_text("utf8"), re.MULTILINE))
    for option in ("metric", "m", "ef_construction", "ef_search"):
        assert rows[option] == str(info[option])
