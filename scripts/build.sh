#!/usr/bin/env bash
# Builds and installs without running anything:
#   build.sh tree MAJOR           the listener, and the extension in the private Postgres tree
#   build.sh install PG_CONFIG    the extension in the Postgres of that pg_config
#   build.sh bench                what tests/bench/run.sh needs, then runs it
#   build.sh retrieval [LIMIT]    what tests/retrieval/run.sh needs, then runs it
#   build.sh bench-instructions   the same for tests/bench/instructions.sh
#   build.sh bench-memory         the same for tests/bench/memory.sh
#   build.sh vectors-bench        what tests/bench/vectors.sh needs, then runs it
#   build.sh vectors-growth       the same for tests/bench/vectors.sh growth
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$ROOT/scripts/deps.sh"
. "$ROOT/scripts/postgres.sh"
. "$ROOT/scripts/extension.sh"

case ${1:-} in
    tree)
        need_build_tools
        postgres_tree "$2"
        build_extension "$PG_CONFIG" release
        build_listener
        say "Postgres $2 with the extension: $("$PG_CONFIG" --bindir); the listener: $FLUXBASE_BIN"
        ;;
    install)
        PG_CONFIG=${2:-$(command -v pg_config || true)}
        [[ -n $PG_CONFIG && -x $PG_CONFIG ]] || die "\"$PG_CONFIG\" is no pg_config." "Write: make install PG_CONFIG=/path/to/pg_config"
        need_build_tools
        build_extension "$PG_CONFIG" release
        say "installed in $("$PG_CONFIG" --pkglibdir) and $("$PG_CONFIG" --sharedir)/extension. Next, in a database: CREATE EXTENSION fluxbase_mcp_ext;"
        ;;
    bench)
        [[ -f $ROOT/tests/bench/run.sh ]] || die "tests/bench/run.sh is not there." "Nothing was measured."
        need_build_tools
        server_environment
        exec bash "$ROOT/tests/bench/run.sh"
        ;;
    retrieval)
        need_build_tools
        server_environment
        exec bash "$ROOT/tests/retrieval/run.sh" ${2:+"$2"}
        ;;
    bench-instructions)
        need_build_tools
        server_environment
        exec bash "$ROOT/tests/bench/instructions.sh"
        ;;
    bench-memory)
        need_build_tools
        server_environment
        exec bash "$ROOT/tests/bench/memory.sh"
        ;;
    vectors-bench)
        need_build_tools
        server_environment
        exec bash "$ROOT/tests/bench/vectors.sh"
        ;;
    vectors-growth)
        need_build_tools
        server_environment
        exec bash "$ROOT/tests/bench/vectors.sh" growth
        ;;
    *) die "what should be built?" "Write: scripts/build.sh tree 18 | install PG_CONFIG | bench | bench-instructions | bench-memory | vectors-bench | vectors-growth" ;;
esac
