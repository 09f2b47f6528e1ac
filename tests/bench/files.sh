#!/usr/bin/env bash
# What storing and reading a file of 1 MB takes, beside dd and nginx: `make bench-files` builds what is needed and calls this. A cluster, a
# listener and an nginx, all of its own and gone when it ends.
#
#   BENCH_ROUNDS (7)  BENCH_FILES (40) in each measurement  BENCH_DOCS (docs) where benchmarks/files.md goes
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
. "$ROOT/scripts/deps.sh"
. "$ROOT/scripts/postgres.sh"
. "$ROOT/scripts/extension.sh"
. "$ROOT/scripts/cluster.sh"
need_build_tools
server_environment
PG_BIN=$FLUXBASE_TEST_PG_BIN

# Unpacked and not installed: an installed one would serve this machine from then on.
find_nginx() {
    NGINX=$(command -v nginx || true)
    [[ -z $NGINX ]] || return 0
    local tree=$CACHE/tools/nginx
    if [[ ! -x $tree/usr/sbin/nginx ]]; then
        ! apt_lists_empty || apt_update
        mkdir -p "$tree"
        (cd "$tree" && run_logged "fetching nginx" "$CACHE/log/nginx.log" apt-get -q download nginx && dpkg -x nginx_*.deb .) || return 1
    fi
    NGINX=$tree/usr/sbin/nginx
    "$NGINX" -v >/dev/null 2>&1
}
find_nginx || die "nginx is missing." "Install it (Debian: apt-get install nginx), then run this again."

work=$FLUXBASE_TEST_STATE/bench-files-$$
as_user mkdir -m 0700 "$work"
at_exit 'cluster_stop "$work/data"; rm -rf "$work"'
cluster_init "$work/data" bench --auth=trust --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8
socket_dir "$work/socket"
socket=$REPLY
# As it is delivered: what is acknowledged has been flushed.
cluster_configure "$work/data" <<CONF
shared_preload_libraries = 'fluxbase_mcp_ext'
listen_addresses = ''
unix_socket_directories = '$socket'
shared_buffers = 256MB
max_connections = 100
fsync = on
synchronous_commit = on
CONF
cluster_start "$work/data" "$socket" "$work/server.log" || die "Postgres did not start with the extension preloaded."
psql=("$PG_BIN/psql" -X -q -o /dev/null -v ON_ERROR_STOP=1 -h "$socket" -U postgres)
"${psql[@]}" -d postgres -c 'CREATE DATABASE bench'
"${psql[@]}" -d bench -c 'CREATE EXTENSION fluxbase_mcp_ext' -c 'SELECT mcp.setup_roles()' -c "SELECT mcp.install('{auth,storage}')" \
    -c 'SELECT mcp.setup_listener()' -c 'ALTER ROLE fluxbase_listener PASSWORD NULL' \
    -c "INSERT INTO storage.buckets (id, name, roles) VALUES ('bench', 'bench', '{authenticated}')"
BENCH_ROOT=$ROOT BENCH_WORK=$work BENCH_SOCKET=$socket BENCH_NGINX=$NGINX python3 -B "$ROOT/tests/bench/files.py"
