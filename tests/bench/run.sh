#!/usr/bin/env bash
# The benchmark; `make bench` builds what it needs and calls it. Side by side on this machine, in one run, interleaved:
# pgbench with the bare statement, pgbench with the statement as JSON, pgbench calling mcp._serve, the bare HTTP floor, the listener.
#
#   BENCH_ROUNDS (5)  BENCH_SECONDS (10) for each measurement  BENCH_WARMUP (2)  BENCH_CLIENTS (16)
#   BENCH_ONLY   names of contenders, separated by commas, for profiling: no ratios, nothing is written
#   BENCH_DOCS   where benchmarks.md and benchmarks/*.csv go (docs)
#
# Its cluster, the listener and the floor are its own and are gone when it ends, however it ends. Exit code 0 also when an
# aim is missed: the figures are for people.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
. "$ROOT/scripts/deps.sh"
. "$ROOT/scripts/cluster.sh"

[[ -n ${FLUXBASE_BIN:-} && -n ${FLUXBASE_TEST_PG_BIN:-} ]] || die "nothing is built for the benchmark." "Write: make bench"
have wrk || apt_install wrk || die "wrk is missing." "Install it (Debian: apt-get install wrk), then run this again."
PG_BIN=$FLUXBASE_TEST_PG_BIN

run_logged "building the bare floor" "$CACHE/log/bench-floor.log" \
    env CARGO_TARGET_DIR="$TARGET/bench-floor" cargo build --release --locked --manifest-path "$ROOT/tests/bench/floor/Cargo.toml" ||
    die "the floor does not build." "The whole log is $CACHE/log/bench-floor.log."

work=$FLUXBASE_TEST_STATE/bench-$$
as_user mkdir -m 0700 "$work"
at_exit 'cluster_stop "$work/data"; rm -rf "$work"'
say "making a cluster"
cluster_init "$work/data" bench --auth=trust --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8
socket_dir "$work/socket"
socket=$REPLY
cluster_configure "$work/data" <<CONF
shared_preload_libraries = 'fluxbase_mcp_ext'
listen_addresses = ''
unix_socket_directories = '$socket'
shared_buffers = 256MB
max_connections = 100
CONF
cluster_start "$work/data" "$socket" "$work/server.log" || die "Postgres did not start with the extension preloaded."
psql=("$PG_BIN/psql" -X -q -o /dev/null -v ON_ERROR_STOP=1 -h "$socket" -U postgres)
"${psql[@]}" -d postgres -c 'CREATE DATABASE bench'
say "loading 200,000 rows"
"${psql[@]}" -d bench -f "$ROOT/tests/bench/schema.sql"

# Python stops what it started before it ends; waiting for it in the background lets an interrupt through.
BENCH_ROOT=$ROOT BENCH_TARGET=$TARGET BENCH_WORK=$work BENCH_SOCKET=$socket \
    python3 -B "$ROOT/tests/bench/bench.py" &
bench=$!
at_exit '[[ -z $bench ]] || { kill -TERM "$bench" 2>/dev/null && wait "$bench"; }'
status=0
wait "$bench" || status=$?
bench=
exit "$status"
