#!/usr/bin/env bash
# The benchmark; `make bench` builds what it needs and calls it. Everything is measured side by side on this machine, in one run, interleaved.
#
#   SECTIONS     names of sections, separated by blanks (http peers growth): section_NAME.py
#   BENCH_ROUNDS (5)   BENCH_SECONDS (5) for each measurement   BENCH_WARMUP (1)   BENCH_CLIENTS (16); make takes ROUNDS and SECONDS
#   BENCH_ONLY   names of contenders of the section http, separated by commas, for profiling: no ratios, nothing is written
#   BENCH_DOCS   where benchmarks.md and benchmarks/* go (docs)
#
# Its cluster, the listener, the floor and the peers' programs are its own and are gone when it ends, however it ends. Exit code 0 also when
# an aim is missed: the figures are for people.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
. "$ROOT/scripts/deps.sh"
. "$ROOT/scripts/cluster.sh"
. "$ROOT/tests/bench/cluster.sh"
. "$ROOT/tests/bench/peers/environment.sh"

have wrk || apt_install wrk || die "wrk is missing." "Install it (Debian: apt-get install wrk), then run this again."
SECTIONS=${SECTIONS:-http peers growth}
export SECTIONS
[[ " $SECTIONS " != *" peers "* ]] || peers_environment

run_logged "building the bare floor" "$CACHE/log/bench-floor.log" \
    env CARGO_TARGET_DIR="$TARGET/bench-floor" cargo build --release --locked --manifest-path "$ROOT/tests/bench/floor/Cargo.toml" ||
    die "the floor does not build." "The whole log is $CACHE/log/bench-floor.log."

# 1,000 connections of wrk and as many in the listener.
ulimit -n "$(ulimit -Hn)" 2>/dev/null || true
bench_cluster </dev/null
bench_python "$ROOT/tests/bench/bench.py"
