//! A directory as a place: what `object_store` leaves to its caller.
//!
//! Invariants: the directory belongs to the user of this process and nobody else may write to it; a page of versions costs no more than the
//! versions of a 256th part of the space. Files and folders get the mode that the process's mask leaves, which is Postgres's own: 0600 and
//! 0700, or 0640 and 0750 in a cluster that its group may read.

use std::fs::{self, DirBuilder, DirEntry};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use object_store::local::LocalFileSystem;

use crate::message::{Id, Listed};
use crate::outgoing::words;

/// Opens the directory, and makes our own one.
///
/// # Errors
/// What is wrong with it, and what to do.
pub fn open(path: &Path, make: bool) -> Result<(LocalFileSystem, PathBuf), String> {
    let shown = path.display();
    if make
        && let Err(error) = DirBuilder::new().mode(0o700).create(path)
        && error.kind() != ErrorKind::AlreadyExists
    {
        return Err(format!("the directory {shown} cannot be made: {}", words(&error)));
    }
    let found = fs::metadata(path)
        .map_err(|error| format!("the directory {shown} cannot be used: {}. Make it, owned by the user of Postgres, with mode 0700", words(&error)))?;
    if !found.is_dir() {
        return Err(format!("{shown} is no directory"));
    }
    if found.mode() & 0o027 != 0 {
        return Err(format!("others may read or change the directory {shown}: chmod 0700 it"));
    }
    let root = fs::canonicalize(path)
        .map_err(|error| format!("the directory {shown} cannot be used: {}", words(&error)))?;
    let store = LocalFileSystem::new_with_prefix(&root)
        .map_err(|_| format!("the directory {shown} cannot be used"))?;
    Ok((store.with_fsync(true), root))
}

/// The names of a directory in their order; none if it does not exist.
fn names(path: &Path, keep: impl Fn(&str) -> bool) -> io::Result<Vec<(String, DirEntry)>> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Some(name) = entry.file_name().to_str().filter(|name| keep(name)) {
            names.push((name.to_owned(), entry));
        }
    }
    names.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(names)
}

/// Up to `limit` versions of a space behind `after`, in their order, and whether there are more.
///
/// # Errors
/// As the system says.
pub fn list(root: &Path, space: &str, after: Option<Id>, limit: usize) -> io::Result<(Vec<Listed>, bool)> {
    let space = root.join(space);
    let after = after.map(|id| id.to_string());
    let from = after.as_deref().map_or("", |id| &id[..2]);
    let mut found = Vec::new();
    for (part, folder) in names(&space, |name| name.len() == 2 && name >= from)? {
        let is_new = |name: &str| after.as_deref().is_none_or(|after| name > after);
        for (name, entry) in names(&folder.path(), is_new)? {
            let Ok(id) = name.parse::<Id>() else { continue };
            if !name.starts_with(&part) {
                continue;
            }
            let file = match entry.metadata() {
                // Removed just now.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                file => file?,
            };
            if found.len() == limit {
                return Ok((found, true));
            }
            found.push(Listed { id, size: file.len(), stored_at: file.mtime() });
        }
    }
    Ok((found, false))
}

/// Removes what interrupted writers left more than `age` ago, and says how many files that were. `object_store` writes a file under its
/// name with `#` and a number behind it.
///
/// # Errors
/// As the system says.
pub fn tidy(root: &Path, age: Duration) -> io::Result<usize> {
    let until = SystemTime::now().checked_sub(age).unwrap_or(UNIX_EPOCH);
    let mut removed = 0;
    for (_, space) in names(root, |_| true)? {
        for (_, part) in names(&space.path(), |name| name.len() == 2).unwrap_or_default() {
            for (_, file) in names(&part.path(), |name| name.contains('#'))? {
                let old =
                    file.metadata().and_then(|file| file.modified()).is_ok_and(|changed| changed <= until);
                if old && fs::remove_file(file.path()).is_ok() {
                    removed += 1;
                }
            }
        }
    }
    Ok(removed)
}
