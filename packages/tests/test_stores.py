"""The vector stores of the Python package, each in the environment of its framework."""
import re

import pytest

from conftest import ROOT, run

STORES = ROOT / "packages" / "tests" / "programs" / "stores"
OPTIONS = ("-q", "--noconftest", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function")


@pytest.mark.parametrize("framework, floor", [("langchain", 50), ("llama-index", 13)])
def test_a_store_passes_its_tests(framework, floor, debian, kept, tmp_path):
    """For LangChain those are its own standard tests, and ours. None may be skipped."""
    tests = STORES / f"{framework.replace('-', '_')}_store.py"
    printed = run(debian, "-m", "pytest", *OPTIONS, tests, cwd=tmp_path, PYTHONPATH=kept(framework), PYTHONDONTWRITEBYTECODE="1")
    summary = re.match(r"(\d+) passed(, \d+ warnings?)? in ", printed.strip().splitlines()[-1])
    assert summary and int(summary[1]) >= floor, printed
