#!/usr/bin/env bash
# RUSTC_WRAPPER of `make fuzz`: compiles the query crate, and nothing else, with counters for its edges. The flags are stable.
set -euo pipefail
[[ " $* " != *" --crate-name fluxbase_query "* ]] ||
    set -- "$@" -C passes=sancov-module -C llvm-args=-sanitizer-coverage-level=3 -C llvm-args=-sanitizer-coverage-inline-8bit-counters
exec "$@"
