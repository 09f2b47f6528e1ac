#!/usr/bin/env bash
# Real MCP clients against a real server: the Python SDK 2.x in its three modes, and the TypeScript SDK v1.
# Called by `make test` with the variables of server_environment (scripts/extension.sh). Packages are pinned and go to
# FLUXBASE_CACHE. Each client prints "N passed, N failed"; the exit code is 1 when one of them failed.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$HERE/../../scripts/lib.sh"
. "$ROOT/scripts/deps.sh"

: "${FLUXBASE_BIN:?is not set: run this with make test-clients}" "${FLUXBASE_TEST_STATE:?is not set: run this with make test-clients}"

# python_client: sets PYTHON to a Python with the pinned packages.
python_client() {
    local folder base
    folder=$CACHE/clients/python-$(sha256sum "$HERE/requirements.txt" | cut -c1-12)
    PYTHON=$folder/bin/python
    [[ ! -f $folder/ready ]] || return 0
    if ! find_python; then
        apt_install python3 python3-venv || true
        find_python || die "no Python of version 3.10 or later was found." "Install it (Debian: apt-get install python3 python3-venv), then run this again."
    fi
    base=$REPLY
    rm -rf "$folder"
    mkdir -p "$folder"
    run_logged "making a Python environment" "$CACHE/log/clients-venv.log" "$base" -m venv "$folder" ||
        { apt_install python3-venv && run_logged "once more" "$CACHE/log/clients-venv.log" "$base" -m venv --clear "$folder"; } ||
        die "$base cannot make environments." "Install the package (Debian: apt-get install python3-venv), then run this again."
    run_logged "installing the Python client" "$CACHE/log/clients-pip.log" \
        "$PYTHON" -m pip install --quiet --disable-pip-version-check --requirement "$HERE/requirements.txt" ||
        die "the Python client could not be installed." "The log is $CACHE/log/clients-pip.log."
    touch "$folder/ready"
}

# find_python: sets REPLY to a Python that is new enough.
find_python() {
    for REPLY in python3 python3.13 python3.12 python3.11 python3.10 /usr/bin/python3; do
        ! "$REPLY" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || return 0
    done
    return 1
}

# node_client: sets NODE_FOLDER to a folder with the pinned packages.
node_client() {
    NODE_FOLDER=$CACHE/clients/node-$(sha256sum "$HERE/package-lock.json" | cut -c1-12)
    if ! node_is_there; then
        apt_install nodejs npm || true
        node_is_there || die "no Node of version 18 or later with npm was found." "Install it (Debian: apt-get install nodejs npm), then run this again."
    fi
    [[ ! -f $NODE_FOLDER/ready ]] || return 0
    rm -rf "$NODE_FOLDER"
    mkdir -p "$NODE_FOLDER"
    cp "$HERE/package.json" "$HERE/package-lock.json" "$NODE_FOLDER/"
    run_logged "installing the TypeScript client" "$CACHE/log/clients-npm.log" \
        npm ci --prefix "$NODE_FOLDER" --ignore-scripts --no-audit --no-fund ||
        die "the TypeScript client could not be installed." "The log is $CACHE/log/clients-npm.log."
    touch "$NODE_FOLDER/ready"
}

node_is_there() { have npm && node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null; }

python_client
node_client
run_logged "building the server for the clients" "$CACHE/log/clients-build.log" \
    env -C "$ROOT" CARGO_TARGET_DIR="$TARGET" cargo build --package fluxbase_tests --bin demo_server ||
    die "demo_server does not build." "The log is $CACHE/log/clients-build.log."

# It ends, with everything that it started, when its standard input closes: at the latest when this shell ends.
say "starting a server"
coproc DEMO { exec "$TARGET/debug/demo_server"; }
server=$DEMO_PID
IFS= read -r -t 120 -u "${DEMO[0]}" demo || die "the server did not start."

status=0
say "Python SDK"
"$PYTHON" "$HERE/python_mcp2.py" "$demo" || status=1
say "TypeScript SDK"
# The script is copied to its packages, since Node looks for them beside it.
cp "$HERE/ts_sdk_v1.mjs" "$NODE_FOLDER/"
node "$NODE_FOLDER/ts_sdk_v1.mjs" "$demo" || status=1

eval "exec ${DEMO[1]}>&-"
wait "$server" || status=1
exit "$status"
