# shellcheck shell=bash
# One Postgres cluster: make, start, stop, recover. Used by make run and by the test lanes. To be sourced after lib.sh.
# PG_BIN is the folder of the programs; every folder given must be absolute and belong to RUN_AS.

# cluster_init DATA PASSWORD ARGUMENT…: initdb with UTF8; every connection by password (scram).
cluster_init() {
    local data=$1 password=$2
    shift 2
    as_user bash -c 'umask 077; cat >"$1"' - "$data.pw" <<<"$password"
    as_user "$PG_BIN/initdb" --pgdata="$data" --username=postgres --pwfile="$data.pw" --auth=scram-sha-256 --encoding=UTF8 "$@" >/dev/null
    as_user rm -f "$data.pw"
    as_user bash -c 'echo "include_if_exists = '\''fluxbase.conf'\''" >>"$1/postgresql.conf"' - "$data"
}

# cluster_configure DATA: our settings, read from standard input; written anew at each start.
cluster_configure() { as_user tee "$1/fluxbase.conf" >/dev/null; }

# cluster_running DATA: does the process that postmaster.pid names work in DATA? (pg_ctl asks only whether the number is in
# use, which a dead process that nobody collected, or a stranger with a reused number, answers too.)
cluster_running() {
    local pid
    pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null) && [[ $pid =~ ^[0-9]+$ && $(readlink "/proc/$pid/cwd" || true) == "$(realpath "$1")" ]]
}

# cluster_forget_stale DATA SOCKETS: removes what a server that was ended the hard way left behind (postmaster.pid and the
# lock files of its sockets). A live server's files are left alone.
cluster_forget_stale() {
    ! cluster_running "$1" || return 0
    [[ ! -f $1/postmaster.pid ]] || say "an earlier run was ended the hard way: removing its postmaster.pid"
    rm -f "$1/postmaster.pid" "$2"/.s.PGSQL.*
}

# cluster_start DATA SOCKETS LOG: waits until it answers. Processes of a killed server may hold its memory a moment longer.
cluster_start() {
    local try
    cluster_forget_stale "$1" "$2"
    for try in 1 2 3 4 5; do
        as_user "$PG_BIN/pg_ctl" --pgdata="$1" --log="$3" --wait --timeout=120 --silent start </dev/null >/dev/null 2>&1 && return 0
        ((try < 5)) && tail -n 20 "$3" 2>/dev/null | grep -q 'pre-existing shared memory' || break
        sleep 2
    done
    echo "---- the end of $3 ----" >&2
    tail -n 20 "$3" >&2 || true
    return 1
}

cluster_stop() {
    ! cluster_running "$1" || as_user "$PG_BIN/pg_ctl" --pgdata="$1" --mode=fast --wait --timeout=60 --silent stop >/dev/null 2>&1 ||
        as_user "$PG_BIN/pg_ctl" --pgdata="$1" --mode=immediate --wait --silent stop >/dev/null 2>&1
}

# socket_dir WANTED: sets REPLY to WANTED, or to a short folder when the name of a socket there would be too long for
# the 107 bytes that the kernel allows.
socket_dir() {
    REPLY=$1
    if ((${#REPLY} + 20 > 107)); then
        REPLY=/tmp/fluxbase-s-$(printf %s "$1" | sha256sum | cut -c1-12)
        as_user bash -c 'mkdir -p -m 0700 "$1" && [[ -O $1 && ! -L $1 ]]' - "$REPLY" || die "$REPLY belongs to somebody else." "Remove it, then run this again."
    else
        as_user mkdir -p "$REPLY"
    fi
}
