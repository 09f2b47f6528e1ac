# shellcheck shell=bash
# The cluster of the benchmarks: made in a folder of its own and gone when the script ends. To be sourced after scripts/cluster.sh.

# service_group: a control group of our own for processor time, as systemd and containers give one to Postgres. Without it Linux gives each
# session, and so each backend, a scheduling group of its own (autogroup), under which one of many backends may wait for half a second: see
# docs/decisions/0026. Sets BENCH_SCHEDULING, which docs/benchmarks.md tells. Needs root; without it all is measured as it is.
service_group() {
    local parent=/sys/fs/cgroup/cpu group
    export BENCH_SCHEDULING="no autogroup"
    [[ $(cat /proc/sys/kernel/sched_autogroup_enabled 2>/dev/null || echo 0) == 1 ]] || return 0
    [[ -d $parent ]] || parent=/sys/fs/cgroup
    group=$parent/fluxbase-bench-$$
    if mkdir "$group" 2>/dev/null && { [[ -e $group/cpu.shares || -e $group/cpu.weight ]] || echo +cpu >"$parent/cgroup.subtree_control"; } 2>/dev/null &&
        echo $$ 2>/dev/null >"$group/cgroup.procs"; then
        at_exit "echo $$ >'$parent/cgroup.procs'; rmdir '$group'"
        BENCH_SCHEDULING="a control group for all, as a service has"
        return 0
    fi
    rmdir "$group" 2>/dev/null || true
    BENCH_SCHEDULING="autogroup (kernel.sched_autogroup_enabled): tails are longer than those of a service"
}

# bench_cluster: makes it, starts it and loads tests/bench/schema.sql; sets work, socket, psql. Further settings on standard input.
bench_cluster() {
    [[ -n ${FLUXBASE_BIN:-} && -n ${FLUXBASE_TEST_PG_BIN:-} ]] || die "nothing is built for the benchmark." "Write: make bench"
    PG_BIN=$FLUXBASE_TEST_PG_BIN
    service_group
    work=$FLUXBASE_TEST_STATE/bench-$$
    as_user mkdir -m 0700 "$work"
    at_exit 'cluster_stop "$work/data"; rm -rf "$work"'
    say "making a cluster"
    cluster_init "$work/data" bench --auth=trust --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8
    socket_dir "$work/socket"
    socket=$REPLY
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    {
        cat <<CONF
shared_preload_libraries = 'fluxbase_mcp_ext'
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$socket'
shared_buffers = 256MB
max_connections = 200
CONF
        cat
    } | cluster_configure "$work/data"
    PGPORT=$port cluster_start "$work/data" "$socket" "$work/server.log" || die "Postgres did not start with the extension preloaded."
    psql=("$PG_BIN/psql" -X -q -o /dev/null -v ON_ERROR_STOP=1 -h "$socket" -p "$port" -U postgres)
    "${psql[@]}" -d postgres -c 'CREATE DATABASE bench'
    say "loading the rows"
    "${psql[@]}" -d bench -f "$ROOT/tests/bench/schema.sql"
    # With BENCH_AUDIT each call is recorded.
    [[ -z ${BENCH_AUDIT:-} ]] || "${psql[@]}" -d bench -c "SELECT mcp.install('{audit}')"
}

# bench_python SCRIPT: runs it with what it needs to know. Python stops what it started before it ends; waiting for it in the background
# lets an interrupt through.
bench_python() {
    BENCH_ROOT=$ROOT BENCH_TARGET=$TARGET BENCH_WORK=$work BENCH_SOCKET=$socket BENCH_PORT=$port BENCH_RUN_AS=$RUN_AS python3 -B "$@" &
    bench=$!
    at_exit '[[ -z $bench ]] || { kill -TERM "$bench" 2>/dev/null && wait "$bench"; }'
    local status=0
    wait "$bench" || status=$?
    bench=
    return "$status"
}
