# shellcheck shell=bash
# The parts of make run, in the order in which scripts/run.sh calls them. To be sourced by it.
#
# What is where: RUN_DIR has demo.json, superuser.password, listener.password (all 0600) and log/. The cluster is in RUN_DIR/postgres, or below the temporary directory when RUN_AS cannot enter RUN_DIR.

TENANT_A=00000000-0000-4000-8000-00000000000a
TENANT_B=00000000-0000-4000-8000-00000000000b

# demo_home: sets PG_HOME (everything that belongs to RUN_AS) and PGDATA_DIR.
demo_home() {
    PG_HOME=$RUN_DIR/postgres
    if ! as_user test -x "$RUN_DIR"; then
        fallback_dir "$RUN_DIR"
        PG_HOME=$REPLY/postgres
    fi
    mkdir -p "$PG_HOME"
    [[ -z $RUN_AS ]] || chown "$RUN_AS" "$PG_HOME"
    chmod 0700 "$PG_HOME"
    PGDATA_DIR=$PG_HOME/data
}

# stop_leftovers: the lock is ours, so a server or listener of this RUN_DIR belongs to a run that was killed.
stop_leftovers() {
    local pid exe
    pid=$(cat "$RUN_DIR/listener.pid" 2>/dev/null || true)
    exe=$(readlink "/proc/${pid:-none}/exe" 2>/dev/null || true)
    if [[ $exe == "$TARGET/release/fluxbase"* ]]; then
        say "stopping the listener of a run that was killed (process $pid)"
        kill -TERM "$pid" 2>/dev/null || true
        for ((i = 0; i < 100; i++)); do [[ -d /proc/$pid ]] && sleep 0.1 || break; done
    fi
    rm -f "$RUN_DIR/listener.pid"
    pid=$(cat "$RUN_DIR/embedding.pid" 2>/dev/null || true)
    if [[ $(tr '\0' ' ' 2>/dev/null <"/proc/${pid:-none}/cmdline") == *"$ROOT/tests/embedding/server.py "* ]]; then
        kill -TERM "$pid" 2>/dev/null || true
    fi
    rm -f "$RUN_DIR/embedding.pid"
    if cluster_running "$PGDATA_DIR"; then
        say "stopping the Postgres of a run that was killed"
        cluster_stop "$PGDATA_DIR"
    fi
}

# need_free_port PORT WHOSE COMMAND
need_free_port() {
    local address
    for address in 127.0.0.1 ::1; do
        ! (exec 3<>"/dev/tcp/$address/$1") 2>/dev/null ||
            die "port $1 on $address is taken; $2 needs it." "Stop what uses it (ss -ltnp 'sport = :$1' shows it), or take another: $3"
    done
}

new_password() { od -An -tx1 -N24 /dev/urandom | tr -d ' \n'; }
# private_file FILE: standard input goes to FILE, which only we can read.
private_file() {
    (umask 077 && cat >"$1.new" && mv -f "$1.new" "$1")
}

demo_cluster() {
    if [[ -f $RUN_DIR/ready ]] && as_user test -f "$PGDATA_DIR/PG_VERSION"; then
        say "taking up the cluster in $PGDATA_DIR"
        return 0
    fi
    say "making a cluster in $PGDATA_DIR"
    rm -rf "$PGDATA_DIR" "$RUN_DIR/ready" "$RUN_DIR/demo.json"
    new_password | private_file "$RUN_DIR/superuser.password"
    new_password | private_file "$RUN_DIR/listener.password"
    cluster_init "$PGDATA_DIR" "$(<"$RUN_DIR/superuser.password")" --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8 --data-checksums
}

# demo_embedding: starts the endpoint that makes vectors of text, with a real model; sets EMBEDDING_URL, empty where the model cannot be had.
demo_embedding() {
    EMBEDDING_URL=
    # In a process of its own first: what it cannot install ends that process, not the demo.
    if ! (embedding_environment); then
        say "search by meaning is left out: the model cannot be installed here"
        return 0
    fi
    embedding_environment
    : >"$RUN_DIR/embedding.url"
    PYTHONPATH=$FLUXBASE_EMBEDDING_PATH "$FLUXBASE_EMBEDDING_PYTHON" -B "$ROOT/tests/embedding/server.py" \
        >"$RUN_DIR/embedding.url" 2>"$RUN_DIR/log/embedding.log" </dev/null 9>&- &
    EMBEDDING=$!
    echo "$EMBEDDING" >"$RUN_DIR/embedding.pid"
    at_exit 'kill "$EMBEDDING" 2>/dev/null || true'
    local i
    for ((i = 0; i < 300; i++)); do
        EMBEDDING_URL=$(<"$RUN_DIR/embedding.url")
        [[ -z $EMBEDDING_URL && -d /proc/$EMBEDDING ]] || break
        sleep 0.1
    done
    [[ -n $EMBEDDING_URL ]] || say "search by meaning is left out: the endpoint did not start (its log is $RUN_DIR/log/embedding.log)"
}

demo_start() {
    socket_dir "$PG_HOME/socket"
    SOCKET_DIR=$REPLY
    as_user mkdir -p "$PG_HOME/log"
    PG_LOG=$PG_HOME/log/postgres.log
    cluster_configure "$PGDATA_DIR" <<CONF
# Written by make run at each start.
shared_preload_libraries = 'fluxbase_mcp_ext'
listen_addresses = '127.0.0.1'
port = $PGPORT
unix_socket_directories = '$SOCKET_DIR'
password_encryption = 'scram-sha-256'
mcp.embedding_url = '$EMBEDDING_URL'
mcp.embedding_model = 'all-MiniLM-L6-v2'
mcp.embedding_dimensions = 384
CONF
    say "starting Postgres on 127.0.0.1:$PGPORT"
    cluster_start "$PGDATA_DIR" "$SOCKET_DIR" "$PG_LOG" 9>&- || die "Postgres did not start." "Its log is $PG_LOG."
    SUPERUSER_URL=postgresql://postgres:$(<"$RUN_DIR/superuser.password")@127.0.0.1:$PGPORT/demo
    LISTENER_URL=postgresql://fluxbase_listener:$(<"$RUN_DIR/listener.password")@127.0.0.1:$PGPORT/demo
}

# sql DATABASE ARGUMENT…: psql as superuser; the password travels in the environment, not on the command line.
sql() {
    local database=$1
    shift
    PGPASSWORD=$(<"$RUN_DIR/superuser.password") PGOPTIONS='-c client_min_messages=warning' "$PG_BIN/psql" -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$PGPORT" -U postgres -d "$database" "$@"
}

extension_sql_hash() { cat "$("$PG_CONFIG" --sharedir)"/extension/fluxbase_mcp_ext--*.sql | sha256sum | cut -c1-16; }

demo_content() {
    if [[ -f $RUN_DIR/ready ]]; then
        [[ $(<"$RUN_DIR/ready") == "$(extension_sql_hash)" ]] ||
            say "NOTE: the extension's SQL has changed since this cluster was made. To make it anew: make reset run"
        return 0
    fi
    say "creating the database: extension, roles, schemas"
    sql postgres -c 'DROP DATABASE IF EXISTS demo' -c 'CREATE DATABASE demo' -c 'REVOKE ALL ON DATABASE demo FROM PUBLIC'
    if [[ $(sql demo -At -c "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'") == 1 ]]; then
        sql demo -c 'CREATE EXTENSION vector'
    fi
    # The password is read by psql from the file: it stands on no command line.
    FLUXBASE_PASSWORD_FILE=$RUN_DIR/listener.password sql demo -o "$RUN_DIR/log/setup.log" <<'SQL'
\set password `cat "$FLUXBASE_PASSWORD_FILE"`
CREATE EXTENSION fluxbase_mcp_ext;
SELECT mcp.setup_roles();
SELECT mcp.install('{auth,storage,rpc,jobs,audit}');
SELECT mcp.setup_listener(password => :'password');
GRANT CONNECT ON DATABASE demo TO fluxbase_listener, authenticated, service_role;
SQL
    demo_rows
    extension_sql_hash >"$RUN_DIR/ready"
}

# demo_rows: the package index of this Debian release, out of apt's own lists; else what dpkg knows to be installed.
demo_rows() {
    local folder=$RUN_DIR/index count
    mkdir -p "$folder"
    say "reading the package index of $(. /etc/os-release 2>/dev/null && echo "${PRETTY_NAME:-this system}")"
    count=0
    if have apt-cache; then
        ! { apt_lists_empty && ((EUID == 0)); } || apt_update
        apt_lists_empty || count=$(apt-cache dumpavail | python3 "$ROOT/scripts/demo/packages.py" "$folder")
    fi
    if ((count == 0)); then
        if [[ -r /var/lib/dpkg/status ]]; then
            say "apt has no package lists (run apt-get update as root to have them): taking only the packages installed here"
            count=$(python3 "$ROOT/scripts/demo/packages.py" "$folder" </var/lib/dpkg/status)
        else
            say "this is no Debian system: the tables packages, maintainers and dependencies stay empty"
            count=$(python3 "$ROOT/scripts/demo/packages.py" "$folder" </dev/null)
        fi
    fi
    say "loading $count packages, their maintainers and dependencies"
    sql demo -f "$ROOT/scripts/demo/schema.sql"
    (cd "$folder" && sql demo -v tenant_a="$TENANT_A" -v tenant_b="$TENANT_B" -f "$ROOT/scripts/demo/load.sql")
    rm -rf "$folder"
    sql demo -o /dev/null -f "$ROOT/scripts/demo/parts.sql"
    if [[ $(sql demo -At -c "SELECT count(*) FROM pg_extension WHERE extname = 'vector'") == 1 ]]; then
        demo_handbook | sql demo -o /dev/null
    fi
}

# demo_handbook: SQL of a knowledge base of this project's guides. Its vectors are made in the background, in a minute or two.
demo_handbook() {
    cat "$ROOT/scripts/demo/handbook.sql"
    local guide
    for guide in "$ROOT"/docs/guide-*.md "$ROOT/docs/operations.md"; do
        echo "\\set content \`cat '$guide'\`"
        echo "INSERT INTO ai.documents (knowledge_base_id, title, source_url, content) SELECT id, '$(sed -n '1s/^# //p' "$guide")', 'docs/${guide##*/}', :'content' FROM ai.knowledge_bases WHERE name = 'handbook';"
    done
}

demo_listener() {
    local listen=127.0.0.1:$PORT
    # "localhost" may mean the IPv6 loopback, where there is one.
    ! grep -qs ^00000000000000000000000000000001 /proc/net/if_inet6 || listen+=",[::1]:$PORT"
    say "starting the listener on http://localhost:$PORT/mcp"
    # A process group of its own: Ctrl-C in the terminal reaches this script only, which then asks the listener to finish.
    set -m
    FLUXBASE_DATABASE_URL=$LISTENER_URL FLUXBASE_LISTENER_LISTEN=$listen FLUXBASE_MCP_BASE_PATH=/mcp FLUXBASE_MCP_ENABLED=true \
        "$FLUXBASE_BIN" serve --config "$ROOT/fluxbase.yaml" >>"$RUN_DIR/log/listener.log" 2>&1 </dev/null 9>&- &
    LISTENER=$!
    set +m
    echo "$LISTENER" >"$RUN_DIR/listener.pid"
    at_exit 'stop_listener'
    local i
    for ((i = 0; i < 150; i++)); do
        [[ $(python3 "$ROOT/scripts/demo/probe.py" "http://127.0.0.1:$PORT/mcp/health") != 200 ]] || return 0
        [[ -d /proc/$LISTENER ]] || break
        sleep 0.1
    done
    tail -n 20 "$RUN_DIR/log/listener.log" >&2
    die "the listener did not get healthy." "Its log is $RUN_DIR/log/listener.log."
}

# stop_listener: asks it to finish what is in flight, insists after 35 seconds (its own bound is 30).
stop_listener() {
    local i
    [[ -n ${LISTENER:-} ]] || return 0
    say "stopping the listener"
    kill -TERM "$LISTENER" 2>/dev/null || true
    for ((i = 0; i < 350; i++)); do kill -0 "$LISTENER" 2>/dev/null && sleep 0.1 || break; done
    kill -KILL "$LISTENER" 2>/dev/null || true
    wait "$LISTENER" 2>/dev/null || true
    rm -f "$RUN_DIR/listener.pid"
}

json() { python3 -c 'import json,sys; d=json.load(open(sys.argv[1]))
for k in sys.argv[2:]: d=d.get(k) or {}
print(d or "")' "$@" 2>/dev/null || true; }

# new_key KIND ARGUMENT…: prints the key that the command line made.
new_key() {
    local kind=$1
    shift
    FLUXBASE_DATABASE_URL=$SUPERUSER_URL "$FLUXBASE_BIN" "$kind" create --json "$@" |
        python3 -c 'import json,sys; print(json.load(sys.stdin)["key"])'
}

# key_good HEADER KEY: only a refusal makes it bad; a rate limit, for one, does not.
key_good() { [[ -n $2 && $(python3 "$ROOT/scripts/demo/probe.py" "http://127.0.0.1:$PORT/mcp" "$1: $2") != 401 ]]; }

# demo_keys: the keys of demo.json if they still work, else new ones. Sets KEY_A, KEY_B, KEY_SERVICE.
demo_keys() {
    local file=$RUN_DIR/demo.json scopes=read:tables,write:tables,read:schema,execute:rpc,execute:jobs,read:storage,write:storage,read:vectors
    KEY_A=$(json "$file" client_keys tenant_a)
    KEY_B=$(json "$file" client_keys tenant_b)
    KEY_SERVICE=$(json "$file" service_key)
    key_good X-Client-Key "$KEY_A" || { say "making a key for tenant A"; KEY_A=$(new_key clientkeys --name "Demo tenant A" --scopes "$scopes" --user "$TENANT_A"); }
    key_good X-Client-Key "$KEY_B" || { say "making a key for tenant B"; KEY_B=$(new_key clientkeys --name "Demo tenant B" --scopes "$scopes" --user "$TENANT_B"); }
    key_good X-Service-Key "$KEY_SERVICE" || { say "making a service key"; KEY_SERVICE=$(new_key servicekeys --name "Demo service"); }
    private_file "$file" <<JSON
{
  "url": "http://localhost:$PORT/mcp",
  "client_keys": {
    "tenant_a": "$KEY_A",
    "tenant_b": "$KEY_B"
  },
  "service_key": "$KEY_SERVICE",
  "database_url": "$SUPERUSER_URL"
}
JSON
}

demo_summary() {
    local url=http://localhost:$PORT/mcp bin=${FLUXBASE_BIN#"$PWD"/} other=
    # The command line takes the endpoint that it shows from fluxbase.yaml, which says nothing about PORT.
    [[ $PORT == 8080 ]] || other=" --url $url"
    cat <<TEXT

fluxbase_mcp_ext is running. Ctrl-C stops it; the data stays.

  Endpoint      $url
  Tenant A key  $KEY_A
  Tenant B key  $KEY_B
  Service key   $KEY_SERVICE
  For scripts   $shown/demo.json

Which tools are there:
  curl -X POST $url \\
    -H "Content-Type: application/json" \\
    -H "X-Client-Key: $KEY_A" \\
    -d '{"jsonrpc":"2.0","method":"tools/list","id":1}'

The same with the service key, which bypasses row-level security:
  curl -X POST $url \\
    -H "Content-Type: application/json" \\
    -H "X-Service-Key: $KEY_SERVICE" \\
    -d '{"jsonrpc":"2.0","method":"tools/list","id":1}'

Ask a table:
  curl -X POST $url \\
    -H "Content-Type: application/json" \\
    -H "X-Client-Key: $KEY_A" \\
    -d '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"query_table","arguments":{"table":"users","select":"id,email,created_at","filter":{"is_active":"eq.true"},"limit":10}},"id":1}'

Search the guides of this project by meaning (their vectors are made in the first minutes):
  curl -X POST $url \\
    -H "Content-Type: application/json" \\
    -H "X-Client-Key: $KEY_A" \\
    -d '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"search_vectors","arguments":{"knowledge_bases":["handbook"],"query":"what happens when a worker dies","mode":"hybrid","limit":3}},"id":1}'

Begin a background job (get_job_status tells how it is), or read what was asked so far, as superuser:
  curl -X POST $url \\
    -H "Content-Type: application/json" \\
    -H "X-Client-Key: $KEY_A" \\
    -d '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"submit_job","arguments":{"job_name":"unneeded_packages"}},"id":1}'
  $PG_BIN/psql $SUPERUSER_URL -c 'SELECT at, key_name, tool, object, rows, outcome, duration_ms FROM mcp.audit_log ORDER BY at DESC LIMIT 10'

Claude Code:
  claude mcp add --transport http fluxbase $url --header "X-Client-Key: $KEY_A"

A key of your own:
  $bin clientkeys create --name "AI Assistant" --scopes "read:tables,write:tables,execute:functions" \\
    --user $TENANT_A$other \\
    --database-url $SUPERUSER_URL

SQL as superuser:
  $PG_BIN/psql $SUPERUSER_URL

Logs:
  $shown/log/listener.log
  $PG_LOG

TEXT
    say "ready"
}
