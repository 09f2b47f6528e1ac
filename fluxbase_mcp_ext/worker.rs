//! The delegate worker's process: it makes calls over HTTP and moves the bytes of stored files for backends, so that neither happens in a
//! transaction.
//!
//! Two threads, and some for files. The main one belongs to Postgres: it waits on its latch, obeys signals, reads settings and writes to the log. The
//! other one has all signals blocked, never calls Postgres, and runs the server of `fluxbase_delegate`.
//!
//! Invariants:
//! - The process is bound to no database, so it stands in no DROP DATABASE's way and serves hot standbys.
//! - It ends with exit code 1, which Postgres answers by starting it anew a second later; with 0 it would be gone for good, with
//!   any other code all backends would be ended. A panic of the other thread ends the process in the same way.
//! - Nothing is started before the process is forked: a preloaded library runs in the postmaster.
//!
//! What a call is and which are allowed is not decided here: see `fluxbase_delegate`. The backends' side is `delegate`.
#![allow(unsafe_code)]

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use fluxbase_delegate::outgoing::System;
use fluxbase_delegate::{Authorities, Limits, Policy, Server, Storage, socket};
use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, BgWorkerStartTime, SignalWakeFlags};
use pgrx::prelude::*;

use crate::gucs;

/// Where backends find it. Relative to the data directory, which every process of the server works in: the whole path may be too long for a
/// socket. Below pg_stat_tmp, which pg_basebackup leaves out.
pub const SOCKET: &str = "pg_stat_tmp/fluxbase_mcp_delegate";

/// What the process is called in `pg_stat_activity`.
const NAME: &str = "fluxbase_mcp delegate";

/// Most threads that read and write files, or ask for the addresses of names. They inherit the mask of signals.
const BLOCKING: usize = 32;

/// Has Postgres start the worker. Call from `_PG_init` while the server preloads the library.
pub fn register() {
    BackgroundWorkerBuilder::new(NAME)
        .set_type(NAME)
        .set_library("fluxbase_mcp_ext")
        .set_function("fluxbase_mcp_delegate_main")
        .enable_spi_access()
        .set_start_time(BgWorkerStartTime::ConsistentState)
        .set_restart_time(Some(Duration::from_secs(1)))
        .load();
}

/// What the other thread tells the main one.
enum Told {
    /// For the log.
    Log(String),
    /// It has ended, and why.
    Ended(String),
}

/// Tells the main thread that this one has ended, however it ends.
struct Bell {
    tell: Sender<Told>,
    ring: UnixStream,
    why: &'static str,
}

impl Bell {
    fn log(&mut self, text: String) {
        _ = self.tell.send(Told::Log(text));
        _ = self.ring.write_all(&[1]);
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        _ = self.tell.send(Told::Ended(self.why.to_owned()));
        _ = self.ring.write_all(&[1]);
    }
}

/// The worker's main function.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn fluxbase_mcp_delegate_main(_argument: pg_sys::Datum) {
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM);
    // No database: it is listed in pg_stat_activity, and that is all.
    BackgroundWorker::connect_worker_to_spi(None, None);
    raise_file_limit();
    let (policy, limits) = match settings() {
        Ok(settings) => settings,
        Err(error) => {
            warning!("{error} The delegate worker calls nobody until that is mended.");
            (Policy::default(), limits())
        }
    };
    let server = match Server::new(policy, limits, Arc::new(System)) {
        Ok(server) => server,
        Err(error) => stop(&format!("the delegate worker cannot begin: {error}")),
    };
    obey(&server);
    let (tell, told) = channel();
    let (ring, bell) = match UnixStream::pair() {
        Ok(pair) => pair,
        Err(error) => stop(&format!("the delegate worker cannot begin: {error}")),
    };
    let serving = server.clone();
    let bell_of_thread = Bell { tell, ring, why: "it panicked" };
    if let Err(error) = with_signals_blocked(|| {
        std::thread::Builder::new().name("delegate".to_owned()).spawn(move || serve(serving, bell_of_thread))
    }) {
        stop(&format!("the delegate worker cannot begin: {error}"));
    }
    supervise(&server, bell, &told)
}

/// The other thread. It must not call Postgres, not even to write to the log.
fn serve(server: Server, mut bell: Bell) {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING)
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            bell.log(format!("no runtime: {error}"));
            bell.why = "it cannot begin";
            return;
        }
    };
    let ended = runtime.block_on(async {
        let bound = socket::bind(Path::new(SOCKET))?;
        server.serve(bound.listener, bound.owner).await
    });
    if let Err(error) = ended {
        bell.log(format!("its socket {SOCKET} cannot be used: {error}"));
    }
    bell.why = "it cannot listen";
}

/// The main thread, for ever.
fn supervise(server: &Server, mut bell: UnixStream, told: &Receiver<Told>) -> ! {
    if let Err(error) = bell.set_nonblocking(true) {
        stop(&format!("the delegate worker cannot begin: {error}"));
    }
    let wanted = pg_sys::WL_LATCH_SET | pg_sys::WL_SOCKET_READABLE | pg_sys::WL_EXIT_ON_PM_DEATH;
    loop {
        // SAFETY: this process's own latch, and a descriptor that is open as long as this function runs.
        unsafe {
            pg_sys::WaitLatchOrSocket(
                pg_sys::MyLatch,
                wanted as i32,
                bell.as_raw_fd(),
                -1,
                pg_sys::PG_WAIT_EXTENSION,
            );
            pg_sys::ResetLatch(pg_sys::MyLatch);
        }
        if BackgroundWorker::sigterm_received() {
            exit();
        }
        // Other processes wait for this one here, DROP DATABASE for example.
        check_for_interrupts!();
        if BackgroundWorker::sighup_received() {
            reload(server);
        }
        let mut rung = [0; 64];
        while bell.read(&mut rung).is_ok_and(|read| read > 0) {}
        for told in told.try_iter() {
            match told {
                Told::Log(text) => log!("delegate worker: {text}"),
                Told::Ended(why) => stop(&format!("the delegate worker's thread has ended: {why}")),
            }
        }
    }
}

/// Ends the process so that Postgres starts it anew.
fn stop(why: &str) -> ! {
    log!("{why}; it is started again in a second");
    exit()
}

/// Ends the process with the code upon which Postgres starts it anew.
#[allow(unreachable_code)]
fn exit() -> ! {
    // SAFETY: the end of this process; the other thread ends with it.
    unsafe { pg_sys::proc_exit(1) };
    // Only some versions of the bindings say that it does not return.
    unreachable!("proc_exit does not return")
}

fn limits() -> Limits {
    Limits {
        max_calls: gucs::worker_max_calls(),
        max_pending: gucs::worker_max_pending(),
        max_bytes: gucs::worker_max_memory(),
        // What a message may hold may be stored.
        max_request: gucs::max_message_size() as u64,
        keep: gucs::worker_keep(),
    }
}

fn settings() -> Result<(Policy, Limits), String> {
    let policy = Policy::new(&gucs::functions_url(), &gucs::functions_allowed_hosts())?
        .with_endpoint("mcp.embedding_url", &gucs::embedding_url())?;
    Ok((policy, limits()))
}

/// Reads the files that settings name, and hands over what they say: whose certificates are trusted, and where files are stored.
fn obey(server: &Server) {
    let authorities = Authorities::read(&gucs::worker_ca_file()).unwrap_or_else(|error| {
        warning!(
            "{error}. The delegate worker trusts the authorities of the system alone until that is mended."
        );
        Authorities::default()
    });
    server.set_storage(storage(&authorities));
    if let Err(error) = server.trust(authorities) {
        warning!("{error}. The delegate worker trusts whom it trusted before.");
    }
}

/// Where files are stored. What is wrong is for the log, and for whoever wants to store.
fn storage(authorities: &Authorities) -> Result<Storage, String> {
    let environment = |name: &str| std::env::var(name).ok();
    let file = gucs::storage_credentials_file();
    let opened = Storage::open_trusting(&gucs::storage_url(), &file, environment, authorities);
    opened.inspect_err(|error| warning!("{error}. No files are stored and read until that is mended."))
}

/// Reads the configuration files, as every process does at SIGHUP, and hands over what the server obeys.
fn reload(server: &Server) {
    // SAFETY: the main loop, outside of any transaction.
    unsafe { pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP) };
    match settings() {
        Ok((policy, limits)) => server.set(policy, limits),
        Err(error) => warning!("{error} The delegate worker keeps to what was set before."),
    }
    // Their files may say something else, too.
    obey(server);
}

/// Runs `begin` with all signals blocked: threads that it starts never run a handler of Postgres's, and take no wake-up away.
fn with_signals_blocked<T>(begin: impl FnOnce() -> T) -> T {
    // SAFETY: both sets are made before they are read; the mask of this thread is put back.
    unsafe {
        let mut all = std::mem::zeroed();
        let mut before = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        let value = begin();
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        value
    }
}

/// A call takes two descriptors, and the usual limit is 1024.
fn raise_file_limit() {
    // SAFETY: reads and sets a limit of this process.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 && limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max.min(65_536).max(limit.rlim_cur);
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}
