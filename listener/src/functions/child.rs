//! What happens in a new process before Deno is in it: it is bound to its parent's life, and its memory is bounded.
//!
//! This program starts itself with the hidden command `functions child`, which does that and then becomes Deno. Doing it between
//! fork and exec would need unsafe code.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{
    Resource, Rlimit, Signal, getppid, getrlimit, set_parent_process_death_signal, setrlimit,
};

/// Bytes of memory that a process may ask for until it is ready: V8 asks for about 550 MB at its start, most of it never used.
const BEGIN: u64 = 2 << 30;

/// Becomes `command`. `parent` is the process that started this one.
///
/// # Errors
/// It is still this program.
pub(crate) fn become_child(parent: u32, command: &[OsString]) -> io::Error {
    let Some((program, arguments)) = command.split_first() else {
        return io::Error::new(io::ErrorKind::InvalidInput, "there is no program to become");
    };
    if let Err(error) = prepare(parent) {
        return error;
    }
    Command::new(program).args(arguments).exec()
}

fn prepare(parent: u32) -> io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have ended before that.
    if getppid().is_none_or(|now| now.as_raw_nonzero().get().cast_unsigned() != parent) {
        return Err(io::Error::other("its parent has gone"));
    }
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // The lower bound only: the parent sets another one, which may be above this.
    let maximum = getrlimit(Resource::Data).maximum;
    setrlimit(
        Resource::Data,
        Rlimit { current: Some(maximum.map_or(BEGIN, |most| most.min(BEGIN))), maximum },
    )?;
    Ok(())
}
