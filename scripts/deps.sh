# shellcheck shell=bash
# What must be on the machine, and how it gets there: apt when we are root, else one line that says what to install.
# To be sourced after lib.sh.

APT_UPDATED=
apt_update() {
    [[ -z $APT_UPDATED ]] || return 0
    APT_UPDATED=1
    run_logged "refreshing the list of Debian packages" "$CACHE/log/apt-update.log" \
        apt-get -q -o DPkg::Lock::Timeout=300 update || true
}
apt_lists_empty() { ! compgen -G '/var/lib/apt/lists/*_Packages*' >/dev/null; }

# apt_install PACKAGE…: once more with fresh lists when the first try fails (old lists name files that are gone).
apt_install() {
    ((EUID == 0)) && have apt-get || return 1
    ! apt_lists_empty || apt_update
    local try
    for try in 1 2; do
        run_logged "installing $*" "$CACHE/log/apt-install.log" \
            apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends "$@" && return 0
        ((try == 2)) || apt_update
    done
    return 1
}

find_libclang() {
    compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null || compgen -G '/usr/lib*/libclang*.so*' >/dev/null ||
        compgen -G '/usr/lib/*/libclang*.so*' >/dev/null || [[ -n ${LIBCLANG_PATH:-} ]]
}

# find_pip: sets PIP to a command that runs pip (array).
find_pip() {
    local python
    for python in python3 /usr/bin/python3; do
        if "$python" -m pip --version >/dev/null 2>&1; then
            PIP=("$python" -m pip)
            return 0
        fi
    done
    return 1
}

# need_build_tools: everything that a build from nothing needs, Rust apart.
need_build_tools() {
    local missing=()
    have cc || missing+=(gcc libc6-dev)
    have make || missing+=(make)
    have clang || missing+=(clang)
    find_libclang || missing+=(libclang-dev)
    have pkg-config || missing+=(pkg-config)
    have python3 || missing+=(python3)
    find_pip || missing+=(python3-pip)
    if ((${#missing[@]})); then
        apt_install "${missing[@]}" ||
            die "these packages are missing: ${missing[*]}" "Install them (Debian: apt-get install ${missing[*]}), then run this again. Nothing was built."
        find_pip || die "python3 has no pip." "Install it (Debian: apt-get install python3-pip), then run this again."
    fi
    have cargo || [[ ! -x $HOME/.cargo/bin/cargo ]] || PATH=$HOME/.cargo/bin:$PATH
    have cargo || die "cargo was not found." "Install Rust 1.95 or later with rustup, then run this again."
}

# need_cargo_pgrx: sets CARGO_PGRX. One of the right version on PATH is used; else it goes to .cache/tools, so that
# nobody's own cargo-pgrx is replaced.
PGRX_VERSION=0.18.1
need_cargo_pgrx() {
    local candidate
    for candidate in "$(command -v cargo-pgrx || true)" "$HOME/.cargo/bin/cargo-pgrx" "$CACHE/tools/bin/cargo-pgrx"; do
        if [[ -x $candidate && $("$candidate" pgrx --version 2>/dev/null) == "cargo-pgrx $PGRX_VERSION" ]]; then
            CARGO_PGRX=$candidate
            return 0
        fi
    done
    # Without its default features it needs no OpenSSL; they only serve to download Postgres, which we never ask it to.
    run_logged "building cargo-pgrx $PGRX_VERSION (once, about 4 minutes)" "$CACHE/log/cargo-pgrx.log" \
        env -u CARGO_TARGET_DIR cargo install cargo-pgrx --version "=$PGRX_VERSION" --locked --no-default-features --root "$CACHE/tools" ||
        die "cargo-pgrx could not be built." "The log is $CACHE/log/cargo-pgrx.log."
    CARGO_PGRX=$CACHE/tools/bin/cargo-pgrx
}
