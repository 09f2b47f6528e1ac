#!/usr/bin/env bash
# The listener towards a Postgres that speaks TLS: sslmode require and verify-full, the wrong authority, and a client that hangs up. Password by SCRAM, so with channel
# binding. On Postgres 15, whose build from Debian has TLS; the embedded ones have none. `scripts/test.sh tls` calls it.
#
# The last line is "tls: N passed, M failed"; the exit code is 1 if M > 0.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
. "$ROOT/scripts/deps.sh"
. "$ROOT/scripts/postgres.sh"
. "$ROOT/scripts/extension.sh"
. "$ROOT/scripts/cluster.sh"

if ! postgres_tree 15 || ! "$PG_CONFIG" --configure | grep -q -e '--with-\(openssl\|ssl=openssl\)' || ! have openssl curl; then
    say "SKIPPED: there is no Postgres 15 with TLS, or no openssl or curl, so nothing was tried"
    echo "tls: 0 passed, 0 failed"
    exit 0
fi
need_build_tools
build_extension "$PG_CONFIG" dev
build_listener
PG_BIN=$("$PG_CONFIG" --bindir)
mkdir -p "$STATE/tests"
[[ -z $RUN_AS ]] || chown "$RUN_AS" "$STATE/tests"
work=$STATE/tests/tls-$$
as_user mkdir -m 0755 "$work"
listener=
at_exit '[[ -z $listener ]] || kill "$listener" 2>/dev/null; cluster_stop "$work/data"; rm -rf "$work" "$keys"'

# Two authorities; the server's certificate is of the first.
keys=$(mktemp -d)
(
    cd "$keys"
    for name in ours other; do openssl req -new -x509 -days 2 -nodes -keyout "$name.key" -out "$name.crt" -subj "/CN=$name"; done
    openssl req -new -nodes -keyout server.key -out server.csr -subj /CN=localhost
    printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n' >extensions
    openssl x509 -req -in server.csr -CA ours.crt -CAkey ours.key -CAcreateserial -days 2 -extfile extensions -out server.crt
) >/dev/null 2>&1 || die "openssl made no certificates."
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port)
cluster_init "$work/data" tls --locale=C
for file in server.key server.crt; do as_user bash -c 'umask 077; cat >"$1"' - "$work/data/$file" <"$keys/$file"; done
socket_dir "$work/socket"
socket=$REPLY
printf '%s\n' "shared_preload_libraries = 'fluxbase_mcp_ext'" "listen_addresses = '127.0.0.1'" "port = $port" "ssl = on" "unix_socket_directories = '$socket'" \
    "fsync = off" | cluster_configure "$work/data"
PGPORT=$port cluster_start "$work/data" "$socket" "$work/server.log" || die "Postgres did not start with TLS."
psql() { as_user env PGPASSWORD=tls "$PG_BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$socket" -p "$port" -U postgres "$@"; }
psql -d postgres -c 'CREATE DATABASE app'
psql -d app >/dev/null <<'SQL'
SET client_min_messages = warning;
CREATE EXTENSION fluxbase_mcp_ext;
SELECT * FROM mcp.setup_roles();
SELECT * FROM mcp.install();
SELECT * FROM mcp.setup_listener('fluxbase_listener');
ALTER ROLE fluxbase_listener PASSWORD 'of the listener';
CREATE TABLE public.notes (id int, note text);
INSERT INTO public.notes SELECT n, repeat('x', 1000) FROM generate_series(1, 100) AS n;
GRANT SELECT ON public.notes TO authenticated;
SQL
key=$(psql -d app -c "SELECT key FROM mcp.create_key('client', 'tls', '{read:tables}')")

passed=0 failed=0
# check NAME EXPECTED GOT
check() {
    if [[ $2 == "$3" ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "not ok: $1: $3 instead of $2"
    fi
}
# serve OPTIONS: a listener towards that URL; sets http.
serve() {
    [[ -z $listener ]] || { kill "$listener" && wait "$listener"; } || true
    http=127.0.0.1:$(free_port)
    FLUXBASE_DATABASE_URL="postgres://fluxbase_listener:of%20the%20listener@localhost:$port/app?$1" FLUXBASE_MCP_ENABLED=true FLUXBASE_LISTENER_LISTEN=$http \
        "$FLUXBASE_BIN" serve --config "$ROOT/fluxbase.yaml" >"$keys/listener.log" 2>&1 &
    listener=$!
    local try
    for ((try = 0; try < 300; try++)); do
        curl -s -o /dev/null "http://$http/" && return 0
        sleep 0.1
    done
    die "the listener did not start."
}
# ask [OPTION…]: status and size of ten kilobytes of rows.
ask() {
    curl -s -o /dev/null -w '%{http_code} %{size_download}' "$@" -H "Content-Type: application/json" -H "X-Client-Key: $key" \
        -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"query_table","arguments":{"table":"notes","limit":20}}}' "http://$http/mcp" || true
}
encrypted() { psql -d app -c "SELECT coalesce(bool_and(s.ssl)::text, 'none') FROM pg_stat_ssl AS s JOIN pg_stat_activity AS a USING (pid) WHERE a.usename = 'fluxbase_listener'"; }

serve sslmode=disable
plain=$(ask)
check "plain" 200 "${plain% *}"
check "plain is not encrypted" false "$(encrypted)"
serve sslmode=require
check "require" "$plain" "$(ask)"
check "require again, on the same connection" "$plain" "$(ask)"
check "require is encrypted" true "$(encrypted)"
ask -m 0.001 >/dev/null
check "after a client hung up" "$plain" "$(ask)"
serve "sslmode=verify-full&sslrootcert=$keys/ours.crt"
check "verify-full" "$plain" "$(ask)"
check "verify-full is encrypted" true "$(encrypted)"
serve "sslmode=verify-full&sslrootcert=$keys/other.crt"
refused=$(ask)
check "verify-full with another authority" 503 "${refused% *}"
check "no session with the wrong authority" none "$(encrypted)"
echo "tls: $passed passed, $failed failed"
((failed == 0))
