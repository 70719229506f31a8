//! What moves between the folder of a history and the archive.
//!
//! Below `<path of the database>/<id of the history>/` lie `<generation>/snapshot` and its log in
//! records, `<generation>/<first commit>.log`, each as it is in the local file. Next to the local
//! files, `<generation>.sent` notes how much of the log is in the archive. The last record of a
//! log may be replaced after a crash; then it is sent once more. `<generation>.archived` takes the
//! place of the files that left the disk; it holds when the commits of the log were made.

use std::io;
use std::path::Path;

use futures_util::TryStreamExt;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};

use super::Shared;
use crate::database_file::side_file;
use crate::disk::{self, DiskFile, Mode};
use crate::history::{Generation, SYNC_HISTORY, folder_of_history, history_in};
use crate::history_log::Record;

/// How much of a generation's log is in the archive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) bytes: u64,
    /// Where the last record begins, and its checksum.
    last: u64,
    checksum: u32,
}

impl Sent {
    /// The note about a generation; `None` where not even its snapshot was sent.
    pub(crate) fn of(folder: &Path, generation: Generation) -> io::Result<Option<Sent>> {
        let path = folder.join(format!("{}.sent", generation.name()));
        let content = match DiskFile::open(&path, Mode::Read) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?.read_all()?,
        };
        let Ok(content) = <[u8; 20]>::try_from(content) else { return Ok(None) };
        let number = |at: usize| content[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
        let checksum = content[16..].try_into().map_or(0, u32::from_le_bytes);
        Ok(Some(Sent { bytes: number(0), last: number(8), checksum }))
    }

    /// Not synced: after a crash a part is sent twice.
    fn note(self, folder: &Path, generation: Generation) -> io::Result<()> {
        let path = folder.join(format!("{}.sent", generation.name()));
        let mut content = self.bytes.to_le_bytes().to_vec();
        content.extend(self.last.to_le_bytes());
        content.extend(self.checksum.to_le_bytes());
        DiskFile::open(&path, Mode::Create)?.write_at(&content, 0)
    }
}

impl Shared {
    pub(super) async fn send_history(&self, database: &Path) -> Result<(), String> {
        let folder = folder_of_history(database);
        let Some(key) = self.key_of(database) else { return Ok(()) };
        let (id, generations) = history_in(&folder).map_err(|error| error.to_string())?;
        for generation in generations.into_iter().filter(|_| id != 0) {
            let key = format!("{key}/{id:032x}/{}", generation.name());
            if let Err(error) = self.send_generation(&folder, generation, &key).await {
                // It may have been given up meanwhile.
                let snapshot = folder.join(format!("{}.snapshot", generation.name()));
                if matches!(disk::bytes_of(&snapshot), Ok(None)) {
                    continue;
                }
                return Err(format!("{key}: {error}"));
            }
        }
        Ok(())
    }

    async fn send_generation(
        &self,
        folder: &Path,
        generation: Generation,
        key: &str,
    ) -> Result<(), BoxError> {
        let mut sent = match Sent::of(folder, generation)? {
            Some(sent) => sent,
            None => {
                let snapshot = folder.join(format!("{}.snapshot", generation.name()));
                self.put_file(&Key::from(format!("{key}/snapshot")), &snapshot).await?;
                let sent = Sent::default();
                sent.note(folder, generation)?;
                sent
            }
        };
        let log = folder.join(format!("{}.log", generation.name()));
        let log = match DiskFile::open(&log, Mode::Read) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            opened => opened?,
        };
        if sent.bytes > 0 {
            let last = Record::read(&log, sent.last)?.map(|record| record.to_bytes());
            if last.is_none_or(|last| crc32fast::hash(&last) != sent.checksum) {
                sent.bytes = sent.last;
            }
        }
        while let Some(record) = Record::read(&log, sent.bytes)? {
            let bytes = record.to_bytes();
            let checksum = crc32fast::hash(&bytes);
            let end = sent.bytes + bytes.len() as u64;
            let key = Key::from(format!("{key}/{:016x}.log", record.first));
            self.store.put(&key, PutPayload::from(bytes)).await?;
            sent = Sent { bytes: end, last: sent.bytes, checksum };
            sent.note(folder, generation)?;
        }
        Ok(())
    }

    async fn put_file(&self, key: &Key, path: &Path) -> Result<(), BoxError> {
        let file = DiskFile::open(path, Mode::Read)?;
        if file.bytes()? <= PART_BYTES {
            self.store.put(key, PutPayload::from(file.read_all()?)).await?;
            return Ok(());
        }
        let mut upload = self.store.put_multipart(key).await?;
        let mut at = 0;
        loop {
            let mut part = vec![0; PART_BYTES as usize];
            let found = file.read_at(&mut part, at)?;
            if found == 0 {
                break;
            }
            part.truncate(found);
            at += found as u64;
            if let Err(error) = upload.put_part(PutPayload::from(part)).await {
                // What is left of it costs money.
                upload.abort().await?;
                return Err(error.into());
            }
        }
        upload.complete().await?;
        Ok(())
    }

    pub(super) async fn fetch_generation(
        &self,
        database: &Path,
        history: u128,
        generation: Generation,
    ) -> Result<(), String> {
        let folder = folder_of_history(database);
        let name = generation.name();
        let key = self.key_of(database).unwrap_or_default();
        let key = Key::from(format!("{key}/{history:032x}/{name}"));
        let fetch = async {
            let snapshot = folder.join(format!("{name}.snapshot"));
            let log = folder.join(format!("{name}.log"));
            let (fresh, fresh_log) = (side_file(&snapshot, ".new"), side_file(&log, ".new"));
            self.fetch_objects(&[key.clone().join("snapshot")], &fresh).await?;
            let objects: Vec<_> = self.store.list(Some(&key)).try_collect().await?;
            let objects = objects.into_iter().map(|object| object.location);
            let mut logs: Vec<_> = objects.filter(|key| key.as_ref().ends_with(".log")).collect();
            logs.sort_unstable();
            self.fetch_objects(&logs, &fresh_log).await?;
            // The log first: without a snapshot it is nothing.
            disk::rename(&fresh_log, &log)?;
            disk::rename(&fresh, &snapshot)?;
            disk::sync_folder(&folder, SYNC_HISTORY)?;
            disk::remove(&folder.join(format!("{name}.archived")))?;
            Ok::<_, BoxError>(())
        };
        fetch.await.map_err(|error| error.to_string())
    }

    /// Writes objects into one file, one after the other.
    async fn fetch_objects(&self, keys: &[Key], into: &Path) -> Result<(), BoxError> {
        let file = DiskFile::open(into, Mode::Create)?;
        file.set_bytes(0)?;
        let mut at = 0;
        for key in keys {
            let mut parts = self.store.get(key).await?.into_stream();
            while let Some(part) = parts.try_next().await? {
                file.write_at(&part, at)?;
                at += part.len() as u64;
            }
        }
        file.sync(SYNC_HISTORY)?;
        Ok(())
    }

    pub(super) async fn remove(&self, key: &str) -> Result<(), String> {
        let prefix = Key::from(key);
        let keys = self.store.list(Some(&prefix)).map_ok(|object| object.location);
        let remove = async {
            let keys: Vec<_> = keys.try_collect().await?;
            for key in keys {
                match self.store.delete(&key).await {
                    Err(object_store::Error::NotFound { .. }) => {}
                    removed => removed?,
                }
            }
            Ok::<_, object_store::Error>(())
        };
        remove.await.map_err(|error| format!("{key}: {error}"))
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What is in memory at a time; the stores take parts of at least 5 MiB.
const PART_BYTES: u64 = 8 << 20;
