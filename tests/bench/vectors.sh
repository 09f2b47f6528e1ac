#!/usr/bin/env bash
# What searching by vectors costs, on synthetic clustered vectors: throughput of search_vectors against the same SQL in pgbench,
# recall against exact search, growth with the number of rows, and what a tenant of few rows pays. Prints tables.
#
#   BENCH_SIZES ("10000 100000")  BENCH_DIMENSIONS (384)  BENCH_SECONDS (10)  BENCH_CLIENTS (8)
#
# vectors.sh growth: vectors_growth.py instead, on real vectors and synthetic ones above, up to a million. Takes up to 5 GB of disk and 5 GB of memory,
# and needs the embedded packages of make retrieval. Writes docs/benchmarks/vectors.md.
#
# scripts/build.sh vectors-bench or vectors-growth builds what it needs and calls it. Its cluster and its listener are gone when it ends.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
. "$ROOT/scripts/deps.sh"
. "$ROOT/scripts/cluster.sh"

[[ -n ${FLUXBASE_BIN:-} && -n ${FLUXBASE_TEST_PG_BIN:-} ]] || die "nothing is built for the benchmark." "Write: scripts/build.sh vectors-bench"
have wrk || apt_install wrk || die "wrk is missing." "Install it (Debian: apt-get install wrk), then run this again."
PG_BIN=$FLUXBASE_TEST_PG_BIN
python=(python3)
if [[ ${1:-} == growth ]]; then
    . "$ROOT/tests/embedding/environment.sh"
    embedding_environment
    export PYTHONPATH=$FLUXBASE_EMBEDDING_PATH BENCH_PACKAGES=${BENCH_PACKAGES:-$CACHE/embedding/packages.tsv}
    [[ -s $BENCH_PACKAGES ]] || die "$BENCH_PACKAGES is missing." "Write first: make retrieval"
    python=("$FLUXBASE_EMBEDDING_PYTHON")
    memory=3GB
fi
work=$FLUXBASE_TEST_STATE/bench-vectors-$$
as_user mkdir -m 0700 "$work"
at_exit 'cluster_stop "$work/data"; rm -rf "$work"'
cluster_init "$work/data" bench --auth=trust --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8
socket_dir "$work/socket"
socket=$REPLY
cluster_configure "$work/data" <<CONF
shared_preload_libraries = 'fluxbase_mcp_ext'
listen_addresses = ''
unix_socket_directories = '$socket'
shared_buffers = 1GB
maintenance_work_mem = ${memory:-1GB}
wal_level = minimal
max_wal_senders = 0
max_connections = 100
fsync = off
CONF
cluster_start "$work/data" "$socket" "$work/server.log" || die "Postgres did not start with the extension preloaded."
BENCH_ROOT=$ROOT BENCH_WORK=$work BENCH_SOCKET=$socket "${python[@]}" -B "$ROOT/tests/bench/vectors${1:+_$1}.py"
