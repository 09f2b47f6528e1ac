#!/usr/bin/env bash
# A database moves to another major: pg_dump and pg_restore of Postgres 18 take one from 16 to 18, as its administrator would do it. before.sql fills the old
# one, after.sql asks the new one, a line for each check. `scripts/test.sh dump` calls it. (Within one major: tests/tests/e2e/dump.rs, with the listener.)
#
#   DUMP_FROM (16)  DUMP_TO (18)   DUMP_BUILD=no takes the extension as it is installed in both trees
# The last line is "dump: N passed, M failed"; the exit code is 1 if M > 0.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
. "$ROOT/scripts/deps.sh"
. "$ROOT/scripts/postgres.sh"
. "$ROOT/scripts/extension.sh"
. "$ROOT/scripts/cluster.sh"

mkdir -p "$STATE/tests"
[[ -z $RUN_AS ]] || chown "$RUN_AS" "$STATE/tests"
work=$STATE/tests/dump-$$
as_user mkdir -m 0755 "$work"
at_exit 'cluster_stop "$work/old"; cluster_stop "$work/new"; rm -rf "$work"'

# cluster NAME MAJOR PROFILE: makes and starts one; sets PG_BIN, socket.
cluster() {
    if ! postgres_tree "$2"; then
        say "SKIPPED: there is no Postgres $2, so nothing was dumped"
        echo "dump: 0 passed, 0 failed"
        exit 0
    fi
    [[ ${DUMP_BUILD:-yes} == no ]] || build_extension "$PG_CONFIG" "$3"
    PG_BIN=$("$PG_CONFIG" --bindir)
    say "$1: $("$PG_CONFIG" --version)"
    cluster_init "$work/$1" "dump" --locale=C --auth=trust
    socket_dir "$work/$1-socket"
    socket=$REPLY
    printf '%s\n' "shared_preload_libraries = 'fluxbase_mcp_ext'" "listen_addresses = ''" "unix_socket_directories = '$socket'" "fsync = off" |
        cluster_configure "$work/$1"
    cluster_start "$work/$1" "$socket" "$work/$1.log" || die "Postgres did not start with the extension preloaded."
}
psql() { as_user "$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 -h "$socket" -U postgres "$@"; }

need_build_tools
cluster old "${DUMP_FROM:-16}" dev
old=$socket
psql -d postgres -c 'CREATE DATABASE app'
# The key is shown once, here.
key=$(sed "/^-- (here/r $ROOT/tests/dump/parts.sql" "$ROOT/tests/dump/before.sql" | psql -A -t -d app | grep '^fbk_')

cluster new "${DUMP_TO:-18}" release
say "dumping and restoring with the programs of Postgres ${DUMP_TO:-18}"
as_user "$PG_BIN/pg_dumpall" --roles-only -h "$old" -U postgres | grep -v -e 'ROLE postgres' -e '^\\' | as_user tee "$work/roles.sql" >/dev/null
as_user "$PG_BIN/pg_dump" --format=custom -h "$old" -U postgres --file="$work/app.dump" app
psql -d postgres -f "$work/roles.sql"
psql -d postgres -c 'CREATE DATABASE app'
as_user "$PG_BIN/pg_restore" --exit-on-error -h "$socket" -U postgres -d app "$work/app.dump"

passed=0 failed=0
while IFS='|' read -r good what; do
    if [[ $good == t ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not ok: $what"
    fi
done < <(psql -A -t -d app -v key="$key" -f - <"$ROOT/tests/dump/after.sql" || echo "f|after.sql did not come to its end")
# A check that gives no row is one that failed.
asked=$(grep -c ", '.*'\(;\|$\| FROM\| LIMIT\)" "$ROOT/tests/dump/after.sql")
failed=$((failed + asked - passed - failed))
echo "dump: $passed passed, $failed failed"
((failed == 0))
