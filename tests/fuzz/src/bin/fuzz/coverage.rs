//! Which edges of the query crate's code ran: counters that LLVM puts into it.
//!
//! `make fuzz` compiles that one crate with SanitizerCoverage's inline counters (`scripts/rustc-coverage.sh`), which works with a
//! stable compiler. The instrumented code hands its counters to the function below before `main`. Compiled without, there are
//! none, and the fuzzer goes by messages and forms of SQL alone.
#![allow(unsafe_code)]

use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

static START: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static LENGTH: AtomicUsize = AtomicUsize::new(0);

/// Called by the constructors of instrumented objects, each time with the same section of the program.
// SAFETY: the name is LLVM's for this purpose, and nothing else here defines it.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, stop: *mut u8) {
    START.store(start, Ordering::Relaxed);
    LENGTH.store(stop as usize - start as usize, Ordering::Relaxed);
}

/// The edges that were seen, each with the magnitudes of how often one input took it.
#[derive(Debug)]
pub struct Seen(Vec<u8>);

impl Seen {
    /// Nothing yet.
    pub fn new() -> Seen {
        Seen(vec![0; LENGTH.load(Ordering::Relaxed)])
    }

    /// How many edges there are; 0 without instrumentation.
    pub fn all(&self) -> usize {
        self.0.len()
    }

    /// How many were taken.
    pub fn taken(&self) -> usize {
        self.0.iter().filter(|seen| **seen != 0).count()
    }

    /// Reads the counters and sets them back to zero. Whether they show something new.
    pub fn look(&mut self) -> bool {
        let start = START.load(Ordering::Relaxed);
        let mut new = false;
        for (n, seen) in self.0.iter_mut().enumerate() {
            // SAFETY: the counters are LENGTH bytes at START, in the program's data; only this thread runs instrumented code.
            let count = unsafe {
                let counter = start.add(n);
                let count = counter.read();
                if count == 0 {
                    continue;
                }
                counter.write(0);
                count
            };
            // 1, 2, 3, 4, 8, 16, 32, 128 or more, as libFuzzer sees it.
            let magnitude = match count {
                0..=3 => 1 << (count - 1),
                4..=7 => 8,
                8..=15 => 16,
                16..=31 => 32,
                32..=127 => 64,
                128.. => 128,
            };
            if *seen & magnitude == 0 {
                *seen |= magnitude;
                new = true;
            }
        }
        new
    }
}
