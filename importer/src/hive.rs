//! Columns from a file's path: `root/date=2024-01-01/shop=7/part.parquet` has `date` and `shop`, as Hive and Spark
//! write it.

use std::path::{Component, Path};

/// What Hive calls the folder of NULL.
const NULL: &str = "__HIVE_DEFAULT_PARTITION__";

/// Name and value of each folder that has the form `name=value`, from the outermost; None is NULL.
pub fn partitions(path: &Path) -> Vec<(String, Option<String>)> {
    let folders = path.parent().into_iter().flat_map(Path::components);
    folders
        .filter_map(|folder| match folder {
            Component::Normal(folder) => folder.to_str()?.split_once('='),
            _ => None,
        })
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (unescape(name), (value != NULL).then(|| unescape(value))))
        .collect()
}

/// `%2F` is a slash: writers escape what a folder's name cannot hold.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let code = tail.get(..2).filter(|_| first == b'%').and_then(|digits| str::from_utf8(digits).ok());
        let code = code.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match code.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_give_names_and_values() {
        let of = |path: &str| partitions(Path::new(path));
        let pair = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
        assert_eq!(
            of("a/date=2024-01-01/shop=007/x=1.parquet"),
            [pair("date", Some("2024-01-01")), pair("shop", Some("007"))]
        );
        assert_eq!(of("/k=a=b/n=/=x/p.parquet"), [pair("k", Some("a=b")), pair("n", Some(""))]);
        assert_eq!(
            of("a%3Db=x%2Fy%zz%/z=__HIVE_DEFAULT_PARTITION__/p"),
            [pair("a=b", Some("x/y%zz%")), pair("z", None)]
        );
        assert_eq!(of("p.parquet"), []);
    }
}
