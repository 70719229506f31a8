//! Checksums of `DigestStream`; their bytes come most significant first. They detect damage, and
//! are no protection against anybody.

use crc::{CRC_32_ISCSI, CRC_32_ISO_HDLC, CRC_64_NVME, Crc, Digest, Table};

static CRC32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);
static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
static CRC64: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_NVME);

/// A checksum that is being computed.
pub enum Checksum {
    Sum32(Digest<'static, u32, Table<16>>),
    Sum64(Digest<'static, u64, Table<16>>),
}

impl Checksum {
    /// Begins the checksum of this name, if there is one.
    pub fn begin(name: &str) -> Option<Checksum> {
        match name {
            "crc32" => Some(Checksum::Sum32(CRC32.digest())),
            "crc32c" => Some(Checksum::Sum32(CRC32C.digest())),
            "crc64nvme" => Some(Checksum::Sum64(CRC64.digest())),
            _ => None,
        }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Checksum::Sum32(sum) => sum.update(bytes),
            Checksum::Sum64(sum) => sum.update(bytes),
        }
    }

    pub fn finish(self) -> Vec<u8> {
        match self {
            Checksum::Sum32(sum) => sum.finalize().to_be_bytes().to_vec(),
            Checksum::Sum64(sum) => sum.finalize().to_be_bytes().to_vec(),
        }
    }
}
