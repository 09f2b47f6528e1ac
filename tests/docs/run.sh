#!/usr/bin/env bash
# The checks of the pages: the reference against the code, the examples of the guides against a Postgres of their own. And of the SQL that ships: tests/attack/spot.py.
# Called by `make test` with the variables of server_environment (scripts/extension.sh). Each check prints "N passed, M failed";
# the exit code is 1 when one of them failed.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$HERE/../../scripts/lib.sh"
. "$ROOT/scripts/deps.sh"
. "$ROOT/scripts/cluster.sh"
. "$ROOT/tests/attack/environment.sh"

: "${FLUXBASE_TEST_PG_BIN:?is not set: run this with scripts/test.sh docs}" "${FLUXBASE_TEST_STATE:?is not set: run this with scripts/test.sh docs}"
PG_BIN=$FLUXBASE_TEST_PG_BIN

status=0
say "the reference"
python3 "$HERE/check_reference.py" || status=1
say "the tests that pages name"
python3 "$HERE/../attack/check.py" || status=1

say "the SQL that ships"
spot_environment
# As it was installed, with what cargo pgrx wrote of it, and every upgrade.
"${SPOT[@]}" "$("$FLUXBASE_PG_CONFIG" --sharedir)"/extension/fluxbase_mcp_ext--*.sql || status=1

say "the examples: making a cluster"
work=$FLUXBASE_TEST_STATE/docs-$$
as_user mkdir -m 0755 "$work"
at_exit 'cluster_stop "$work/data"; rm -rf "$work"'
cluster_init "$work/data" docs --locale=C --auth=trust
socket_dir "$work/socket"
# No workers: jobs of the pages stay as they were submitted, and nobody is connected to the database that is copied for each example.
printf '%s\n' "shared_preload_libraries = 'fluxbase_mcp_ext'" "listen_addresses = ''" "unix_socket_directories = '$REPLY'" \
    "fsync = off" "timezone = 'UTC'" "mcp.job_databases = ''" | cluster_configure "$work/data"
cluster_start "$work/data" "$REPLY" "$work/server.log" || die "Postgres did not start with the extension preloaded."
PATH=$PG_BIN:$PATH PGHOST=$REPLY PGUSER=postgres PGCLIENTENCODING=UTF8 python3 "$HERE/check_guide.py" || status=1
exit "$status"
