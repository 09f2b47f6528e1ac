#!/usr/bin/env bash
# What edge functions cost the others: `make bench-functions` builds what is needed and calls this. A cluster, a listener with a pool of 8 and
# a runtime whose function sleeps one second, all of its own and gone when it ends.
#
#   BENCH_ROUNDS (5)  BENCH_SECONDS (4) for each measurement of query_table  BENCH_DOCS (docs) where benchmarks/functions.md goes
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
. "$ROOT/scripts/deps.sh"
. "$ROOT/scripts/postgres.sh"
. "$ROOT/scripts/extension.sh"
. "$ROOT/scripts/cluster.sh"
need_build_tools
server_environment
run_logged "building callers and runtime" "$CACHE/log/function-load.log" \
    env -C "$ROOT" CARGO_TARGET_DIR="$TARGET" cargo build --release --package fluxbase_tests --bin function_load ||
    die "tests/src/bin/function_load.rs does not build." "The whole log is $CACHE/log/function-load.log."
export FUNCTION_LOAD_BIN=$TARGET/release/function_load
have wrk || apt_install wrk || die "wrk is missing." "Install it (Debian: apt-get install wrk), then run this again."
PG_BIN=$FLUXBASE_TEST_PG_BIN

work=$FLUXBASE_TEST_STATE/bench-functions-$$
as_user mkdir -m 0700 "$work"
at_exit 'cluster_stop "$work/data"; rm -rf "$work"'
cluster_init "$work/data" bench --auth=trust --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8
socket_dir "$work/socket"
socket=$REPLY
cluster_configure "$work/data" <<CONF
shared_preload_libraries = 'fluxbase_mcp_ext'
listen_addresses = ''
unix_socket_directories = '$socket'
shared_buffers = 256MB
max_connections = 100
mcp.functions_url = 'http://127.0.0.1:8791'
CONF
cluster_start "$work/data" "$socket" "$work/server.log" || die "Postgres did not start with the extension preloaded."
psql=("$PG_BIN/psql" -X -q -o /dev/null -v ON_ERROR_STOP=1 -h "$socket" -U postgres)
"${psql[@]}" -d postgres -c 'CREATE DATABASE bench'
"${psql[@]}" -d bench -f "$ROOT/tests/bench/schema.sql" \
    -c "SELECT mcp.install('{functions}')" -c "INSERT INTO functions.edge_functions (name) VALUES ('sleeps')"
BENCH_ROOT=$ROOT BENCH_WORK=$work BENCH_SOCKET=$socket python3 -B "$ROOT/tests/bench/functions.py"
