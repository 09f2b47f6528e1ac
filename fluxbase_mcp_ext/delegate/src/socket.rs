//! The socket: for the user that owns it and nobody else.
//!
//! Invariants: nobody can connect before the socket's mode is set, since it gets its name last; a socket that a dead process
//! left behind is replaced. The path may be relative: the name of a socket has at most 107 bytes.

use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// A bound socket and the user that it belongs to.
#[derive(Debug)]
pub struct Bound {
    pub listener: UnixListener,
    /// Who may connect.
    pub owner: u32,
}

/// Binds `path` under a name of its own, sets its mode to 0600 and renames it.
///
/// # Errors
/// As the system says.
pub fn bind(path: &Path) -> io::Result<Bound> {
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}", std::process::id()));
    let new = PathBuf::from(new);
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&new)?;
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600))?;
    let owner = std::fs::metadata(&new)?.uid();
    std::fs::rename(&new, path)?;
    listener.set_nonblocking(true)?;
    Ok(Bound { listener, owner })
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn it_is_private_and_replaces_a_dead_one() {
        let folder = std::env::temp_dir().join(format!("fluxbase-socket-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("delegate");
        let dead = bind(&path).unwrap();
        drop(dead);
        assert!(UnixStream::connect(&path).is_err());
        let bound = bind(&path).unwrap();
        assert!(UnixStream::connect(&path).is_ok());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "no temporary name is left");
        assert_eq!(bound.owner, std::fs::metadata(&folder).unwrap().uid());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
