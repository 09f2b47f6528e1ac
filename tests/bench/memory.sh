#!/usr/bin/env bash
# What the memory of one backend does over a million calls; `make bench-memory` builds what it needs and calls it. Exit code 1 when it grew.
#
#   BENCH_CALLS (1000000)   calls, all of them in one backend
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
. "$ROOT/scripts/deps.sh"
. "$ROOT/scripts/cluster.sh"
. "$ROOT/tests/bench/cluster.sh"

# Durability is not what is looked at.
bench_cluster <<CONF
autovacuum = off
fsync = off
checkpoint_timeout = '1d'
max_wal_size = '4GB'
CONF
bench_python "$ROOT/tests/bench/memory.py"
