//! What systemd and the listener tell each other: sockets that it holds for us, readiness, reloads, the end, signs of life.
//!
//! Its variables are read once, before there are threads. Those of the sockets are taken out of the environment then; the rest stays,
//! since this process starts no other. Without systemd nothing here does anything. A message that cannot be sent is logged at
//! debug and no more: the service must not fail because its manager does not listen.
//!
//! Sources: sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3).

use std::ffi::OsStr;
use std::io;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::time::Duration;

use listenfd::ListenFd;
use sd_notify::NotifyState;

/// The name (`FileDescriptorName=`) of a socket that is for `/metrics`. Any other is for MCP.
const METRICS: &str = "metrics";

/// A socket that systemd opened and keeps open.
#[derive(Debug)]
pub enum Given {
    /// An address.
    Tcp(TcpListener),
    /// A Unix socket. systemd removes its file.
    Unix(UnixListener),
}

/// The sockets that systemd gave to this process.
#[derive(Debug, Default)]
pub struct Inherited {
    /// For MCP.
    pub sockets: Vec<Given>,
    /// For `/metrics`.
    pub metrics: Option<Given>,
}

impl Inherited {
    /// Takes the sockets over. To be called before there are threads, once.
    ///
    /// # Errors
    /// The variables are malformed, or a socket is no listening stream socket.
    pub fn take() -> io::Result<Inherited> {
        // This one insists on LISTEN_PID; the other takes the sockets, without unsafe code of ours.
        let names: Vec<String> = sd_notify::listen_fds_with_names()?.map(|(_, name)| name).collect();
        let mut fds = ListenFd::from_env();
        let mut inherited = Inherited::default();
        for (at, name) in names.iter().enumerate() {
            let given = match fds.take_tcp_listener(at) {
                Ok(socket) => socket.map(Given::Tcp),
                Err(_) => fds.take_unix_listener(at)?.map(Given::Unix),
            };
            let Some(given) = given else { continue };
            if !given.listens()? {
                let why = format!(
                    "the socket {name} does not listen: write ListenStream= and Accept=no in its unit"
                );
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
            match name.as_str() {
                METRICS => inherited.metrics = Some(given),
                _ => inherited.sockets.push(given),
            }
        }
        Ok(inherited)
    }
}

impl Given {
    fn listens(&self) -> io::Result<bool> {
        match self {
            Given::Tcp(socket) => socket2::SockRef::from(socket).is_listener(),
            Given::Unix(socket) => socket2::SockRef::from(socket).is_listener(),
        }
    }
}

/// Ready for requests; `status` is what `systemctl status` shows.
pub(crate) fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// A reload begins; [`ready`] ends it.
pub(crate) fn reloading() {
    // With the time, as Type=notify-reload wants it.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(_) => notify(&[NotifyState::Reloading]),
    }
}

/// No new requests; the last ones are being finished.
pub(crate) fn stopping() {
    notify(&[NotifyState::Stopping, NotifyState::Status("finishing what is in flight")]);
}

/// Gives a sign of life in half the time that systemd waits for one (`WatchdogSec=`), for as long as this runtime runs tasks.
pub(crate) fn watch() {
    let Some(within) = sd_notify::watchdog_enabled().filter(|within| !within.is_zero()) else { return };
    tokio::spawn(async move {
        let mut beat = tokio::time::interval((within / 2).max(Duration::from_millis(1)));
        loop {
            beat.tick().await;
            notify(&[NotifyState::Watchdog]);
        }
    });
}

fn notify(states: &[NotifyState<'_>]) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let text: String = states.iter().map(|state| format!("{state}\n")).collect();
    if let Err(error) = send(&socket, text.as_bytes()) {
        tracing::debug!(reason = %error, "systemd was not told");
    }
}

/// `socket` is a path, or a name in the abstract namespace with `@` in front.
fn send(socket: &OsStr, message: &[u8]) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    let sender = UnixDatagram::unbound()?;
    sender.set_nonblocking(true)?;
    sender.connect_addr(&address)?;
    sender.send(message).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_reach_a_path_and_an_abstract_name() {
        let name = format!("fluxbase-test-{}", std::process::id());
        let path = std::env::temp_dir().join(&name);
        let _ = std::fs::remove_file(&path);
        let abstract_name = SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let receivers =
            [UnixDatagram::bind(&path).unwrap(), UnixDatagram::bind_addr(&abstract_name).unwrap()];
        send(path.as_os_str(), b"READY=1\n").unwrap();
        send(OsStr::new(&format!("@{name}")), b"STOPPING=1\n").unwrap();
        for (receiver, expected) in receivers.iter().zip(["READY=1\n", "STOPPING=1\n"]) {
            let mut message = [0; 64];
            let length = receiver.recv(&mut message).unwrap();
            assert_eq!(std::str::from_utf8(&message[..length]).unwrap(), expected);
        }
        std::fs::remove_file(&path).unwrap();
        assert!(send(path.as_os_str(), b"READY=1\n").is_err(), "nobody is there");
    }
}
