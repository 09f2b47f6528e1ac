#!/usr/bin/env bash
# make run: a whole demo on this machine. Builds what is missing, makes (or takes up again) a Postgres 18 cluster with
# the extension and real data, starts the listener, prints what a person needs next, and stops both on Ctrl-C.
#
# Environment: PORT (8080) the listener's, PGPORT (54330) the server's, RUN_DIR (.run) where it keeps everything.
# The cluster and its data stay for the next run; `make reset` removes them.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$ROOT/scripts/deps.sh"
. "$ROOT/scripts/postgres.sh"
. "$ROOT/scripts/extension.sh"
. "$ROOT/scripts/cluster.sh"
. "$ROOT/tests/embedding/environment.sh"
. "$ROOT/scripts/demo/demo.sh"

PORT=${PORT:-8080}
PGPORT=${PGPORT:-54330}
for number in "$PORT" "$PGPORT"; do
    [[ $number =~ ^[0-9]{1,5}$ ]] && ((number > 0 && number < 65536)) || die "\"$number\" is no port." "Write for example: make run PORT=8081 PGPORT=54331"
done
RUN_DIR=$(realpath -m "${RUN_DIR:-$ROOT/.run}")
mkdir -p "$RUN_DIR/log"
chmod 0711 "$RUN_DIR"
# Shown in the summary; the path is shorter when it is below the checkout.
shown=${RUN_DIR#"$PWD"/}

exec 9>"$RUN_DIR/lock" # servers are started with 9>&-, else they would hold the lock
flock --nonblock 9 || die "make run is already running with $shown." "Stop it with Ctrl-C in its terminal, or start a second one: make run RUN_DIR=.run2 PORT=8081 PGPORT=54331"

demo_home
need_build_tools
postgres_tree 18
PG_BIN=$("$PG_CONFIG" --bindir)
stop_leftovers
need_free_port "$PORT" "the listener" "make run PORT=$((PORT + 1))"
need_free_port "$PGPORT" "Postgres" "make run PGPORT=$((PGPORT + 1))"

build_extension "$PG_CONFIG" release
build_listener

demo_cluster
at_exit 'say "stopping Postgres"; cluster_stop "$PGDATA_DIR"'
demo_embedding
demo_start
demo_content
demo_listener
demo_keys
demo_summary

# From here on it just waits: for a signal, which is the normal end (the exit trap stops both), or for the listener to end.
trap 'echo; exit 0' INT TERM HUP
status=0
wait "$LISTENER" || status=$?
LISTENER=
echo
tail -n 20 "$RUN_DIR/log/listener.log" >&2
die "the listener ended by itself (exit code $status)." "Its log is $shown/log/listener.log."
