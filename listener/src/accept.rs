//! The sockets that clients come to: binding them, taking them over from systemd, accepting on them.
//!
//! Invariants:
//! - Nobody can reach a Unix socket before it has its mode: it is made in a folder of its own and then moved into place.
//! - A file that is no socket, or on which somebody answers, is never replaced; a file that is not ours any more is not removed.
//! - What was accepted is served, also when the process is told to end in that moment.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::config::Listen;
use crate::routes::Ends;
use crate::socket::Stream;
use crate::systemd::Given;

/// One socket that clients come to.
pub(crate) struct Door {
    socket: Server,
    /// Ours to remove; none for an address, and for a socket of systemd's.
    file: Option<SocketFile>,
}

enum Server {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A client that came in.
pub(crate) struct Accepted {
    pub(crate) stream: Stream,
    pub(crate) ends: Ends,
    /// Kept as long as the client stays.
    pub(crate) place: OwnedSemaphorePermit,
}

impl Door {
    /// Binds. `mode` is the mode of a Unix socket's file.
    pub(crate) async fn bind(listen: &Listen, mode: u32) -> io::Result<Door> {
        match listen {
            Listen::Tcp(address) => Ok(Door { socket: Server::Tcp(bind_tcp(*address)?), file: None }),
            Listen::Unix(path) => {
                let (socket, file) = bind_unix(path, mode).await?;
                Ok(Door { socket: Server::Unix(socket), file: Some(file) })
            }
        }
    }

    /// Takes over a socket of systemd's.
    pub(crate) fn given(given: Given) -> io::Result<Door> {
        let socket = match given {
            Given::Tcp(socket) => {
                socket.set_nonblocking(true)?;
                Server::Tcp(TcpListener::from_std(socket)?)
            }
            Given::Unix(socket) => {
                socket.set_nonblocking(true)?;
                Server::Unix(UnixListener::from_std(socket)?)
            }
        };
        Ok(Door { socket, file: None })
    }

    /// Where it is, with the port that the system chose for port 0.
    pub(crate) fn address(&self) -> Option<Listen> {
        match &self.socket {
            Server::Tcp(socket) => socket.local_addr().ok().map(Listen::Tcp),
            Server::Unix(socket) => match &self.file {
                Some(file) => Some(Listen::Unix(file.path.clone())),
                // One of the abstract namespace has no path.
                None => {
                    let address = socket.local_addr().ok()?;
                    Some(Listen::Unix(address.as_pathname().unwrap_or(Path::new("(no path)")).to_owned()))
                }
            },
        }
    }

    async fn accept(&self) -> io::Result<(Stream, Ends)> {
        match &self.socket {
            Server::Tcp(socket) => {
                let (stream, client) = socket.accept().await?;
                let _ = stream.set_nodelay(true);
                let server = stream.local_addr()?;
                Ok((Stream::Tcp(stream), Ends { client, server }))
            }
            Server::Unix(socket) => {
                let (stream, _) = socket.accept().await?;
                // Whoever may open the file is on this machine: as if it had come over loopback.
                let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                Ok((Stream::Unix(stream), Ends { client: here, server: here }))
            }
        }
    }
}

/// Accepts until `stopping` is true. When all places are taken, clients wait in the kernel's queue.
pub(crate) async fn accept(
    door: Door,
    sender: mpsc::Sender<Accepted>,
    places: Arc<Semaphore>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut pause = Duration::from_millis(5);
    loop {
        let next = async {
            let place = places.clone().acquire_owned().await.ok()?;
            Some((place, door.accept().await))
        };
        // Taking a client out of the kernel's queue is one step: when the end is seen first, it is still in there, for the
        // next process that listens on the same socket.
        let (place, accepted) = tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => return,
            Some(next) = next => next,
            else => return,
        };
        let (stream, ends) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: wait for some to become free.
                tracing::warn!(reason = %error, "cannot accept a connection");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(1));
                continue;
            }
        };
        pause = Duration::from_millis(5);
        if sender.send(Accepted { stream, ends, place }).await.is_err() {
            return;
        }
    }
}

/// The file of a socket that we made. Dropping it removes the file, if it is still that one.
struct SocketFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Connections that are made and not yet accepted. With the 128 of most libraries a burst of more finds no room, and who finds none tries again a whole
/// second later. The kernel's own bound (`net.core.somaxconn`) holds all the same.
const BACKLOG: u32 = 4096;

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As `TcpListener::bind` does, so that a restart can have the port of its predecessor.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn bind_unix(path: &Path, mode: u32) -> io::Result<(UnixListener, SocketFile)> {
    // Clients could not name a path that is too long.
    std::os::unix::net::SocketAddr::from_pathname(path)?;
    make_way(path).await?;
    let parent = path.parent().unwrap_or(Path::new("/"));
    let folder = Folder::make(parent)?;
    let made = folder.0.join("s");
    let socket = UnixListener::bind(&made)?;
    fs::set_permissions(&made, fs::Permissions::from_mode(mode))?;
    let identity = identity(&made)?;
    fs::rename(&made, path)?;
    Ok((socket, SocketFile { path: path.to_owned(), identity }))
}

/// A folder that nobody else may enter, removed with what is in it.
struct Folder(PathBuf);

impl Folder {
    fn make(parent: &Path) -> io::Result<Folder> {
        let mut number = 0;
        loop {
            // A crash may have left one of the same process id.
            let folder = parent.join(format!(".fluxbase-{}-{number}", std::process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => return Ok(Folder(folder)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 100 => number += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0.join("s"));
        let _ = fs::remove_dir(&self.0);
    }
}

/// Whether the place is free, or has a socket that nobody answers on.
async fn make_way(path: &Path) -> io::Result<()> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !there.file_type().is_socket() {
        let why = "a file that is no socket is there; it was left alone";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, why));
    }
    match UnixStream::connect(path).await {
        Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound) => {
            Ok(())
        }
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "somebody answers there")),
        // A full queue is an answer, too.
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("fluxbase-accept-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        folder
    }

    #[tokio::test]
    async fn a_socket_has_its_mode_and_goes_with_its_door() {
        let folder = folder("mode");
        let listen = Listen::Unix(folder.join("a.sock"));
        let door = Door::bind(&listen, 0o640).await.unwrap();
        let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["a.sock"], "nothing else is left");
        assert_eq!(fs::metadata(folder.join("a.sock")).unwrap().permissions().mode() & 0o7777, 0o640);
        assert_eq!(door.address(), Some(listen));
        drop(door);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::remove_dir(folder).unwrap();
    }

    #[tokio::test]
    async fn only_a_dead_socket_is_replaced() {
        let folder = folder("stale");
        let path = folder.join("a.sock");
        let listen = Listen::Unix(path.clone());
        // A process that died leaves its file.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let first = Door::bind(&listen, 0o660).await.unwrap();
        let refused = Door::bind(&listen, 0o660).await.err().expect("the first one answers");
        assert_eq!(refused.kind(), io::ErrorKind::AddrInUse);
        assert!(path.exists(), "and its file stays");
        // Somebody put another socket there: the end of the first one leaves it alone.
        fs::remove_file(&path).unwrap();
        let second = Door::bind(&listen, 0o660).await.unwrap();
        drop(first);
        assert!(path.exists());
        drop(second);
        fs::write(&path, "precious").unwrap();
        let refused = Door::bind(&listen, 0o660).await.err().expect("it is no socket");
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_is_refused_before_anything_is_made() {
        let folder = folder("long");
        let listen = Listen::Unix(folder.join("x".repeat(120)));
        assert_eq!(Door::bind(&listen, 0o660).await.err().unwrap().kind(), io::ErrorKind::InvalidInput);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::remove_dir(folder).unwrap();
    }

    /// Nobody accepts, so each waits in the kernel. With room for 128 the next one is not answered before the time is over.
    #[tokio::test]
    async fn a_burst_of_connections_finds_room() {
        let most = fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap().trim().parse().unwrap();
        let listener = bind_tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let connect = |_| std::net::TcpStream::connect_timeout(&address, Duration::from_secs(10));
        let waiting: Vec<_> = (0..400.min(most)).map(connect).collect::<Result<_, _>>().unwrap();
        assert_eq!(waiting.len(), 400.min(most));
    }
}
