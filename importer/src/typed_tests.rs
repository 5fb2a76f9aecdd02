use super::*;
use arrow_array::UInt64Array;

fn shown(cells: Cells, to: TypeArg) -> Result<Vec<String>, (Option<usize>, String)> {
    let cells = convert(cells, to).map_err(|fault| (fault.row, fault.text))?;
    Ok((0..cells.rows()).map(|row| cells.show(row)).collect())
}

fn texts(values: &[&str]) -> Cells {
    Cells::Text(values.iter().map(|value| (*value != "NULL").then_some(*value)).collect())
}

fn refused(row: usize, text: &str) -> Result<Vec<String>, (Option<usize>, String)> {
    Err((Some(row), text.to_owned()))
}

fn done(values: &[&str]) -> Result<Vec<String>, (Option<usize>, String)> {
    Ok(values.iter().map(|value| (*value).to_owned()).collect())
}

#[test]
fn text_takes_numbers_and_what_is_text() {
    assert_eq!(shown(Cells::Integer(vec![Some(7), None].into()), TypeArg::Text), done(&["'7'", "NULL"]));
    assert_eq!(
        shown(Cells::Unsigned(UInt64Array::from(vec![u64::MAX])), TypeArg::Text),
        done(&["'18446744073709551615'"])
    );
    assert_eq!(shown(Cells::Real(vec![5.0, 0.1, f64::NAN].into()), TypeArg::Text), done(&["'5.0'", "'0.1'", "NULL"]));
    let bytes = |bytes: &[u8]| Cells::Blob(LargeBinaryArray::from(vec![bytes]));
    assert_eq!(shown(bytes("ä".as_bytes()), TypeArg::Text), done(&["'ä'"]));
    assert_eq!(
        shown(bytes(b"\xff"), TypeArg::Text),
        refused(0, "a BLOB of 1 bytes would not keep its value as TEXT (--type)")
    );
}

#[test]
fn integer_takes_what_is_written_as_one() {
    assert_eq!(shown(texts(&["7", "-12", "NULL"]), TypeArg::Integer), done(&["7", "-12", "NULL"]));
    for odd in ["01234", "+7", "1e3", " 7", "7.0", "", "-0", "9223372036854775808"] {
        let expected = format!("'{odd}' would not keep its value as INTEGER (--type)");
        assert_eq!(shown(texts(&["7", odd]), TypeArg::Integer), refused(1, &expected));
    }
    assert_eq!(shown(Cells::Real(vec![5.0, -9.0e18].into()), TypeArg::Integer), done(&["5", "-9000000000000000000"]));
    for odd in [5.5, -0.0, 9.3e18, f64::INFINITY] {
        assert!(shown(Cells::Real(vec![odd].into()), TypeArg::Integer).is_err(), "{odd}");
    }
    assert!(shown(Cells::Unsigned(UInt64Array::from(vec![u64::MAX])), TypeArg::Integer).is_err());
}

#[test]
fn real_takes_what_it_holds_exactly() {
    let most = 1_i64 << 53;
    assert_eq!(shown(Cells::Integer(vec![most].into()), TypeArg::Real), done(&["9007199254740992.0"]));
    for odd in [most + 1, i64::MAX] {
        assert!(shown(Cells::Integer(vec![odd].into()), TypeArg::Real).is_err(), "{odd}");
    }
    assert_eq!(shown(texts(&["0.10", "-7", "19.90"]), TypeArg::Real), done(&["0.1", "-7.0", "19.9"]));
    for odd in ["01.5", "1e3", ".5", "inf", "NaN", "0.1000000000000000055", " 1"] {
        assert!(shown(texts(&[odd]), TypeArg::Real).is_err(), "{odd}");
    }
}

#[test]
fn blob_takes_the_bytes_of_texts() {
    assert_eq!(shown(texts(&["ä", "NULL"]), TypeArg::Blob), done(&["a BLOB of 2 bytes", "NULL"]));
    assert!(shown(Cells::Integer(vec![1].into()), TypeArg::Blob).is_err());
}
