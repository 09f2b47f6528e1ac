#!/usr/bin/env bash
# How well search_vectors finds in real text: tests/retrieval/run.sh [LIMIT]
#
# Embeds Debian's packages (LIMIT of them, evenly; else all, once, about 15 minutes) with the real model, makes a knowledge base of them in a cluster
# of its own, and runs retrieval.py. Needs apt's lists of packages. Ends with one line: "retrieval: N passed, M failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
. "$ROOT/scripts/deps.sh"
. "$ROOT/scripts/cluster.sh"
. "$ROOT/tests/embedding/environment.sh"
[[ -n ${FLUXBASE_TEST_PG_BIN:-} ]] || die "nothing is built for this." "Write: make retrieval"
limit=${1:-}
embedding_environment
export PYTHONPATH=$FLUXBASE_EMBEDDING_PATH

apt_lists_empty && apt_update
data=$CACHE/embedding/packages${limit:+-$limit}.tsv
[[ -s $data ]] || apt-cache dumpavail >"$CACHE/embedding/index"
[[ -s $data ]] || run_logged "embedding the summaries of Debian's packages (${limit:-all})" "$CACHE/log/embedding.log" \
    bash -c '"$1" "$2" "$3" ${4:+--limit "$4"} <"$5"' - "$FLUXBASE_EMBEDDING_PYTHON" "$ROOT/tests/embedding/debian.py" "$data" "$limit" "$CACHE/embedding/index" ||
    die "The summaries could not be embedded." "The log is $CACHE/log/embedding.log."

# The long descriptions and AppStream's lines, by lists of apt's own in a folder of ours: the machine's may leave them out.
texts=$CACHE/embedding/texts
if [[ ! -s $texts/questions.tsv ]]; then
    mkdir -p "$texts/lists/partial"
    run_logged "fetching the long descriptions of Debian's packages" "$CACHE/log/retrieval-texts.log" \
        apt-get update -o "Dir::State::Lists=$texts/lists" -o Acquire::Languages=en -o APT::Sandbox::User=root -o APT::Update::Post-Invoke-Success= \
        -o 'Acquire::IndexTargets::deb::DEP-11::MetaKey=$(COMPONENT)/dep11/Components-$(NATIVE_ARCHITECTURE).yml' \
        -o 'Acquire::IndexTargets::deb::DEP-11::ShortDescription=Components' -o 'Acquire::IndexTargets::deb::DEP-11::Description=$(RELEASE)/$(COMPONENT) DEP-11' ||
        die "The long descriptions could not be fetched." "The log is $CACHE/log/retrieval-texts.log."
    /usr/lib/apt/apt-helper cat-file "$texts"/lists/*_i18n_Translation-en* >"$texts/translations"
    /usr/lib/apt/apt-helper cat-file "$texts"/lists/*_dep11_Components-*.yml* >"$texts/components"
    "$FLUXBASE_EMBEDDING_PYTHON" "$ROOT/tests/retrieval/texts.py" "$texts/translations" "$texts/components" "$texts"
fi
export RETRIEVAL_DESCRIPTIONS=$texts/descriptions.tsv RETRIEVAL_QUESTIONS=$texts/questions.tsv

PG_BIN=$FLUXBASE_TEST_PG_BIN
work=$FLUXBASE_TEST_STATE/retrieval-$$
as_user mkdir -m 0700 "$work"
at_exit 'cluster_stop "$work/data"; rm -rf "$work"'
cluster_init "$work/data" retrieval --auth=trust --locale=C
socket_dir "$work/socket"
socket=$REPLY
cluster_configure "$work/data" <<CONF
shared_preload_libraries = 'fluxbase_mcp_ext'
listen_addresses = ''
unix_socket_directories = '$socket'
fsync = off
shared_buffers = 512MB
CONF
cluster_start "$work/data" "$socket" "$work/server.log" || die "Postgres did not start with the extension preloaded."
say "loading $(wc -l <"$data") packages and building the indexes"
"$PG_BIN/psql" -X -q -o /dev/null -v ON_ERROR_STOP=1 -h "$socket" -U postgres -d postgres -f "$ROOT/tests/retrieval/schema.sql" <"$data"
RETRIEVAL_PSQL=$PG_BIN/psql RETRIEVAL_SOCKET=$socket "$FLUXBASE_EMBEDDING_PYTHON" -B "$ROOT/tests/retrieval/retrieval.py" --out "$TARGET/retrieval/result.json"
