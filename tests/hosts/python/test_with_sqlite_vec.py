"""vecrank and sqlite-vec in one connection. Functions of shared names (vec_add, vec_sub, vec_each) agree,
whichever was loaded last.
"""
import apsw
import pytest
import sqlite_vec

from hosts import LIBRARY

SQLITE_VEC = sqlite_vec.loadable_path()
ORDERS = {
    "vecrank-last": (SQLITE_VEC, LIBRARY),
    "sqlite-vec-last": (LIBRARY, SQLITE_VEC),
    "vecrank-alone": (LIBRARY,),
    "sqlite-vec-alone": (SQLITE_VEC,),
}


def connection(order: str) -> apsw.Connection:
    db = apsw.Connection(":memory:")
    db.enable_load_extension(True)
    for library in ORDERS[order]:
        db.load_extension(str(library))
    return db


@pytest.fixture(params=["vecrank-last", "sqlite-vec-last"])
def both(request) -> apsw.Connection:
    return connection(request.param)


@pytest.fixture(params=ORDERS)
def any_order(request) -> apsw.Connection:
    return connection(request.param)


def value(db: apsw.Connection, expression: str):
    ((value,),) = db.execute(f"SELECT {expression}")
    return value


@pytest.mark.parametrize(
    "expression",
    [
        "hex(vec_add('[1, 2.5]', '[10, 20]'))",
        "hex(vec_sub('[1, 2.5]', '[10, 20]'))",
        "hex(vec_add(X'0000803F', X'0000803F'))",
        "hex(vec_sub('[0.1]', '[0.3]'))",
        "hex(vec_add('[1e-45]', '[16777217]'))",
        "typeof(vec_add('[1]', '[1]'))",
        "subtype(vec_add('[1]', '[1]'))",
        "subtype(vec_sub('[1]', '[1]'))",
        "(SELECT group_concat(rowid || ':' || value) FROM vec_each('[3, -1, 0.5]'))",
        "(SELECT sum(value) FROM vec_each(X'0000803F00000040'))",
        "(SELECT count(*) FROM vec_each WHERE vector = '[1, 2]')",
    ],
)
def test_functions_of_shared_names_agree(any_order, expression):
    assert value(any_order, expression) == value(connection("sqlite-vec-alone"), expression)


@pytest.mark.parametrize(
    "expression",
    [
        "vec_to_json(vec_add(vec_f32('[1, 2]'), vec_f32('[3, 4]')))",
        "vec_to_json(vec_add(vec_int8('[100, -2]'), vec_int8('[100, 1]')))",
        "vec_to_json(vec_sub(vec_int8('[-100, -2]'), vec_int8('[100, 1]')))",
        "vec_type(vec_add(vec_int8('[1]'), vec_int8('[1]')))",
        "vec_to_json(vec_sub(vec_add('[1]', '[2]'), '[4]'))",
        "(SELECT group_concat(value || typeof(value)) FROM vec_each(vec_int8('[1, -2]')))",
        "(SELECT group_concat(value || typeof(value)) FROM vec_each(vec_quantize_binary('[1,-1,2,-1,-1,-1,-1,1]')))",
        "(SELECT group_concat(value || typeof(value)) FROM vec_each(vec_f32('[1, -2]')))",
    ],
)
def test_vectors_marked_by_sqlite_vec_are_recognised(both, expression):
    assert value(both, expression) == value(connection("sqlite-vec-alone"), expression)


def test_each_extension_accepts_the_vectors_of_the_other(both):
    assert value(both, "vec_json(vec_normalize(vec_parse('[3, 4]')))") == "[0.6,0.8]"
    assert value(both, "vec_distance_l2(vec_unit('[3, 4]'), vec_head('[0.6, 0.8, 1]', 2))") == 0.0
    assert value(both, "vec_dims(vec_int8('[1, 2, 3]'))") == 3
    assert value(both, "vec_l2(vec_int8('[0, 0]'), vec_int8('[3, -4]'))") == 5.0
    assert value(both, "vec_json(vec_avg(vec_int8('[1, 2]')))") == "[1,2]"
    signs = "'[1,-1,2,-1,-1,-1,-1,0.5]'"
    assert value(both, f"vec_json(vec_quantize_binary({signs}))") == "[1,0,1,0,0,0,0,1]"
    assert value(both, f"vec_hamming(vec_quantize_binary({signs}), X'85')") == 0
    assert value(both, f"vec_distance_hamming(vec_quantize_binary({signs}), vec_quantize_binary('[1,1,2,-1,-1,-1,-1,1]'))") == 1


def test_vec_bit_is_that_of_the_extension_loaded_last():
    signs = "vec_bit(vec_parse('[1,-1,2,-1,-1,-1,-1,0.5]'))"
    assert value(connection("vecrank-last"), f"hex({signs})") == "85"
    assert value(connection("vecrank-last"), f"vec_distance_hamming({signs}, {signs})") == 0
    assert value(connection("sqlite-vec-last"), "vec_json(vec_bit(X'A1'))") == "[1,0,0,0,0,1,0,1]"


def test_the_extension_loaded_last_defines_shared_names():
    db = connection("vecrank-last")
    assert list(db.execute("SELECT i, value FROM vec_each('[7, 8]')")) == [(0, 7.0), (1, 8.0)]
    assert value(db, "vec_add(NULL, '[1]')") is None
