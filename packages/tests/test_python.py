"""The wheel, installed into an empty folder by Pythons that load extensions and Pythons that don't."""
import json
import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from conftest import COMMAND, ROOT, run
from tour import check

TOUR = ROOT / "packages" / "tests" / "programs" / "tour.py"
EXAMPLE = ROOT / "examples" / "python" / "feed.py"
CLOSED = "import sqlite3, sys; sys.exit(hasattr(sqlite3.Connection, 'enable_load_extension') or sqlite3.sqlite_version_info < (3, 38))"


def closed_pythons() -> list[str]:
    """Pythons at hand whose sqlite3 cannot load extensions: pyenv's."""
    folder = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = sorted(folder.glob("3.*/bin/python"), key=lambda path: [int(part) for part in path.parts[-3].split(".") if part.isdigit()])
    new_enough = [path for path in found if int(path.parts[-3].split(".")[1]) >= 9]
    return [str(path) for path in new_enough if subprocess.run([path, "-c", CLOSED], capture_output=True).returncode == 0]


@pytest.fixture(scope="session")
def drivers(kept) -> str:
    return kept("drivers")


@pytest.fixture(scope="session")
def vecrank(wheel, tmp_path_factory):
    """The package itself, in the Python of the tests."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "zipfile", "-e", wheel("python"), folder, cwd=folder)
    sys.path.insert(0, str(folder))
    import vecrank as module

    yield module
    sys.path.remove(str(folder))


def says(python: Path, program: str, **environment) -> str:
    return run(python, "-c", program, cwd=python.parent, **environment).strip()


def error_of(python: Path, program: str, **environment) -> str:
    """The last line that a failing program prints."""
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, env=os.environ | environment)
    assert done.returncode == 1, done.stdout
    return done.stderr.strip().splitlines()[-1]


def test_the_wheel_is_of_the_platform_and_of_no_python(wheel):
    name, version, python, abi, platform = wheel("python").stem.split("-")
    assert (name, python, abi) == ("vecrank", "py3", "none")
    assert platform.startswith(("manylinux_", "musllinux_", "macosx_"))
    assert f'version = "{version}"' in (ROOT / "Cargo.toml").read_text("utf8")


@pytest.mark.parametrize(
    "driver", "sqlite3 apsw pysqlite3 aiosqlite sqlalchemy sqlalchemy_connection sqlalchemy_async django".split()
)
def test_every_driver_takes_the_tour(driver, debian, drivers, feed_file, tour):
    has = subprocess.run([debian, "-c", "import pysqlite3"], env=os.environ | {"PYTHONPATH": drivers}, capture_output=True)
    if driver == "pysqlite3" and has.returncode:
        pytest.skip("pysqlite3-binary has no wheel for this platform")
    check(json.loads(run(debian, TOUR, driver, feed_file, cwd=feed_file.parent, PYTHONPATH=drivers)), tour)


def test_pythons_that_cannot_load_extensions_take_the_tour_through_auto(installed, feed_file, tour):
    pythons = closed_pythons()
    if not pythons:
        pytest.skip("no Python without extension loading is at hand")
    for python in {pythons[0], pythons[-1]}:
        check(json.loads(run(installed(python, "python"), TOUR, "auto", feed_file, cwd=feed_file.parent)), tour)


def test_auto_serves_pythons_that_can_load_extensions_too(debian, feed_file, tour):
    check(json.loads(run(debian, TOUR, "auto", feed_file, cwd=feed_file.parent)), tour)


def test_the_example_prints_the_same_page(debian, feed_file, tour):
    printed = run(debian, EXAMPLE, cwd=feed_file.parent)
    pages = [line.split()[0] for line in printed.splitlines() if line.startswith("A")]
    assert pages == tour["page1"] + tour["page2"] + tour["filtered"]


def test_the_command_is_on_the_path(debian, feed_file, tmp_path):
    command = debian.with_name("vecrank")
    assert run(command, "--version", cwd=tmp_path) == run(COMMAND, "--version", cwd=tmp_path)
    assert run(debian, "-m", "vecrank", "info", feed_file, cwd=tmp_path) == run(COMMAND, "info", feed_file, cwd=tmp_path)
    done = subprocess.run([command, "info", tmp_path / "none.db"], capture_output=True, text=True)
    assert done.returncode == 2 and "none.db" in done.stderr


def test_a_wheel_without_the_command_says_so(vecrank, monkeypatch, tmp_path):
    from vecrank import LoadError, _command, _doctor

    for module in (_command, _doctor):
        monkeypatch.setattr(module, "COMMAND", tmp_path / "vecrank")
    with pytest.raises(SystemExit) as stopped:
        _command.main()
    assert stopped.value.code == "vecrank: the wheel of this platform comes without the command; build it from the sources with cargo"
    with pytest.raises(LoadError, match="^not in the wheel of this platform$"):
        _doctor._command()


# doctor


def test_doctor_tells_what_works(debian, drivers):
    printed = run(debian, "-m", "vecrank", "doctor", cwd=ROOT, PYTHONPATH=drivers).splitlines()
    sqlite = says(debian, "import sqlite3; print(sqlite3.sqlite_version)")
    assert printed[2] == f"load(), sqlite3:   works, SQLite {sqlite}"
    assert printed[3] == f"load(), apsw:      works, SQLite {apsw.sqlite_lib_version()}"
    assert printed[5] == f"auto(), sqlite3:   works, SQLite {sqlite}"
    assert printed[6].startswith("command:           works, vecrank ")
    assert len(printed) == 7


def test_doctor_names_the_way_out_of_a_python_that_cannot_load(installed):
    pythons = closed_pythons()
    if not pythons:
        pytest.skip("no Python without extension loading is at hand")
    printed = run(installed(pythons[0], "python"), "-m", "vecrank", "doctor", cwd=ROOT).splitlines()
    assert printed[2] == "load(), sqlite3:   no, the module was built without extension loading"
    assert printed[3] == "load(), apsw:      apsw is not installed"
    assert printed[4] == "load(), pysqlite3: pysqlite3 is not installed"
    assert printed[5].startswith("auto(), sqlite3:   works, SQLite 3.")
    assert printed[-1] == "Here load() cannot serve sqlite3. Call vecrank.auto() before the first sqlite3.connect()."


def test_doctor_advises_by_what_works(vecrank, monkeypatch):
    from vecrank import _doctor

    assert _doctor._advice(True, True, False) == "Use apsw instead of sqlite3."
    assert _doctor._advice(False, True, False) == "Use pysqlite3 instead of sqlite3."
    monkeypatch.setattr(sys, "platform", "linux")
    assert _doctor._advice(False, False, False) == "Use apsw (pip install apsw)."
    monkeypatch.setattr(sys, "platform", "darwin")
    assert _doctor._advice(False, False, False) == (
        "Apple's own SQLite hands automatic extensions no API table, so none works there. Use apsw (pip install apsw), or a "
        "Python with an SQLite of its own, such as Homebrew's."
    )


# load and auto


LOADS = [
    ("vecrank.load(7)", "TypeError: load: expected a connection of sqlite3, apsw, pysqlite3 or aiosqlite, an engine or a "
     "connection of SQLAlchemy, or a connection of Django, got int"),
    ("import sqlalchemy.orm; vecrank.load(sqlalchemy.orm.Session())", "TypeError: load: expected a connection of sqlite3, "
     "apsw, pysqlite3 or aiosqlite, an engine or a connection of SQLAlchemy, or a connection of Django, got Session"),
    ("import sqlalchemy; vecrank.load(sqlalchemy.create_mock_engine('postgresql://', print))", "TypeError: load: expected a "
     "connection of sqlite3, apsw, pysqlite3 or aiosqlite, an engine or a connection of SQLAlchemy, or a connection of "
     "Django, got MockConnection"),
    ("import sqlalchemy; e = sqlalchemy.create_engine('sqlite://'); e.dialect.name = 'other'; vecrank.load(e)",
     "TypeError: load: expected an engine or a connection to SQLite, got one to other"),
    ("from django.db.backends.dummy.base import DatabaseWrapper as W; vecrank.load(W({}, 'default'))",
     "TypeError: load: expected a connection to SQLite, got unknown ('default')"),
]


@pytest.mark.parametrize("program, error", LOADS, ids=[program for program, _ in LOADS])
def test_load_refuses_what_is_no_connection_to_sqlite(program, error, debian, drivers):
    assert error_of(debian, f"import vecrank; {program}", PYTHONPATH=drivers) == error


def test_load_names_the_way_out_where_loading_is_compiled_out(installed):
    pythons = closed_pythons()
    if not pythons:
        pytest.skip("no Python without extension loading is at hand")
    program = "import sqlite3, vecrank; vecrank.load(sqlite3.connect(':memory:'))"
    assert error_of(installed(pythons[0], "python"), program) == (
        "vecrank._errors.LoadError: load: sqlite3 was built without extension loading in this interpreter. Call "
        "vecrank.auto() before connecting, or use apsw (pip install apsw); `python -m vecrank doctor` says what works"
    )


def test_load_switches_loading_off_again_and_may_be_repeated(debian):
    program = """
import sqlite3, vecrank
db = sqlite3.connect(":memory:")
vecrank.load(db)
vecrank.load(db)
try:
    db.load_extension(vecrank.loadable_path())
except sqlite3.OperationalError as error:
    print(error)
"""
    assert says(debian, program) == "not authorized"


def test_a_connection_open_before_auto_stays_as_it_is(debian):
    program = """
import sqlite3, vecrank
before = sqlite3.connect(":memory:")
vecrank.auto()
vecrank.auto()
has = "SELECT count(*) FROM pragma_module_list WHERE name = 'hnsw'"
print(before.execute(has).fetchone(), sqlite3.connect(":memory:").execute(has).fetchone())
"""
    assert says(debian, program) == "(0,) (1,)"


def test_auto_refuses_a_module_with_a_private_sqlite(debian):
    """A module that shows no function of SQLite, as that of a static Python."""
    error = error_of(debian, "import _ctypes, sys, vecrank; sys.modules['_sqlite3'] = _ctypes; vecrank.auto()")
    assert error == (
        "vecrank._errors.LoadError: auto: not in this interpreter: its sqlite3 module has a private SQLite. "
        "Use apsw (pip install apsw)"
    )


def test_auto_serves_a_module_with_an_sqlite_of_its_own_that_shows_it(debian, drivers):
    program = """
import sys, pysqlite3
sys.modules["_sqlite3"] = pysqlite3._sqlite3
import sqlite3, vecrank
vecrank.auto()
print(sqlite3.connect(":memory:").execute("SELECT vecrank_version() IS NOT NULL").fetchone())
"""
    assert says(debian, program, PYTHONPATH=drivers) == "(1,)"


def test_auto_takes_the_registration_back_where_it_does_not_reach_the_module(debian, drivers):
    """The library that is found is Debian's, and `sqlite3` another one."""
    program = """
import sqlite3, sys, pysqlite3
import vecrank
real = sqlite3.connect
sqlite3.connect = pysqlite3.connect
try:
    vecrank.auto()
except vecrank.LoadError as error:
    print(error)
print(real(":memory:").execute("SELECT count(*) FROM pragma_module_list WHERE name = 'hnsw'").fetchone())
"""
    assert says(debian, program, PYTHONPATH=drivers).splitlines() == [
        "auto: not in this interpreter: its sqlite3 module uses another SQLite than the one that was found. "
        "Use apsw (pip install apsw)",
        "(0,)",
    ]


# vectors


SAME = (
    "[1, -2.5, 3]",
    "(1, -2.5, 3)",
    "(number for number in (1, -2.5, 3))",
    "array.array('d', [1, -2.5, 3])",
    "array.array('f', [1, -2.5, 3])",
    "memoryview(array.array('d', [1, -2.5, 3]))",
    "collections.deque([1, -2.5, 3])",
    "[fractions.Fraction(1), decimal.Decimal('-2.5'), 3]",
)
ARRAYS = (
    "numpy.array([1, -2.5, 3])",
    "numpy.array([1, -2.5, 3], 'f4')",
    "numpy.array([1, -2.5, 3], '>f4')",
    "numpy.array([1, -2.5, 3], '>f8')",
    "numpy.array([1, -2.5, 3], 'f2')",
    "numpy.array([1, -2.5, 3], numpy.longdouble)",
    "numpy.array([1, 9, -2.5, 9, 3, 9])[::2]",
    "list(numpy.array([1, -2.5, 3], 'f4'))",
    "numpy.array([1, -2.5, 3]).astype(ml_dtypes.bfloat16)",
    "numpy.array([1, -2.5, 3]).astype(ml_dtypes.float8_e5m2)",
    "Tensor([1, -2.5, 3])",
    "Bfloat16([1, -2.5, 3])",
)
# What torch's tensors do: no __array__ before detach() and cpu(), none at all for bfloat16.
TENSORS = """
class Tensor:
    def __init__(self, numbers, on_cpu=False):
        self.numbers, self.on_cpu = numbers, on_cpu
    def detach(self):
        return self
    def cpu(self):
        return type(self)(self.numbers, True)
    def tolist(self):
        return self.numbers
    def __array__(self, *_, **__):
        if not self.on_cpu:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad")
        import numpy
        return numpy.array(self.numbers)
class Bfloat16(Tensor):
    def __array__(self, *_, **__):
        raise TypeError("Got unsupported ScalarType BFloat16")
"""
BYTES = "0000803f000020c000004040"
IMPORTS = "import array, collections, decimal, fractions, io\n"


def packed(python: Path, expressions, **environment) -> list[str]:
    program = IMPORTS + ("import ml_dtypes, numpy\n" if environment else "") + TENSORS + "import vecrank\n"
    return says(python, program + "\n".join(f"print(vecrank.vector({e}).hex())" for e in expressions), **environment).splitlines()


def test_a_vector_is_little_endian_32_bit_floats(debian, drivers):
    assert packed(debian, SAME + ARRAYS, PYTHONPATH=drivers) == [BYTES] * len(SAME + ARRAYS)
    integers = [f"numpy.array([1, 2], {t!r})" for t in ("i1", "u1", ">i2", "i4", "u4", ">i8", "u8")]
    assert set(packed(debian, integers, PYTHONPATH=drivers)) == {"0000803f00000040"}


def test_vectors_need_no_numpy(debian):
    tensors = ("Tensor([1, -2.5, 3])", "Bfloat16([1, -2.5, 3])")
    assert packed(debian, SAME + tensors) == [BYTES] * (len(SAME) + 2)


WRONG = [
    ("None", "TypeError: vector: expected numbers, got None (is the embedding missing? bind None itself to store NULL)"),
    ("b'abcd'", "TypeError: vector: expected numbers, got bytes: bind a BLOB as it is"),
    ("memoryview(b'abcd')", "TypeError: vector: expected numbers, got memoryview: bind a BLOB as it is"),
    ("io.BytesIO(b'abcd')", "TypeError: vector: expected numbers, got bytes at 0"),
    ("'[1, 2]'", "TypeError: vector: expected numbers, got str: bind JSON text as it is"),
    ("7", "TypeError: vector: expected a list, tuple, array or tensor of numbers, got int"),
    ("{1: 2}", "TypeError: vector: expected a list, tuple, array or tensor of numbers, got dict"),
    ("[1, None]", "TypeError: vector: expected numbers, got NoneType at 1"),
    ("['1']", "TypeError: vector: expected numbers, got str at 0"),
    ("[1, float('nan')]", "ValueError: vector: expected numbers that a 32-bit float holds, got nan at 1"),
    ("[-1e400]", "ValueError: vector: expected numbers that a 32-bit float holds, got -inf at 0"),
    ("[1, 2, 1e39]", "ValueError: vector: expected numbers that a 32-bit float holds, got 1e+39 at 2"),
    ("[10 ** 400]", "ValueError: vector: expected numbers that a 32-bit float holds, got a huge integer at 0"),
    ("[]", "ValueError: vector: expected numbers, got none"),
    ("[[1, 2]]", "ValueError: vector: expected one dimension, got a list at 0: pass one row at a time"),
    ("memoryview(array.array('f', [1, 2])).cast('B').cast('f', (2, 1))",
     "ValueError: vector: expected one dimension, got shape (2, 1): pass one row at a time"),
]
WRONG_ARRAYS = [
    ("numpy.array([1, numpy.nan])", "ValueError: vector: expected numbers that a 32-bit float holds, got nan at 1"),
    ("numpy.array([1, numpy.inf], 'f2')", "ValueError: vector: expected numbers that a 32-bit float holds, got inf at 1"),
    ("numpy.array([1e39])", "ValueError: vector: expected numbers that a 32-bit float holds, got 1e+39 at 0"),
    ("numpy.array([1, numpy.nan]).astype(ml_dtypes.bfloat16)",
     "ValueError: vector: expected numbers that a 32-bit float holds, got nan at 1"),
    ("numpy.array([])", "ValueError: vector: expected numbers, got none"),
    ("numpy.array(7.0)", "ValueError: vector: expected one dimension, got shape ()"),
    ("numpy.float32(7)", "ValueError: vector: expected one dimension, got shape ()"),
    ("numpy.ones((1, 4))", "ValueError: vector: expected one dimension, got shape (1, 4): pass one row at a time"),
    ("numpy.array([1j])", "TypeError: vector: expected floats or integers, got an array of complex128"),
    ("numpy.array([True])", "TypeError: vector: expected floats or integers, got an array of bool"),
    ("numpy.array(['1'])", "TypeError: vector: expected floats or integers, got an array of <U1"),
    ("numpy.array([None])", "TypeError: vector: expected floats or integers, got an array of object"),
]


def refusals(python: Path, expressions, function: str = "vector", **environment) -> list[str]:
    program = IMPORTS + ("import ml_dtypes, numpy\n" if environment else "") + "import vecrank\n"
    for expression in expressions:
        program += f"try:\n    print(vecrank.{function}({expression}))\n"
        program += "except Exception as error:\n    print(f'{type(error).__name__}: {error}')\n"
    return says(python, program, **environment).splitlines()


def test_a_wrong_vector_is_refused_with_what_came(debian, drivers):
    assert refusals(debian, [e for e, _ in WRONG]) == [error for _, error in WRONG]
    both = WRONG + WRONG_ARRAYS
    assert refusals(debian, [e for e, _ in both], PYTHONPATH=drivers) == [error for _, error in both]


def test_from_vector_reads_what_vector_wrote(vecrank):
    assert list(vecrank.from_vector(vecrank.vector([1, -2.5, 3]))) == [1, -2.5, 3]
    assert list(vecrank.from_vector(memoryview(bytes.fromhex(BYTES)))) == [1, -2.5, 3]


def test_from_vector_refuses_what_is_no_float_vector(debian):
    wrong = [
        ("None", "TypeError: from_vector: expected a BLOB, got None (the row has no vector)"),
        ("'[1]'", "TypeError: from_vector: expected a BLOB, got str"),
        ("b'abcdef'", "ValueError: from_vector: expected 4 bytes per number of a FLOAT vector, got 6 bytes"),
        ("b''", "ValueError: from_vector: expected 4 bytes per number of a FLOAT vector, got 0 bytes"),
    ]
    assert refusals(debian, [e for e, _ in wrong], "from_vector") == [error for _, error in wrong]
