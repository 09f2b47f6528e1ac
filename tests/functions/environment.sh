# shellcheck shell=bash
# What the tests of `fluxbase functions serve` need: the Deno that package-lock.json pins, from npm. Sourced by scripts/test.sh.

# functions_environment: exports FLUXBASE_DENO, the program.
functions_environment() {
    local here=$ROOT/tests/functions folder
    folder=$CACHE/functions/deno-$(sha256sum "$here/package-lock.json" | cut -c1-12)
    if [[ ! -f $folder/ready ]]; then
        if ! have npm; then
            apt_install nodejs npm || true
            have npm || die "npm was not found." "Install it (Debian: apt-get install nodejs npm), then run this again."
        fi
        rm -rf "$folder"
        mkdir -p "$folder"
        cp "$here/package.json" "$here/package-lock.json" "$folder/"
        run_logged "installing Deno" "$CACHE/log/functions-npm.log" \
            npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund ||
            die "Deno could not be installed." "The log is $CACHE/log/functions-npm.log."
        touch "$folder/ready"
    fi
    export FLUXBASE_DENO=$folder/node_modules/@deno/linux-x64-glibc/deno
}
