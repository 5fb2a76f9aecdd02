use super::*;

/// A number in a header: zigzag, seven bits per byte.
fn number(value: i64) -> Vec<u8> {
    let mut left = (value << 1 ^ value >> 63).cast_unsigned();
    let mut bytes = Vec::new();
    while left > 0x7f {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
    bytes
}

fn header(sizes: [i64; 2], values: i64) -> Vec<u8> {
    let data = [&[0x2c, 0x15][..], &number(values), &[0x15, 0, 0, 0]].concat();
    [&[0x15, 0, 0x15][..], &number(sizes[0]), &[0x15], &number(sizes[1]), &data].concat()
}

#[test]
fn a_header_is_read_and_what_it_may_have_besides_is_passed_over() {
    let plain = header([300, 200], 70);
    let expected = Header { kind: Kind::Data, uncompressed: 300, compressed: 200, values: 70 };
    assert_eq!(Header::read(&mut plain.as_slice()).unwrap(), expected);
    let end = plain.len() - 1;
    let besides: [&[u8]; 7] = [
        &[0x21],                               // a boolean
        &[0x23, 7],                            // a byte
        &[0x27, 1, 2, 3, 4, 5, 6, 7, 8],       // a double
        &[0x28, 3, 1, 2, 3],                   // binary
        &[0x29, 0xf5, 2, 1, 1],                // a long list of two integers
        &[0x2b, 1, 0x58, 9, 2, 1, 1],          // a map of an integer to binary
        &[0x0c, 0xc8, 1, 0x2c, 0x15, 1, 0, 0], // structs, under a full number of a field
    ];
    for field in besides {
        let longer = [&plain[..end], field, &[0, 99]].concat();
        let mut rest = longer.as_slice();
        assert_eq!(Header::read(&mut rest).unwrap(), expected, "{field:?}");
        assert_eq!(rest, [99], "{field:?}");
    }
    for cut in 0..plain.len() {
        assert!(Header::read(&mut &plain[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn no_damage_of_a_header_takes_long_or_panics() {
    let refused = |bytes: &[u8]| Header::read(&mut &*bytes).unwrap_err().to_string();
    assert_eq!(refused(&header([-1, 200], 70)), "it claims a negative size");
    assert_eq!(refused(&header([300, 200], -1)), "it claims a negative size");
    assert_eq!(refused(&[0x1c; 100]), "its structs are too deep");
    assert_eq!(refused(&[0x19; 100]), "its structs are too deep");
    assert_eq!(refused(&[0x15, 14, 0]), "it is damaged");
    assert_eq!(refused(&[0x15, 0, 0]), "it is damaged");
    assert_eq!(refused(&[0xff; 100]), "it is damaged");
    assert_eq!(refused(&[&[0x16][..], &[0xff; 20]].concat()), "a number in it has no end");
    let mut bytes = header([300, 200], 70);
    for offset in 0..bytes.len() {
        let whole = bytes[offset];
        for damage in 0..=255 {
            bytes[offset] = damage;
            let _ = Header::read(&mut bytes.as_slice());
        }
        bytes[offset] = whole;
    }
}

fn limits(codec: Compression) -> Limits {
    Limits { codec, least_bytes: 4, values: 100, levels: [0, 1], form: None }
}

#[test]
fn claims_of_page_headers_are_checked_against_the_file() {
    let check = |codec, kind, uncompressed, values| {
        let header = Header { kind, uncompressed, compressed: 1000, values };
        limits(codec).check(&header, 1000).map_err(|error| error.to_string())
    };
    let none = Compression::UNCOMPRESSED;
    assert_eq!(check(none, Kind::Data, 1000, 100), Ok(()));
    assert_eq!(check(none, Kind::Dictionary, 1000, 250), Ok(()));
    assert_eq!(check(Compression::SNAPPY, Kind::Data, 21_000, 100), Ok(()));
    let refused = |what: &str| Err(format!("Parquet error: page header: it claims {what}"));
    assert_eq!(check(none, Kind::Data, 1000, 101), refused("101 values, the page can hold 100"));
    assert_eq!(check(none, Kind::Dictionary, 1000, 251), refused("251 values, the page can hold 250"));
    assert_eq!(check(none, Kind::Data, 3000, 1), refused("3000 bytes of content, the page can hold 2024"));
    let header = Header { kind: Kind::Data, uncompressed: 1000, compressed: 1000, values: 1 };
    let error = limits(none).check(&header, 999).unwrap_err().to_string();
    assert_eq!(Err(error), refused("1000 bytes, of the column chunk there are 999"));
    for codec in [Compression::SNAPPY, Compression::LZ4_RAW, Compression::GZIP(Default::default())] {
        assert!(check(codec, Kind::Data, 1 << 21, 1).is_err(), "{codec}");
    }
}

#[test]
fn the_count_of_a_delta_encoding_is_read_without_its_numbers() {
    // Blocks of 128 in 4 parts, 200 numbers from 3 on: parts of widths 1, 0, 2 and 0, then one of width 1.
    let first = [&[0x80, 1, 4, 0xc8, 1, 6, 0, 1, 0, 2, 0][..], &[0; 12]].concat();
    let second = [&[0, 1, 0, 0, 0][..], &[0; 4], b"next"].concat();
    let encoded = [first, second].concat();
    let mut rest = encoded.as_slice();
    assert_eq!(delta_count(&mut rest).unwrap(), 200);
    assert_eq!(rest, b"next");
    let mut empty: &[u8] = &[0x80, 1, 4, 0, 0, 9];
    assert_eq!((delta_count(&mut empty).unwrap(), empty), (0, &[9][..]));
    let mut lying: &[u8] = &[0x80, 1, 4, 0xff, 0xff, 0xff, 0xff, 0xf, 0, 0];
    assert_eq!(delta_count(&mut lying).unwrap(), u64::from(u32::MAX));
    for cut in 0..encoded.len() {
        let _ = delta_count(&mut &encoded[..cut]);
    }
}

#[test]
fn a_page_that_counts_more_than_it_has_is_refused() {
    let page = |count: &[u8], encoding| Page::DataPage {
        // Levels of one byte, then the numbers.
        buf: [&[1, 0, 0, 0, 3, 0x80, 1, 4][..], count, &[0, 0, 0, 0, 0, 0]].concat().into(),
        num_values: 3,
        encoding,
        def_level_encoding: Encoding::RLE,
        rep_level_encoding: Encoding::RLE,
        statistics: None,
    };
    let limits = limits(Compression::UNCOMPRESSED);
    for encoding in [Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY] {
        assert!(limits.check_page(&page(&[3], encoding)).is_ok());
        let error = limits.check_page(&page(&[0xff, 0xff, 0xff, 0xff, 7], encoding)).unwrap_err().to_string();
        assert!(error.ends_with("its encoding claims 2147483647 values, the page has 3"), "{error}");
    }
    assert!(limits.check_page(&page(&[4], Encoding::PLAIN)).is_ok());
}
