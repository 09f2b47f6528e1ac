# shellcheck shell=bash
# Builds the extension for one Postgres and puts it there. To be sourced after postgres.sh.

# build_extension PG_CONFIG PROFILE: builds and installs. Files are replaced by a move, never written over: a server that
# runs out of this tree keeps the library that it has mapped.
build_extension() {
    local pg_config=$1 profile=$2 major target stage stamp lib
    major=$(pg_major "$pg_config")
    extension_target "$pg_config"
    target=$REPLY
    stage=$target/stage
    stamp=$target/installed-$profile
    lib=$("$pg_config" --pkglibdir)
    if [[ -f $stamp && $(<"$stamp") == "$lib" && -f $lib/fluxbase_mcp_ext.so ]] && ! sources_newer "$stamp"; then
        say "the extension for Postgres $major is up to date"
        return 0
    fi
    rm -f "$stamp"
    mkdir -p "$target"
    touch "$target/started"
    stage_extension "$pg_config" "$profile" "$stage"
    place_files "$stage" || die "$lib cannot be written to." "Run this as a user who may, for example: sudo env PATH=\"\$PATH\" make install PG_CONFIG=$pg_config"
    printf '%s\n' "$lib" >"$stamp"
    touch --reference="$target/started" "$stamp"
}

# extension_target PG_CONFIG: sets REPLY to the folder in which the extension is built for this Postgres.
extension_target() {
    local tag
    tag=$(pg_major "$1")
    case $1 in
        "$STATE"/postgres/*-cassert/*) tag=$tag-cassert ;;
        "$STATE"/postgres/*) ;;
        *) tag=$tag-$(printf %s "$1" | sha256sum | cut -c1-6) ;;
    esac
    REPLY=$TARGET/pgrx-$tag
}

# stage_extension PG_CONFIG PROFILE STAGE: builds, and leaves in STAGE a tree that starts at / with the files at their places.
stage_extension() {
    local pg_config=$1 profile=$2 stage=$3 major target tag
    major=$(pg_major "$pg_config")
    extension_target "$pg_config"
    target=$REPLY
    tag=${target##*/pgrx-}
    need_cargo_pgrx
    pgrx_home "$tag" "$major" "$pg_config"
    rm -rf "$stage"
    run_logged "building the extension for Postgres $major ($profile)" "$CACHE/log/extension-$tag.log" \
        env -C "$ROOT" PGRX_HOME="$PGRX_HOME" CARGO_TARGET_DIR="$target" "$CARGO_PGRX" pgrx package --package fluxbase_mcp_ext --profile "$profile" \
        --no-default-features --features "pg$major" --pg-config "$pg_config" --out-dir "$stage" ||
        die "the extension does not build for Postgres $major." "The whole log is $CACHE/log/extension-$tag.log."
}

# extension_files PG_CONFIG PROFILE: builds unless nothing has changed, and installs nothing. Sets REPLY to a tree that starts at /.
extension_files() {
    local target files
    extension_target "$1"
    target=$REPLY
    files=$target/package-$2
    if [[ ! -f $files/.ready ]] || sources_newer "$files/.ready"; then
        mkdir -p "$target"
        touch "$target/started"
        stage_extension "$1" "$2" "$files"
        touch --reference="$target/started" "$files/.ready"
    fi
    REPLY=$files
}

# place_files STAGE: STAGE holds a tree that starts at /; each file goes to its place by a rename.
place_files() {
    local file place
    while IFS= read -r file; do
        place=${file#"$1"}
        mkdir -p "$(dirname "$place")" && install -m "$([[ $place == *.so ]] && echo 0755 || echo 0644)" "$file" "$place.new" && mv -f "$place.new" "$place" || return 1
    done < <(find "$1" -type f)
}

# sources_newer STAMP: has anything that goes into the extension changed since?
sources_newer() {
    [[ -n $(cd "$ROOT" && find Cargo.toml Cargo.lock fluxbase_mcp_ext.control fluxbase_mcp_ext sql -newer "$1" -print -quit 2>/dev/null) ]]
}

pg_major() { "$1" --version | sed -E 's/^PostgreSQL ([0-9]+).*/\1/'; }

# pgrx_home TAG MAJOR PG_CONFIG: sets PGRX_HOME. pgrx looks up pg_config in its home; ours names just this one, so that
# nobody's own pgrx home is read or written and `cargo pgrx init` is not needed.
pgrx_home() {
    PGRX_HOME=$CACHE/pgrx/$1
    mkdir -p "$PGRX_HOME"
    local config="[configs]
pg$2 = \"$3\""
    [[ -f $PGRX_HOME/config.toml && $(<"$PGRX_HOME/config.toml") == "$config" ]] || printf '%s\n' "$config" >"$PGRX_HOME/config.toml"
}

# build_listener: sets FLUXBASE_BIN.
build_listener() {
    export FLUXBASE_BIN=$TARGET/release/fluxbase
    run_logged "building the listener" "$CACHE/log/listener-build.log" \
        env -C "$ROOT" CARGO_TARGET_DIR="$TARGET" cargo build --release --package listener ||
        die "the listener does not build." "The whole log is $CACHE/log/listener-build.log."
}

# server_environment: builds all for Postgres 18 and exports what the tests that drive a real listener, and the benchmark, are told:
#   FLUXBASE_BIN the program                              FLUXBASE_PG_CONFIG, FLUXBASE_TEST_PG_BIN  the Postgres tree
#   FLUXBASE_RUN_AS  user for Postgres, empty: ourselves  FLUXBASE_TEST_STATE  a folder that user may write to
#   FLUXBASE_CACHE   ignored folder for downloads
server_environment() {
    postgres_tree 18
    build_extension "$PG_CONFIG" release
    build_listener
    export FLUXBASE_PG_CONFIG=$PG_CONFIG FLUXBASE_TEST_PG_BIN FLUXBASE_RUN_AS=$RUN_AS FLUXBASE_TEST_STATE=$STATE/tests FLUXBASE_CACHE=$CACHE
    FLUXBASE_TEST_PG_BIN=$("$PG_CONFIG" --bindir)
    mkdir -p "$FLUXBASE_TEST_STATE"
    [[ -z $RUN_AS ]] || chown "$RUN_AS" "$FLUXBASE_TEST_STATE"
}
