#!/usr/bin/env bash
# sqlsmith as a weak role against a database with the extension: random queries over everything that PUBLIC and a key's role may use.
#
#   tests/sqlsmith/run.sh [QUERIES] [SEED]
#
# Runs on the Postgres with assertions where that can be built (scripts/postgres.sh), else on 18. What random queries answer proves
# nothing; what must not happen does: a crash, a failed assertion, a panic, an internal error of ours, another tenant's row changed.
# Ends with one line: "sqlsmith: N passed, M failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
. "$ROOT/scripts/deps.sh"
. "$ROOT/scripts/postgres.sh"
. "$ROOT/scripts/extension.sh"
. "$ROOT/scripts/cluster.sh"
queries=${1:-20000} seed=${2:-1}

if ! have sqlsmith; then
    apt_install sqlsmith || true
    if ! have sqlsmith; then
        say "SKIPPED: sqlsmith is not there, so none of it ran (Debian: apt-get install sqlsmith)"
        echo "sqlsmith: 0 passed, 0 failed"
        exit 0
    fi
fi
need_build_tools
lane=15-cassert
postgres_tree "$lane" || { lane=18 && postgres_tree 18; }
build_extension "$PG_CONFIG" "$([[ $lane == 18 ]] && echo release || echo dev)"
PG_BIN=$("$PG_CONFIG" --bindir)

mkdir -p "$STATE/tests"
[[ -z $RUN_AS ]] || chown "$RUN_AS" "$STATE/tests"
work=$STATE/tests/sqlsmith-$$
as_user mkdir -m 0755 "$work"
at_exit 'cluster_stop "$work/data"; rm -rf "$work"'
cluster_init "$work/data" "smith" --locale=C --auth=trust
socket_dir "$work/socket"
socket=$REPLY
cluster_configure "$work/data" <<CONF
shared_preload_libraries = 'fluxbase_mcp_ext'
listen_addresses = ''
unix_socket_directories = '$socket'
fsync = off
statement_timeout = '2s'
lock_timeout = '1s'
temp_file_limit = '200MB'
log_min_messages = warning
log_line_prefix = '%e %p '
CONF
cluster_start "$work/data" "$socket" "$work/server.log" || die "Postgres did not start."
psql=("$PG_BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$socket" -U postgres)
as_user "${psql[@]}" -d postgres -f - <"$ROOT/tests/sqlsmith/schema.sql" >/dev/null
# What smith may not change: the other tenant's rows, keys, roles, settings, functions of ours.
state="SELECT md5(string_agg(x::text, ',' ORDER BY x::text)) FROM (
    SELECT to_jsonb(n) AS x FROM public.notes AS n WHERE tenant = 'other' UNION ALL SELECT to_jsonb(k) FROM mcp.keys AS k UNION ALL
    SELECT to_jsonb(r) FROM mcp.allowed_roles AS r UNION ALL SELECT to_jsonb(a) - 'oid' FROM pg_roles AS a UNION ALL
    SELECT to_jsonb(f.prosrc) FROM pg_proc AS f WHERE f.pronamespace = 'mcp'::regnamespace) AS s"
before=$(as_user "${psql[@]}" -d postgres -c "$state")

status=0
run_logged "sqlsmith: $queries queries on Postgres $lane, seed $seed" "$CACHE/log/sqlsmith.log" \
    sqlsmith --target="host=$socket dbname=postgres user=smith" --max-queries="$queries" --seed="$seed" || status=$?

passed=0 failed=0
# check NAME COMMAND…: shows what it printed when it fails.
check() {
    local name=$1 shown
    shift
    if shown=$("$@" 2>&1); then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'failed: %s\n%s\n' "$name" "${shown:0:4000}"
    fi
}
none_in_log() { ! grep -nE "$1" "$work/server.log"; }
same() { [[ $1 == "$2" ]]; }
check "sqlsmith came to its end" same "$status" 0
check "no process was ended by a signal" none_in_log 'terminated by signal|PANIC|crash of another server process'
check "no assertion failed" none_in_log 'TRAP:'
check "no panic" none_in_log 'panicked at|RUST_BACKTRACE'
check "no internal error of ours" none_in_log '^XX000 .*(mcp|fluxbase|pgrx)'
check "the server answers" as_user "${psql[@]}" -d postgres -c "SELECT mcp.version()"
check "nothing changed that smith may not change" same "$before" "$(as_user "${psql[@]}" -d postgres -c "$state")"
mkdir -p "$TARGET/sqlsmith"
cp --no-preserve=ownership "$work/server.log" "$TARGET/sqlsmith/server.log"
say "errors by SQLSTATE are in the server's log: $TARGET/sqlsmith/server.log"
printf 'sqlsmith: %d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
