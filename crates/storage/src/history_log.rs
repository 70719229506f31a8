//! The log of a generation of history: whole write-ahead logs, one record each.
//!
//! A record is `magic, CRC-32 of the rest, u64 first commit, u32 times, u64 bytes`, then the times
//! (`u64 commits until then, u64 milliseconds`), then the log as SQLite wrote it, whose frames have
//! checksums of their own. Reading stops at the first record that is not sound.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use crate::disk::{DiskFile, Mode};
use crate::error::Error;

/// One write-ahead log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The number of the state after its first commit.
    pub(crate) first: u64,
    pub(crate) commits: u64,
    pub(crate) times: Vec<(u64, u64)>,
    wal: Vec<u8>,
    wal_bytes: u64,
}

impl Record {
    pub(crate) fn new(first: u64, times: Vec<(u64, u64)>, wal: Vec<u8>) -> Record {
        let (commits, wal_bytes) = (commits(&wal).count() as u64, wal.len() as u64);
        Record { first, commits, times, wal, wal_bytes }
    }

    /// The header of the log, which no other log has.
    pub(crate) fn header(&self) -> &[u8] {
        &self.wal[..self.wal.len().min(WAL_HEADER_BYTES)]
    }

    /// True when the first commit wrote all pages of the database, as the first one ever does.
    pub(crate) fn begins_whole(&self) -> bool {
        let Some(end) = commits(&self.wal).next() else { return false };
        let number = |bytes: &[u8]| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        let frame_bytes = FRAME_HEADER_BYTES + number(&self.wal[8..12]) as usize;
        let frames = self.wal[WAL_HEADER_BYTES..end].chunks_exact(frame_bytes);
        let size = frames.clone().last().map_or(0, |frame| number(&frame[4..8]));
        let pages: BTreeSet<u32> = frames.map(|frame| number(&frame[..4])).collect();
        pages.len() == size as usize
    }

    /// The log up to a state, which must be within it or behind.
    pub(crate) fn wal_until(&self, number: u64) -> &[u8] {
        let index = usize::try_from(number - self.first).unwrap_or(usize::MAX);
        let end = commits(&self.wal).nth(index).unwrap_or(self.wal.len());
        &self.wal[..end]
    }

    /// Bytes in the file.
    pub(crate) fn bytes(&self) -> u64 {
        (HEADER_BYTES + self.times.len() * 16) as u64 + self.wal_bytes
    }

    /// The record with the header of its log only, to remember it.
    pub(crate) fn without_frames(mut self) -> Record {
        self.wal.truncate(WAL_HEADER_BYTES);
        self.wal.shrink_to_fit();
        self
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.times.len() * 16 + self.wal.len());
        bytes.extend(MAGIC);
        bytes.extend([0; 4]);
        bytes.extend(self.first.to_le_bytes());
        bytes.extend((self.times.len() as u32).to_le_bytes());
        bytes.extend((self.wal.len() as u64).to_le_bytes());
        for (commits, ms) in &self.times {
            bytes.extend(commits.to_le_bytes());
            bytes.extend(ms.to_le_bytes());
        }
        bytes.extend(&self.wal);
        let checksum = crc32fast::hash(&bytes[8..]);
        bytes[4..8].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The record at a place of a file; `None` where there is no sound one.
    pub(crate) fn read(file: &DiskFile, at: u64) -> io::Result<Option<Record>> {
        let mut header = [0; HEADER_BYTES];
        if file.read_at(&mut header, at)? < HEADER_BYTES || header[..4] != MAGIC {
            return Ok(None);
        }
        let number = |range: std::ops::Range<usize>| {
            let mut bytes = [0; 8];
            bytes[..range.len()].copy_from_slice(&header[range]);
            u64::from_le_bytes(bytes)
        };
        let (checksum, first, times, wal) =
            (number(4..8), number(8..16), number(16..20), number(20..28));
        let rest = file.bytes()?.saturating_sub(at + HEADER_BYTES as u64);
        let Some(length) = times.checked_mul(16).and_then(|times| times.checked_add(wal)) else {
            return Ok(None);
        };
        if length > rest {
            return Ok(None);
        }
        let mut body = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        let found = file.read_at(&mut body, at + HEADER_BYTES as u64)?;
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&header[8..]);
        hasher.update(&body);
        if found < body.len() || u64::from(hasher.finalize()) != checksum {
            return Ok(None);
        }
        let wal = body.split_off(usize::try_from(times * 16).unwrap_or(0));
        Ok(Some(Record::new(first, times_of(&body), wal)))
    }
}

/// How many bytes of a file are sound, and the last record without its frames.
pub(crate) fn last_record(path: &Path) -> Result<(u64, Option<Record>), Error> {
    let mut last = None;
    let bytes = each(path, |record| last = Some(record.without_frames()))?;
    Ok((bytes, last))
}

/// Pairs of numbers as they are written.
pub(crate) fn times_of(bytes: &[u8]) -> Vec<(u64, u64)> {
    let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap_or_default());
    bytes.chunks_exact(16).map(|pair| (number(&pair[..8]), number(&pair[8..]))).collect()
}

/// Calls `f` for every sound record of a file; returns how many bytes are sound.
pub(crate) fn each(path: &Path, mut f: impl FnMut(Record)) -> Result<u64, Error> {
    let fail = |cause: io::Error| Error::file(path, "read it", &cause);
    let file = match DiskFile::open(path, Mode::Read) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(0),
        opened => opened.map_err(fail)?,
    };
    let mut at = 0;
    while let Some(record) = Record::read(&file, at).map_err(fail)? {
        at += record.bytes();
        f(record);
    }
    Ok(at)
}

/// Where the commits of a write-ahead log end. Frames left from an older log do not count: they
/// have other salts.
pub(crate) fn commits(wal: &[u8]) -> impl Iterator<Item = usize> {
    let salts = wal.get(16..24).unwrap_or_default();
    let page =
        wal.get(8..12).map_or(0, |size| u32::from_be_bytes([size[0], size[1], size[2], size[3]]));
    let frame_bytes = FRAME_HEADER_BYTES + page as usize;
    let frames = wal.get(WAL_HEADER_BYTES..).unwrap_or_default().chunks_exact(frame_bytes);
    let valid = frames.take_while(move |frame| frame[8..16] == *salts);
    valid
        .enumerate()
        .filter(|(_, frame)| frame[4..8] != [0; 4])
        .map(move |(index, _)| WAL_HEADER_BYTES + (index + 1) * frame_bytes)
}

const MAGIC: [u8; 4] = *b"BRY1";
const HEADER_BYTES: usize = 28;
const WAL_HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Folder;

    /// A log of pages of 8 bytes; true marks a commit.
    fn wal(frames: &[bool]) -> Vec<u8> {
        let mut bytes = vec![0; WAL_HEADER_BYTES];
        bytes[8..12].copy_from_slice(&8_u32.to_be_bytes());
        bytes[16..24].copy_from_slice(b"saltsalt");
        for is_commit in frames {
            bytes.extend([0, 0, 0, 1, 0, 0, 0, u8::from(*is_commit)]);
            bytes.extend(b"saltsalt");
            bytes.extend([0; 16]);
        }
        bytes
    }

    #[test]
    fn records_are_read_up_to_the_first_that_is_torn() {
        let folder = Folder::new();
        let path = folder.path().join("log");
        assert_eq!(last_record(&path).unwrap(), (0, None));
        let first = Record::new(1, vec![(1, 10), (2, 20)], wal(&[true, false, true]));
        let second = Record::new(3, Vec::new(), wal(&[true]));
        let whole = [first.to_bytes(), second.to_bytes()].concat();
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let mut found = Vec::new();
            each(&path, |record| found.push(record)).unwrap();
            let count =
                usize::from(length as u64 >= first.bytes()) + usize::from(length == whole.len());
            assert_eq!(found, [first.clone(), second.clone()][..count], "{length} bytes");
        }
    }

    #[test]
    fn a_log_is_cut_behind_a_commit() {
        let record = Record::new(5, Vec::new(), wal(&[true, false, true, true]));
        assert_eq!(record.commits, 3);
        assert_eq!(record.wal_until(5), wal(&[true]));
        assert_eq!(record.wal_until(6), wal(&[true, false, true]));
        assert_eq!(record.wal_until(99), wal(&[true, false, true, true]));
        assert_eq!(commits(b"").count(), 0);
    }
}
