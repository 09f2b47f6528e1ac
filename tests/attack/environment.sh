# shellcheck shell=bash
# pgspot and the parser that it uses, at the versions of requirements.txt. Sourced, after lib.sh and deps.sh.

# spot_environment: sets SPOT to a command that runs spot.py (array).
spot_environment() {
    local here=$ROOT/tests/attack folder
    find_pip || die "python3 has no pip." "Install it (Debian: apt-get install python3-pip), then run this again."
    folder=$CACHE/attack/python-$(cat "$here/requirements.txt" <("${PIP[0]}" -V) | sha256sum | cut -c1-12)
    if [[ ! -f $folder/ready ]]; then
        rm -rf "$folder"
        mkdir -p "$folder"
        run_logged "installing pgspot" "$CACHE/log/pgspot-pip.log" \
            "${PIP[@]}" install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --target "$folder" --requirement "$here/requirements.txt" ||
            die "pgspot could not be installed, so our SQL cannot be looked at." "The log is $CACHE/log/pgspot-pip.log."
        touch "$folder/ready"
    fi
    SPOT=(env "PYTHONPATH=$folder" "${PIP[0]}" "$here/spot.py")
}
