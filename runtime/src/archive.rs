//! `--archive`: a folder or a bucket that keeps the history of databases besides their own disk.
//!
//! A bucket takes its credentials from the environment, by the names that its own tools know.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use network::{BucketConnector, Gateway};
use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, RetryConfig};
use storage::Archive;

/// What `--archive` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A folder, by its absolute path.
    Folder(PathBuf),
    /// A bucket and what the keys in it begin with.
    Bucket(String, String),
}

impl Place {
    /// Reads what was typed, and makes the folder where it is missing.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    pub fn parse(typed: &str) -> Result<Place, String> {
        if let Some(rest) = typed.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() {
                return Err("names no bucket; write s3://bucket/prefix".into());
            }
            let missing = CREDENTIALS.iter().find(|name| std::env::var(name).is_err());
            if let Some(missing) = missing {
                return Err(format!("needs {missing} in the environment"));
            }
            return Ok(Place::Bucket(bucket.into(), prefix.trim_matches('/').into()));
        }
        let folder = match typed.split_once("://") {
            None => typed,
            Some(("file", folder)) => folder,
            Some(_) => return Err("is neither a folder nor s3://bucket/prefix".into()),
        };
        if folder.is_empty() {
            return Err("is empty; give a folder or s3://bucket/prefix".into());
        }
        let made = std::fs::create_dir_all(folder).and_then(|()| Path::new(folder).canonicalize());
        let folder = made.map_err(|cause| format!("cannot be created: {cause}"))?;
        tempfile::tempfile_in(&folder).map_err(|cause| format!("cannot be written: {cause}"))?;
        Ok(Place::Folder(folder))
    }

    /// The folder, which the sandbox must let the process write.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Place::Folder(folder) => Some(folder),
            Place::Bucket(..) => None,
        }
    }

    /// Starts to keep the history of the databases of `data` there.
    ///
    /// # Errors
    /// What is wrong with the place or its settings.
    pub fn start(&self, data: &Path, gateway: &Gateway) -> Result<Archive, Unusable> {
        let refuse = |cause: object_store::Error| Unusable(cause.to_string());
        let store: Arc<dyn ObjectStore> = match self {
            Place::Folder(folder) => {
                let store = LocalFileSystem::new_with_prefix(folder).map_err(refuse)?;
                Arc::new(store.with_fsync(true).with_automatic_cleanup(true))
            }
            Place::Bucket(bucket, prefix) => {
                // The archive tries again by itself, and says so.
                let retry = RetryConfig {
                    backoff: BackoffConfig::default(),
                    max_retries: 2,
                    retry_timeout: std::time::Duration::from_secs(30),
                };
                let store = AmazonS3Builder::from_env()
                    .with_bucket_name(bucket)
                    .with_http_connector(BucketConnector::new(gateway))
                    .with_allow_http(true)
                    .with_retry(retry)
                    .build()
                    .map_err(refuse)?;
                Arc::new(PrefixStore::new(store, prefix.as_str()))
            }
        };
        Archive::start(store, data).map_err(|error| Unusable(error.to_string()))
    }
}

/// The archive cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("--archive: {0}")]
pub struct Unusable(String);

/// Without them the library would ask the machine's cloud, which may not be there.
const CREDENTIALS: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_and_other_places_refused() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("a/b");
        let place = Place::parse(folder.to_str().unwrap()).unwrap();
        assert_eq!(place.folder(), Some(&*folder.canonicalize().unwrap()));
        let refused = |typed: &str| Place::parse(typed).unwrap_err();
        assert_eq!(refused("ftp://x/y"), "is neither a folder nor s3://bucket/prefix");
        assert_eq!(refused("s3:///prefix"), "names no bucket; write s3://bucket/prefix");
        assert_eq!(refused("file://"), "is empty; give a folder or s3://bucket/prefix");
        assert!(refused("/proc/no").starts_with("cannot be created"));
        assert_eq!(refused("s3://bucket"), "needs AWS_ACCESS_KEY_ID in the environment");
    }
}
