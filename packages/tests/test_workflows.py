"""The workflows of the public repository are valid, and run commands that are here."""
import re

from conftest import ROOT, need, run

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONLINT = "github.com/rhysd/actionlint/cmd/actionlint@v1.7.7"


def test_actionlint_finds_nothing():
    assert WORKFLOWS
    run(need("go"), "run", ACTIONLINT, "-no-color", *WORKFLOWS, cwd=ROOT)


def test_every_step_runs_a_command_of_the_tree_or_of_cargo():
    for path in WORKFLOWS:
        for command in re.findall(r"run: (?!$)(.+)", path.read_text("utf8")):
            words = [word for word in command.split() if not re.match(r"\w+=|--|sudo$", word)]
            # A bare container has no git to check the tree out with.
            assert words[0] in ("cargo", "rustup", "apt-get") or (ROOT / words[0]).is_file() or "cargo" in words, f"{path.name}: {command}"
