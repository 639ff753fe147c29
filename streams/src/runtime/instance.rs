//! Who this process is: an instance id that outlives it, kept and locked in the state directory.

use crate::{Error, Result};
use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io::{ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// The name of the file that holds the id and the lock.
const FILE: &str = "instance";

/// A locked state directory.
///
/// The lock is the operating system's, on an open file: it ends with the process, however that ends.
#[derive(Debug)]
pub(crate) struct Instance {
    id: String,
    _lock: File,
}

/// The directory wherever this process is: the database cannot use one that begins where it cannot tell where it is.
pub(super) fn absolute(directory: &Path) -> Result<PathBuf> {
    let found = std::path::absolute(directory);
    found.map_err(|e| unusable(directory, "finding", directory, e))
}

impl Instance {
    /// Locks `directory`, which is made if it does not exist, and reads the instance id in it or writes a new one.
    pub(crate) fn lock(directory: &Path) -> Result<Self> {
        let io = |what: &str, path: &Path, source| unusable(directory, what, path, source);
        fs::create_dir_all(directory).map_err(|e| io("making", directory, e))?;
        let path = directory.join(FILE);
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|e| io("opening", &path, e))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::StateDirectoryLocked {
                    path: directory.to_path_buf(),
                });
            }
            Err(TryLockError::Error(e)) => return Err(io("locking", &path, e)),
        }
        let id = read_or_create(&mut file).map_err(|e| io("reading or writing", &path, e))?;
        Ok(Self { id, _lock: file })
    }

    /// Unique among instances, and the same after a restart in the same directory.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }
}

/// A state directory that this process cannot use. By default it is the same one for all users of a machine.
pub(super) fn unusable(directory: &Path, what: &str, path: &Path, source: std::io::Error) -> Error {
    let whose = match source.kind() {
        ErrorKind::PermissionDenied => ", which may be another user's",
        _ => "",
    };
    let what = format!(
        "this process cannot use the state directory {}{whose}; give the job a directory of its own that it can write to, with \
         `--state-dir` or `Job::state_dir` ({what} {})",
        directory.display(),
        path.display()
    );
    Error::Io { what, source }
}

fn read_or_create(file: &mut File) -> std::io::Result<String> {
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let id = text.trim();
    if is_id(id) {
        return Ok(id.to_owned());
    }
    // Random keys of the standard library's hasher are enough: an id has to be unique, not secret.
    let id = format!("{:016x}", RandomState::new().hash_one(std::process::id()));
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{id}")?;
    file.sync_all()?;
    Ok(id)
}

fn is_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Where a job keeps its state when nothing else is said: below the system's directory for temporary files.
pub(crate) fn default_state_directory(application_id: &str) -> PathBuf {
    std::env::temp_dir().join("streams").join(application_id)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_id_outlives_the_process() {
        let directory = tempfile::tempdir().unwrap();
        let first = Instance::lock(directory.path()).unwrap().id().to_owned();
        assert_eq!(Instance::lock(directory.path()).unwrap().id(), first);
    }

    #[test]
    fn another_directory_is_another_instance() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_ne!(
            Instance::lock(one.path()).unwrap().id(),
            Instance::lock(two.path()).unwrap().id()
        );
    }

    #[test]
    fn a_directory_in_use_is_refused_with_the_remedy() {
        let directory = tempfile::tempdir().unwrap();
        let _held = Instance::lock(directory.path()).unwrap();
        let error = Instance::lock(directory.path()).unwrap_err().to_string();
        assert!(
            error.contains("in use by another process") && error.contains("--state-dir"),
            "{error}"
        );
    }

    #[test]
    fn a_directory_of_another_user_is_refused_with_the_remedy() {
        // As the operating system would say it to anybody but root.
        let denied = || std::io::Error::from(ErrorKind::PermissionDenied);
        let directory = Path::new("/tmp/streams/job");
        let error = unusable(directory, "opening", &directory.join(FILE), denied()).to_string();
        for word in [
            "--state-dir",
            "Job::state_dir",
            "another user's",
            "opening /tmp/streams/job/instance",
        ] {
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_refused_with_the_remedy() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let below = file.join("state");
        let error = Instance::lock(&below).unwrap_err().to_string();
        let named = format!("cannot use the state directory {}", below.display());
        assert!(
            error.contains(&named) && error.contains("--state-dir"),
            "{error}"
        );
    }

    #[test]
    fn a_directory_that_cannot_be_told_is_refused_with_the_remedy() {
        let error = absolute(Path::new("")).unwrap_err().to_string();
        assert!(error.contains("--state-dir"), "{error}");
        let relative = absolute(Path::new("state")).unwrap();
        assert!(relative.is_absolute() && relative.ends_with("state"));
    }

    #[test]
    fn a_file_that_was_cut_short_gives_a_new_id() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(FILE), "12ab").unwrap();
        assert!(is_id(Instance::lock(directory.path()).unwrap().id()));
    }
}
