//! The limits of a cache whose entries stand from the oldest to the newest.

/// The most entries of a cache, and the most bytes that they may take together.
pub struct Limits {
    pub entries: usize,
    pub bytes: usize,
}

impl Limits {
    /// Drops the oldest entries that do not fit beside the newer ones.
    pub fn drop_oldest<T>(&self, entries: &mut Vec<T>, bytes_of: impl Fn(&T) -> usize) {
        let mut room = self.bytes;
        let fits = entries.iter().rev().take(self.entries).take_while(|entry| {
            let bytes = bytes_of(entry);
            let fits = bytes <= room;
            room = room.saturating_sub(bytes);
            fits
        });
        let dropped = entries.len() - fits.count();
        entries.drain(..dropped);
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;

    #[test]
    fn the_newest_entries_that_fit_are_kept() {
        let kept = |entries: &[usize]| {
            let mut entries = entries.to_vec();
            Limits { entries: 3, bytes: 10 }.drop_oldest(&mut entries, |entry| *entry);
            entries
        };
        assert_eq!(kept(&[]), []);
        assert_eq!(kept(&[1, 2, 3, 4]), [2, 3, 4]);
        assert_eq!(kept(&[1, 5, 5]), [5, 5]);
        assert_eq!(kept(&[1, 9, 2]), [2], "an older entry is not kept without the ones after it");
        assert_eq!(kept(&[11]), []);
    }
}
