# shellcheck shell=bash
# What every script here shares: where things live, which user runs Postgres, messages with the elapsed time,
# and a clean way out. To be sourced; it starts nothing and installs nothing.
#
# Sets:  ROOT    the checkout            CACHE  ignored folder for downloads and tools (.cache)
#        STATE   Postgres trees and test clusters: CACHE, or a folder under the temporary directory when we are
#                root and the user that runs Postgres could not enter the checkout
#        TARGET  cargo's target folder (FLUXBASE_TARGET_DIR, else CARGO_TARGET_DIR, else target)
#        RUN_AS  the user that runs Postgres when we are root (Postgres refuses root); empty otherwise

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
CACHE=${FLUXBASE_CACHE:-$ROOT/.cache}
TARGET=${FLUXBASE_TARGET_DIR:-${CARGO_TARGET_DIR:-$ROOT/target}}
export FLUXBASE_T0=${FLUXBASE_T0:-$EPOCHSECONDS}
export DEBIAN_FRONTEND=noninteractive
umask 022
PATH=$PATH:/usr/sbin:/sbin

# A person's own PGHOST or PGSERVICE must not lead a script to another server.
unset PGHOST PGHOSTADDR PGUSER PGDATABASE PGPASSWORD PGPASSFILE PGSERVICE PGSERVICEFILE PGOPTIONS PGDATA PGSSLMODE PGTZ PGDATESTYLE

have() { command -v "$1" >/dev/null 2>&1; }
say() { printf '[%4ds] %s\n' $((EPOCHSECONDS - FLUXBASE_T0)) "$*"; }
die() {
    printf '\nerror: %s\n' "$1" >&2
    shift
    (($# == 0)) || printf '       %s\n' "$@" >&2
    exit 1
}

# ---- the way out: every registered command runs once, last first, however the script ends ----
AT_EXIT=()
at_exit() { AT_EXIT+=("$1"); }
run_at_exit() {
    local status=$? i
    trap '' INT TERM HUP
    for ((i = ${#AT_EXIT[@]} - 1; i >= 0; i--)); do eval "${AT_EXIT[i]}" || true; done
    exit "$status"
}
trap run_at_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

BACKGROUND=
at_exit '[[ -z $BACKGROUND ]] || kill -TERM -- "-$BACKGROUND" 2>/dev/null'

# run_logged LABEL LOG COMMAND…: output goes to LOG; a line every 15 seconds tells that it is alive, the end of the
# log is shown when it fails. The command gets its own process group, so that an interrupt can end all of it.
run_logged() {
    local label=$1 log=$2 beat=$EPOCHSECONDS last=
    shift 2
    mkdir -p "$(dirname "$log")"
    say "$label"
    set -m
    "$@" >"$log" 2>&1 </dev/null &
    BACKGROUND=$!
    set +m
    while kill -0 "$BACKGROUND" 2>/dev/null; do
        sleep 0.2
        if ((EPOCHSECONDS - beat >= 15)); then
            beat=$EPOCHSECONDS
            last=$(tail -n 1 "$log" | sed $'s/\x1b\\[[0-9;]*m//g' | tr -d '\r' | cut -c1-90)
            say "  … $last"
        fi
    done
    local status=0
    wait "$BACKGROUND" || status=$?
    BACKGROUND=
    if ((status != 0)); then
        printf -- '---- the end of %s ----\n' "$log"
        tail -n 60 "$log"
        printf -- '----\n'
    fi
    return "$status"
}

# ---- which user runs Postgres, and where it keeps its files ----
choose_user() {
    RUN_AS=
    ((EUID == 0)) || return 0
    if id postgres >/dev/null 2>&1; then
        RUN_AS=postgres
    else
        RUN_AS=fluxbase
        id fluxbase >/dev/null 2>&1 || useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin fluxbase
    fi
}

# as_user COMMAND…: runs it as RUN_AS (as ourselves when not root). setpriv replaces itself by the command, so that
# signals and exit codes are the command's own. Paths must be absolute: it starts in /.
as_user() {
    if [[ -z $RUN_AS ]]; then
        (cd / && exec "$@")
    else
        (cd / && exec setpriv --reuid="$RUN_AS" --regid="$(id -g "$RUN_AS")" --init-groups -- env HOME=/nonexistent "$@")
    fi
}

# private_dir DIR: makes a folder below a shared temporary directory, or refuses one that somebody else put there.
private_dir() {
    mkdir -p -m 0755 "$1"
    [[ -O $1 && ! -L $1 && -z $(find "$1" -maxdepth 0 -perm /022) ]] ||
        die "$1 belongs to somebody else or others may write to it." "Remove it, or set TMPDIR to another folder."
}

# fallback_dir NAME: sets REPLY to a folder below the temporary directory, its name tied to this checkout.
fallback_dir() {
    local base=${TMPDIR:-/tmp}
    as_user test -x "$base" || base=/tmp
    REPLY=${base%/}/fluxbase-$(printf %s "$1" | sha256sum | cut -c1-12)
    private_dir "$REPLY"
}

choose_state() {
    mkdir -p "$CACHE"
    if as_user test -x "$CACHE"; then
        STATE=$CACHE
    else
        fallback_dir "$CACHE"
        STATE=$REPLY
    fi
}

choose_user
choose_state
