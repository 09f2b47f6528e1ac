#!/usr/bin/env bash
# Counts the instructions of one call, in the backend and in the listener, by valgrind's callgrind: figures that do not depend on what
# else the machine does. `make bench-instructions` builds what it needs and calls it. It prints tables for docs/performance.md.
#
#   BENCH_CALLS (500)   calls between the two counts       BENCH_KEEP=DIR   keeps callgrind's files there, for callgrind_annotate
#   BENCH_ONLY          names of cases, separated by commas (all)      BENCH_AUDIT=1  with an audit of the calls
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
. "$ROOT/scripts/deps.sh"
. "$ROOT/scripts/cluster.sh"
. "$ROOT/tests/bench/cluster.sh"

have valgrind || apt_install valgrind || die "valgrind is missing." "Install it (Debian: apt-get install valgrind), then run this again."
have strace || apt_install strace || die "strace is missing." "Install it (Debian: apt-get install strace), then run this again."
bench_cluster <<CONF
autovacuum = off
jit = off
checkpoint_timeout = '1d'
max_parallel_workers_per_gather = 0
CONF
cluster_stop "$work/data"
bench_python "$ROOT/tests/bench/instructions.py"
