//! The index that gives every facet below a root its number (`spec/workers.md` FA-42), in the
//! format of workerd's local storage.
//!
//! Format: 8 bytes magic, then entries of `u16 parent, u16 length, name`, little-endian; entry
//! k (from 1) defines number k, number 0 is the root. Reading stops at the first entry that
//! cannot be right; what follows is a torn write. Pure: the caller does the I/O.

use std::collections::HashMap;

use crate::limits::{FACET_IDS_MAX, FACET_NAME_BYTES_MAX};

/// The first bytes of an index file.
pub const MAGIC: [u8; 8] = 0xc4cd_ce5b_c5b0_ef57_u64.to_le_bytes();

/// Numbers of all facets that were ever started below one root; they are never reused.
#[derive(Debug, Default)]
pub struct FacetIndex {
    numbers: HashMap<(u16, String), u16>,
    /// Parent and name of number k at k - 1.
    entries: Vec<(u16, String)>,
}

impl FacetIndex {
    /// Reads entries (without the magic); also gives how many bytes of them are sound.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> (FacetIndex, usize) {
        let mut index = FacetIndex::default();
        let mut sound = 0;
        while let Some((parent, name, rest)) = entry(&bytes[sound..]) {
            let number = index.numbers.len() + 1;
            let known = index.numbers.contains_key(&(parent, name.to_string()));
            if usize::from(parent) >= number || known || number > FACET_IDS_MAX {
                break;
            }
            index.insert(parent, name);
            sound = bytes.len() - rest.len();
        }
        (index, sound)
    }

    /// The number of a facet that was started before.
    #[must_use]
    pub fn find(&self, parent: u16, name: &str) -> Option<u16> {
        self.numbers.get(&(parent, name.to_string())).copied()
    }

    /// Gives a new facet its number, and the bytes to append to the file before it is used.
    ///
    /// `None` when all numbers are taken or the name cannot be stored.
    pub fn add(&mut self, parent: u16, name: &str) -> Option<(u16, Vec<u8>)> {
        if name.is_empty() || name.len() > FACET_NAME_BYTES_MAX {
            return None;
        }
        if self.numbers.len() >= FACET_IDS_MAX {
            return None;
        }
        let length = u16::try_from(name.len()).ok()?;
        let mut bytes = Vec::with_capacity(4 + name.len());
        bytes.extend_from_slice(&parent.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
        Some((self.insert(parent, name), bytes))
    }

    /// Numbers of all facets directly below `parent`.
    #[must_use]
    pub fn children(&self, parent: u16) -> Vec<u16> {
        self.named(parent).map(|(_, number)| number).collect()
    }

    /// Names of all facets that were ever started directly below `parent`, with their numbers.
    pub fn named(&self, parent: u16) -> impl Iterator<Item = (&str, u16)> {
        let numbered = self.entries.iter().zip(1..);
        let below = numbered.filter(move |((p, _), _)| *p == parent);
        below.map(|((_, name), number)| (name.as_str(), number))
    }

    /// The numbers of a facet and of all facets below it, parents first.
    #[must_use]
    pub fn subtree(&self, parent: u16, name: &str) -> Vec<u16> {
        let mut numbers: Vec<u16> = self.find(parent, name).into_iter().collect();
        let mut next = 0;
        while let Some(number) = numbers.get(next) {
            numbers.extend(self.children(*number));
            next += 1;
        }
        numbers
    }

    /// The names from the root to a facet.
    #[must_use]
    pub fn path(&self, number: u16) -> Option<Vec<String>> {
        let mut path = Vec::new();
        let mut number = number;
        while number > 0 {
            let (parent, name) = self.entries.get(usize::from(number) - 1)?;
            path.push(name.clone());
            // A parent's number is smaller, so this ends.
            number = *parent;
        }
        path.reverse();
        Some(path)
    }

    fn insert(&mut self, parent: u16, name: &str) -> u16 {
        let number = u16::try_from(self.numbers.len() + 1).unwrap_or(u16::MAX);
        self.numbers.insert((parent, name.to_string()), number);
        self.entries.push((parent, name.to_string()));
        number
    }
}

fn entry(bytes: &[u8]) -> Option<(u16, &str, &[u8])> {
    let (parent, bytes) = bytes.split_first_chunk()?;
    let (length, bytes) = bytes.split_first_chunk()?;
    let length = usize::from(u16::from_le_bytes(*length));
    if length == 0 || length > bytes.len() {
        return None;
    }
    let (name, rest) = bytes.split_at(length);
    Some((u16::from_le_bytes(*parent), std::str::from_utf8(name).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    fn file(entries: &[(u16, &str)]) -> Vec<u8> {
        let mut index = FacetIndex::default();
        entries.iter().flat_map(|(parent, name)| index.add(*parent, name).unwrap().1).collect()
    }

    #[test]
    fn numbers_survive_a_restart() {
        let bytes = file(&[(0, "app"), (1, "child"), (0, "B\0b")]);
        let (index, sound) = FacetIndex::parse(&bytes);
        assert_eq!(sound, bytes.len());
        assert_eq!(index.find(0, "app"), Some(1));
        assert_eq!(index.find(1, "child"), Some(2));
        assert_eq!(index.find(0, "B\0b"), Some(3));
        assert_eq!(index.children(0), [1, 3]);
        assert_eq!(index.path(2).unwrap(), ["app", "child"]);
        assert_eq!((index.path(0), index.path(4)), (Some(Vec::new()), None));
    }

    #[test]
    fn fa_7_so_many_names_get_a_number_and_no_more() {
        let mut index = FacetIndex::default();
        for number in 1..=FACET_IDS_MAX {
            let (given, _) = index.add(0, &number.to_string()).unwrap();
            assert_eq!(usize::from(given), number);
        }
        assert!(index.add(0, "one more").is_none());
        assert_eq!(index.find(0, "65535"), Some(65_535));
    }

    #[test]
    fn a_torn_tail_is_dropped_and_nothing_else() {
        let bytes = file(&[(0, "app"), (0, "other")]);
        for cut in 0..bytes.len() {
            let (index, sound) = FacetIndex::parse(&bytes[..cut]);
            assert!(sound <= cut);
            assert_eq!(index.find(0, "app").is_some(), cut >= 7, "cut at {cut}");
        }
    }

    #[test]
    fn impossible_entries_end_the_index() {
        let (index, sound) = FacetIndex::parse(&[5, 0, 1, 0, b'x']);
        assert_eq!((index.find(5, "x"), sound), (None, 0));
        let twice = [file(&[(0, "a")]), file(&[(0, "a")])].concat();
        assert_eq!(FacetIndex::parse(&twice).1, twice.len() / 2);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(
            if std::env::var_os("BERYL_TORTURE").is_some() { 1_000_000 } else { 512 }
        ))]

        #[test]
        fn whatever_is_in_the_file_the_sound_part_of_it_goes_on(
            entries in vec((0..4_u16, "[ab]{1,3}"), 0..8),
            changes in vec((any::<Index>(), any::<u8>()), 0..6),
            tail in vec(any::<u8>(), 0..12),
        ) {
            let mut written = FacetIndex::default();
            let mut bytes = Vec::new();
            for (parent, name) in &entries {
                let is_new = written.find(*parent, name).is_none();
                if is_new && usize::from(*parent) <= written.entries.len() {
                    bytes.extend(written.add(*parent, name).unwrap().1);
                }
            }
            bytes.extend(tail);
            if !bytes.is_empty() {
                for (at, byte) in changes {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
            }
            let (mut index, sound) = FacetIndex::parse(&bytes);
            prop_assert!(sound <= bytes.len());
            let count = u16::try_from(index.entries.len()).unwrap();
            for number in 1..=count {
                prop_assert!(index.path(number).is_some_and(|path| !path.is_empty()));
            }
            // What is appended after the sound part is found by the next start.
            bytes.truncate(sound);
            let (number, entry) = index.add(0, "a name that is new").unwrap();
            prop_assert_eq!(number, count + 1);
            bytes.extend(entry);
            let (again, all) = FacetIndex::parse(&bytes);
            prop_assert_eq!((all, again.entries), (bytes.len(), index.entries));
        }
    }
}
