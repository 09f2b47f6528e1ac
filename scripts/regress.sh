#!/usr/bin/env bash
# Runs the pg_regress tests of tests/pg_regress on one Postgres, in a cluster of its own that is gone afterwards.
#
#   scripts/regress.sh [--accept] [--profile release|dev] [--no-build] MAJOR|PG_CONFIG [TEST…]
#
# MAJOR (15, 16, 18, and 15-cassert: with assertions) takes the private tree and installs the extension there first. A path to a pg_config takes that
# Postgres as it is (make install came before). TEST names limit the run; `setup` always comes first. --accept copies what came out
# over the expected files: read the diff before you commit it. tests/pg_regress/schedule gives the order; without it the files
# run one by one, by name. tests/pg_regress/postgresql.conf, if it is there, adds settings to the cluster's.
# Ends with one line: "regress 18: N passed, M failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$ROOT/scripts/deps.sh"
. "$ROOT/scripts/postgres.sh"
. "$ROOT/scripts/extension.sh"
. "$ROOT/scripts/cluster.sh"

accept="" build=yes profile=release
while [[ ${1:-} == --* ]]; do
    case $1 in
        --accept) accept=yes ;;
        --no-build) build= ;;
        --profile) profile=$2 && shift ;;
        *) die "unknown option $1." "Known: --accept --profile --no-build" ;;
    esac
    shift
done
target=${1:?which Postgres? 15, 16, 18 or the path of a pg_config}
shift

source_dir=$ROOT/tests/pg_regress
[[ -n $(compgen -G "$source_dir/sql/*.sql" || true) ]] || die "there are no tests in $source_dir/sql."

if [[ $target =~ ^[0-9]+(-cassert)?$ ]]; then
    [[ -z $build ]] || need_build_tools
    if ! postgres_tree "$target"; then
        say "SKIPPED: there is no Postgres $target, so nothing ran on it"
        printf 'regress %s: 0 passed, 0 failed\n' "$target"
        exit 0
    fi
    label=$target
    [[ -z $build ]] || build_extension "$PG_CONFIG" "$profile"
else
    PG_CONFIG=$target
    [[ -x $PG_CONFIG ]] || die "$PG_CONFIG is not a program." "Give the path of the pg_config of the Postgres to test."
fi
major=$(pg_major "$PG_CONFIG")
label=${label:-$major}
PG_BIN=$("$PG_CONFIG" --bindir)
pg_regress=$(dirname "$("$PG_CONFIG" --pgxs)")/../../src/test/regress/pg_regress
[[ -x $pg_regress ]] || die "$PG_BIN has no pg_regress ($pg_regress)." "Install the server's development package (Debian: postgresql-server-dev-$major)."
[[ -f $("$PG_CONFIG" --sharedir)/extension/fluxbase_mcp_ext.control ]] ||
    die "the extension is not installed in this Postgres." "Run first: make install PG_CONFIG=$PG_CONFIG"

# Everything below work belongs to the user that runs Postgres; that user may not be able to read the checkout.
mkdir -p "$STATE/tests"
[[ -z $RUN_AS ]] || chown "$RUN_AS" "$STATE/tests"
work=$STATE/tests/regress-$label-$$
as_user mkdir -m 0755 "$work"
at_exit 'cluster_stop "$work/data"; rm -rf "$work"'
as_user mkdir "$work/in" "$work/out"
tar -C "$source_dir" -cf - --exclude=./results . | as_user tar -C "$work/in" --no-same-owner --no-same-permissions -xf -

say "pg_regress on $("$PG_CONFIG" --version): making a cluster"
cluster_init "$work/data" "regress" --locale=C --auth=trust
socket_dir "$work/socket"
socket=$REPLY
{
    printf '%s\n' "shared_preload_libraries = 'fluxbase_mcp_ext'" "listen_addresses = ''" "unix_socket_directories = '$socket'" \
        "fsync = off" "log_statement = 'all'" "max_prepared_transactions = 2" "timezone = 'UTC'"
    ! [[ -f $source_dir/postgresql.conf ]] || cat "$source_dir/postgresql.conf"
} | cluster_configure "$work/data"
# On purpose: the test backtrace proves that none of it reaches a caller.
export RUST_BACKTRACE=1
cluster_start "$work/data" "$socket" "$work/server.log" || die "Postgres did not start with the extension preloaded."
psql=("$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 -h "$socket" -U postgres)
as_user "${psql[@]}" -d postgres <<'SQL'
CREATE DATABASE regression TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C';
ALTER DATABASE regression SET lc_messages TO 'C';
ALTER DATABASE regression SET lc_monetary TO 'C';
ALTER DATABASE regression SET lc_numeric TO 'C';
ALTER DATABASE regression SET lc_time TO 'C';
SQL

# The schedule, or the files by name; setup first in any case.
names=()
if (($#)); then
    for name in "$@"; do [[ $name == setup ]] || names+=("$name"); done
    [[ ! -f $source_dir/sql/setup.sql ]] || names=(setup "${names[@]}")
elif [[ ! -f $source_dir/schedule ]]; then
    for file in "$source_dir"/sql/*.sql; do
        name=$(basename "$file" .sql)
        [[ $name == setup ]] || names+=("$name")
    done
    [[ ! -f $source_dir/sql/setup.sql ]] || names=(setup "${names[@]}")
fi
arguments=(--inputdir="$work/in" --outputdir="$work/out" --bindir="$PG_BIN" --host="$socket" --user=postgres --dbname=regression --use-existing)
((major < 16)) || arguments+=(--expecteddir="$work/in")
((${#names[@]})) || arguments+=(--schedule="$work/in/schedule")
# A test without an expected file would end pg_regress: an empty one makes it a failure that shows the whole output.
for file in "$source_dir"/sql/*.sql; do
    name=$(basename "$file" .sql)
    [[ -f $source_dir/expected/$name.out ]] || as_user bash -c 'mkdir -p "$1/in/expected" && : >"$1/in/expected/$2.out"' - "$work" "$name"
done

log=$CACHE/log/regress-$label.log
status=0
as_user "$pg_regress" "${arguments[@]}" "${names[@]}" </dev/null >"$log" 2>&1 || status=$?
cat "$log"

# 16 and later print TAP ("ok 1 - name", "+" in a parallel group), 15 prints "name ... ok".
passed=$(grep -cE '^ok [0-9]|\.\.\. ok( |$)' "$log" || true)
failed=$(grep -cE '^not ok [0-9]|\.\.\. (FAILED|failed)' "$log" || true)
((status == 0 || failed > 0)) || failed=1
results=$TARGET/regress/$label
rm -rf "$results"
mkdir -p "$results"
cp -R --no-preserve=ownership "$work/out/." "$results/" 2>/dev/null || true
cp --no-preserve=ownership "$work/server.log" "$results/server.log"
if ((failed)); then
    [[ ! -s $work/out/regression.diffs ]] || head -n 400 "$work/out/regression.diffs"
    say "results, diffs and the server's log are in $results"
    if [[ -n $accept ]]; then
        mkdir -p "$source_dir/expected"
        # Only what failed: an alternative file (name_1.out) of a test that passes stays as it is.
        while read -r name; do
            cp --no-preserve=ownership,mode "$work/out/results/$name.out" "$source_dir/expected/$name.out"
            say "accepted $name"
        done < <(sed -nE 's/^not ok [0-9]+ +[-+] ([^ ]+).*/\1/p; s/^(test)? +([^ ]+) +\.\.\. (FAILED|failed).*/\2/p' "$log")
    fi
fi
printf 'regress %s: %d passed, %d failed\n' "$label" "$passed" "$failed"
((failed == 0))
