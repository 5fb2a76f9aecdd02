//! The library linked into a program, which registers it for every connection that it opens.

#[test]
fn an_automatic_extension_serves_every_new_connection() {
    for _ in 0..2 {
        // SAFETY: it is sqlite3_auto_extension() of the library that rusqlite uses.
        unsafe { vecrank::register_auto_extension(rusqlite::ffi::sqlite3_auto_extension) }.unwrap();
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let dims: i64 = connection.query_row("SELECT vec_dims('[1, 2, 3]')", [], |row| row.get(0)).unwrap();
        assert_eq!(dims, 3);
        // The loadable form comes on top of it without harm.
        vecrank_tests::load(&connection, vecrank_tests::library());
        let sum: String =
            connection.query_row("SELECT vec_json(vec_sum(v)) FROM (SELECT '[1]' v)", [], |row| row.get(0)).unwrap();
        assert_eq!(sum, "[1]");
    }
}

#[test]
fn vectors_are_what_the_functions_of_sql_read_and_give() {
    let blob = vecrank::vector(&[1.0, -2.5]);
    assert_eq!(blob, [0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0]);
    assert_eq!(vecrank::from_vector(&blob).unwrap(), [1.0, -2.5]);
    for length in [0, 7] {
        let error = vecrank::from_vector(&vec![0; length]).unwrap_err().to_string();
        assert_eq!(error, format!("expected the BLOB of a vector, 4 bytes for each number, got {length} bytes"));
    }
}
