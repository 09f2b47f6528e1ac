//! Memory goes back to the system.
//!
//! glibc keeps what was freed: after fifty replies of 10 MB the process would stay large. Elsewhere nothing is done.
//!
//! What is on top of the heap of another thread is never given back, so all threads share the first one's: [`share`].
#![allow(unsafe_code)]

/// Has all threads that begin from now on share one heap.
pub fn share() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets a number of malloc's; it may be done at any time.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Returns what malloc keeps.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: thread-safe, and touches nothing that is in use.
    unsafe {
        libc::malloc_trim(0);
    }
}
