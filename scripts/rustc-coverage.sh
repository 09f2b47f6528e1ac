#!/usr/bin/env bash
# RUSTC_WRAPPER of `make fuzz`: compiles the crates that read what callers send with counters for its edges. The flags are stable.
set -euo pipefail
[[ ! " $* " =~ " --crate-name fluxbase_"(query|rpc|protocol|credential|delegate)" " ]] ||
    set -- "$@" -C passes=sancov-module -C llvm-args=-sanitizer-coverage-level=3 -C llvm-args=-sanitizer-coverage-inline-8bit-counters
exec "$@"
