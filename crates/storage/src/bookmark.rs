//! Bookmarks: names for states of one database, as the platform writes them.
//!
//! `00000000-<8 hex>-<8 hex>-<32 hex>`: the number of the state in two halves, then the history it
//! belongs to. Later states have greater texts (`spec/workers.md` ST-44). A bookmark means the
//! newest state up to its number.

use std::fmt;

/// A state of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bookmark {
    pub(crate) number: u64,
    pub(crate) history: u128,
}

impl Bookmark {
    /// Reads a text; `None` for one that is none.
    pub(crate) fn parse(text: &str) -> Option<Bookmark> {
        let parts: Vec<&str> = text.split('-').collect();
        let [zero, high, low, history] = parts[..] else { return None };
        let is_hex =
            |part: &&str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let widths = parts.iter().map(|part| part.len());
        if zero != "00000000" || !parts.iter().all(is_hex) || !widths.eq([8, 8, 8, 32]) {
            return None;
        }
        let half = |text: &str| u64::from_str_radix(text, 16).ok();
        let number = half(high)? << 32 | half(low)?;
        Some(Bookmark { number, history: u128::from_str_radix(history, 16).ok()? })
    }
}

impl fmt::Display for Bookmark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (high, low) = (self.number >> 32, self.number & 0xffff_ffff);
        write!(f, "00000000-{high:08x}-{low:08x}-{:032x}", self.history)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_and_sort_as_the_states_do() {
        let numbers = [0, 1, 0xffff_ffff, 0x1_0000_0000, u64::MAX];
        let bookmarks = numbers.map(|number| Bookmark { number, history: 7 });
        let texts = bookmarks.map(|bookmark| bookmark.to_string());
        assert!(texts.is_sorted());
        assert_eq!(texts.each_ref().map(|text| Bookmark::parse(text)), bookmarks.map(Some));
    }

    #[test]
    fn other_texts_are_none() {
        let good = Bookmark { number: 1, history: 2 }.to_string();
        for bad in
            ["", "x", &good[1..], &good.to_uppercase().replace('0', "A"), &format!("{good}-")]
        {
            assert_eq!(Bookmark::parse(bad), None, "{bad}");
        }
    }
}
