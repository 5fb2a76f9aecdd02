"""sql/manual, sql/inspect and sql/feeds: SQL files, what they expect, and how they are run.

A file is a list of statements. Comments at its top say what it needs:
    -- on an empty database      else it runs on a copy of the imported sample catalogue
    -- :name = EXPRESSION        the value of a parameter, computed by the host on that database
NAME.expected beside it has what comes out: a row a line, columns parted by `|`, or `error: ...`; of EXPLAIN QUERY PLAN
the part after `VIRTUAL TABLE INDEX n:`, for the rest differs between SQLite versions, and N for the sizes of shadow tables.

    python manual.py             writes every .expected file anew, through the current apsw, and the copies of them in README
                                 and the book
"""
import pathlib
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from hosts import CLI, HOSTS, ROOT, Session
from pages import BLOCK, PAGES

BYTES = re.compile(r"^(articles\|bytes_\w+\||articles_\w+\|)(?:[\d|]+|NULL)$")
FOLDERS = tuple(ROOT / "sql" / name for name in ("manual", "inspect", "feeds"))
CATALOGUE = ROOT / "examples" / "catalogue" / "catalogue.parquet"


@dataclass(frozen=True)
class SqlFile:
    path: pathlib.Path
    text: str

    @property
    def expected(self) -> pathlib.Path:
        return self.path.with_suffix(".expected")

    @property
    def empty_database(self) -> bool:
        return self.text.startswith("-- on an empty database\n")

    @property
    def parameters(self) -> dict[str, str]:
        return dict(re.findall(r"^-- :(\w+) = (.+)$", self.text, re.MULTILINE))


def statements(text: str) -> list[str]:
    found, pending = [], ""
    for line in text.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            found.append(pending.strip())
            pending = ""
    assert not re.sub(r"--.*", "", pending).strip(), f"no semicolon after {pending!r}"
    return found


def sql_files() -> list[SqlFile]:
    return [SqlFile(path, path.read_text("utf8")) for folder in FOLDERS for path in sorted(folder.glob("*.sql"))]


def import_catalogue(file: pathlib.Path) -> None:
    """The sample catalogue as table `articles` of a new file."""
    command = [CLI, "import", CATALOGUE, file, "--table", "articles", "--key", "article_id", "--index", "category"]
    subprocess.run(command, check=True, capture_output=True, text=True)


def output(sql_file: SqlFile, session: Session) -> str:
    """What the file prints on this host."""
    values = {name: session.value(f"SELECT {expression}") for name, expression in sql_file.parameters.items()}
    lines = []
    for statement in statements(sql_file.text):
        asked = {name: value for name, value in values.items() if f":{name}" in statement}
        answer = session.answer(statement, **asked)
        if answer.error is not None:
            lines.append(f"error: {answer.error}")
        elif "EXPLAIN QUERY PLAN" in statement:
            lines += [re.sub(r".*VIRTUAL TABLE INDEX \d+:", "", row[-1]) for row in answer.rows]
        else:
            lines += ["|".join("NULL" if value is None else str(value) for value in row) for row in answer.rows]
    return "".join(BYTES.sub(r"\1N", line) + "\n" for line in lines)


def with_outputs(page: str) -> str:
    """The text of a page with every output that it shows of a SQL block as the .expected files have it."""
    outputs = {f.text: f.expected.read_text("utf8") for f in sql_files()}

    def shown(match: re.Match) -> str:
        if match["kind"] != "sql" or match["output"] is None:
            return match[0]
        return f"```sql\n{match['text']}```\n\n```text\n{outputs[match['text']]}```"

    return BLOCK.sub(shown, page)


def write_expected() -> None:
    with tempfile.TemporaryDirectory() as folder:
        catalogue, copy = pathlib.Path(folder, "catalogue.db"), pathlib.Path(folder, "copy.db")
        import_catalogue(catalogue)
        for sql_file in sql_files():
            shutil.copy(catalogue, copy)
            with HOSTS[0].open(":memory:" if sql_file.empty_database else copy) as session:
                sql_file.expected.write_text(output(sql_file, session), "utf8")
    for page in PAGES:
        page.write_text(with_outputs(page.read_text("utf8")), "utf8")


if __name__ == "__main__":
    sys.exit(write_expected())
