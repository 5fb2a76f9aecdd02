"""The book names every function, default, option and dependency as the sources have them."""
import re
import subprocess
import tomllib

from hosts import CLI, ROOT
from pages import README, page


def test_readme_stays_short():
    assert len(README.read_text("utf8").splitlines()) <= 250


def test_every_function_is_documented_and_exists(memory):
    library = {
        name
        for (name,) in memory.rows("SELECT DISTINCT name FROM pragma_function_list WHERE name GLOB 'vec*'")
        if name not in ("vecrank_test_panic", "vecrank_collect_rowids")
    }
    modules = {name for (name,) in memory.rows("SELECT name FROM pragma_module_list WHERE name IN ('vec_each', 'hnsw_info', 'hnsw_stats')")}
    documented = re.findall(r"^\| `(vec\w*|hnsw_info|hnsw_stats)\(", page("sql/functions"), re.MULTILINE)
    assert sorted(documented) == sorted(library | modules)


def test_defaults_are_those_of_the_library(memory):
    memory.rows("CREATE VIRTUAL TABLE t USING hnsw(v FLOAT[3])")
    info = dict(memory.rows("SELECT key, value FROM hnsw_info('t')"))
    rows = dict(re.findall(r"^\| `(\w+)` \| `?(\w+)`? \|", page("sql/tables"), re.MULTILINE))
    for option in ("metric", "m", "ef_construction", "ef_search"):
        assert rows[option] == str(info[option])


def test_every_dependency_is_documented():
    chapter = page("dependencies")
    for member in ("extension", "importer", "tests"):
        manifest = tomllib.loads((ROOT / member / "Cargo.toml").read_text("utf8"))
        names = {*manifest.get("dependencies", {}), *manifest.get("dev-dependencies", {})} - {"vecrank"}
        missing = {name for name in names if not re.search(rf"\b{re.sub('^arrow-.*', 'arrow-', name)}", chapter)}
        assert missing == set(), member


def help_text(*arguments: str) -> str:
    return subprocess.run([CLI, *arguments, "--help"], check=True, capture_output=True, text=True).stdout


def test_every_subcommand_and_option_is_documented():
    chapter = page("command")
    subcommands = re.findall(r"^  (\w+)  ", help_text().split("Commands:")[1].split("Options:")[0], re.MULTILINE)
    assert "import" in subcommands
    for subcommand in set(subcommands) - {"help"}:
        assert re.search(rf"^\| .*`{subcommand}`", chapter, re.MULTILINE), subcommand
        options = set(re.findall(r"^ +(?:-\w, )?(--[\w-]+)", help_text(subcommand), re.MULTILINE)) - {"--help", "--version"}
        part = chapter[chapter.index(f"\n## {subcommand}" if f"\n## {subcommand}" in chapter else "\n## info") :].split("\n## ")[1]
        assert [option for option in sorted(options) if f"`{option}`" not in part] == [], subcommand
