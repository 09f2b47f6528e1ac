#!/usr/bin/env bash
# Builds the Debian packages with plain dpkg-deb, as any user, into target/package:
#   postgresql-NN-fluxbase-mcp_VERSION_ARCH.deb   the extension, one for each major version
#   fluxbase_VERSION_ARCH.deb                     the program, its systemd units and its settings
#
# Environment: PACKAGE_PGS        majors, default "15 16 18", those whose headers we can get; another one needs
#                                 /usr/lib/postgresql/NN/bin/pg_config
#              PG_CONFIG          the Postgres of this pg_config alone
#              PACKAGE_REVISION   Debian's part of the version, default 1 (0.1.0-1)
#              PACKAGE_MAINTAINER "Name <address>"
#              PACKAGE_OUT        default target/package
#              SOURCE_DATE_EPOCH  default the time of the commit
#
# The same build gives the same bytes: times are those of the commit, owners are root's, names are sorted. What the compiler
# gives depends on the compiler and on the folders of the build. Nothing is installed on this machine but what a build needs.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$ROOT/scripts/deps.sh"
. "$ROOT/scripts/postgres.sh"
. "$ROOT/scripts/extension.sh"

PACKAGING=$ROOT/scripts/packaging
OUT=${PACKAGE_OUT:-$TARGET/package}
MAINTAINER=${PACKAGE_MAINTAINER:-fluxbase_mcp_ext <package@fluxbase.invalid>}

# The first minor of each major that keeps plans right across a change of role (CVE-2024-10976).
declare -A FIRST_MINOR=([14]=14.14 [15]=15.9 [16]=16.5 [17]=17.1 [18]=18.0)

prepare() {
    have dpkg-deb || die "dpkg-deb was not found: the packages are Debian's." "Build without a package instead: make install PG_CONFIG=…"
    need_build_tools
    have objdump && have strip || die "objdump and strip were not found." "Install them (Debian: apt-get install binutils), then run this again."
    UPSTREAM=$(sed -nE '/^\[workspace\.package\]/,/^\[/s/^version = "(.*)"/\1/p' "$ROOT/Cargo.toml")
    VERSION=$UPSTREAM-${PACKAGE_REVISION:-1}
    ARCH=$(dpkg --print-architecture)
    # Not exported: build scripts of crates look at SOURCE_DATE_EPOCH, and each commit would compile them anew.
    EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$ROOT" -c safe.directory="$ROOT" log -1 --format=%ct 2>/dev/null || stat -c %Y "$ROOT/CHANGELOG.md")}
    WORK=$(mktemp -d)
    at_exit 'rm -rf "$WORK"'
    mkdir -p "$OUT"
}

# put MODE FILE PLACE: a file of the package.
put() { install -D -m "$1" "$2" "$STAGE/$3"; }

# put_binary MODE FILE PLACE: without the compiler's symbols, which are 4/5 of it.
put_binary() {
    put "$1" "$2" "$3"
    strip --strip-unneeded --remove-section=.comment "$STAGE/$3"
}

# put_packed FILE PLACE: compressed, always to the same bytes.
put_packed() {
    mkdir -p "$STAGE/$(dirname "$2")"
    gzip -9n <"$1" >"$STAGE/$2.gz"
    chmod 0644 "$STAGE/$2.gz"
}

# library_depends FILE: the packages of the shared libraries that FILE asks for, in the versions whose symbols it uses.
library_depends() {
    local needed name version depends=()
    needed=$(objdump --private-headers "$1" | awk '$1 == "NEEDED" { print $2 }')
    for name in $needed; do
        case $name in
            libc.so.6 | libm.so.6 | ld-linux-*.so.*) ;;
            libgcc_s.so.1) depends+=("libgcc-s1 (>= 4.2)") ;;
            *) die "$1 needs $name, and no package is known for it." "Add it to library_depends in scripts/package.sh. Nothing was packaged." ;;
        esac
    done
    version=$(objdump --dynamic-syms "$1" | grep -oE 'GLIBC_[0-9.]+' | sort -Vu | tail -n 1)
    [[ $version == GLIBC_* ]] || die "$1 uses no symbol of libc: is it a program for Linux?"
    printf 'libc6 (>= %s)' "${version#GLIBC_}"
    ((${#depends[@]} == 0)) || printf ', %s' "${depends[@]}"
}

# put_docs PACKAGE README.Debian CRATE FEATURE…: what every package has below /usr/share/doc.
put_docs() {
    local package=$1 readme=$2 doc=usr/share/doc/$1
    shift 2
    put 0644 "$PACKAGING/copyright" "$doc/copyright"
    put 0644 "$readme" "$doc/README.Debian"
    put_packed "$ROOT/CHANGELOG.md" "$doc/changelog"
    printf '%s (%s) unstable; urgency=medium\n\n  * Version %s. What is new is in changelog.gz.\n\n -- %s  %s\n' "$package" "$VERSION" "$UPSTREAM" \
        "$MAINTAINER" "$(LC_ALL=C date --utc --date="@$EPOCH" --rfc-email)" >"$WORK/changelog.Debian"
    put_packed "$WORK/changelog.Debian" "$doc/changelog.Debian"
    (cd "$ROOT" && python3 "$PACKAGING/licenses.py" "$@") >"$WORK/licenses" || die "the licences of $1 could not be gathered."
    put_packed "$WORK/licenses" "$doc/third-party-licenses"
}

# finish PACKAGE, fields without Package, Version, Architecture, Maintainer and Installed-Size on standard input: the .deb.
finish() {
    local package=$1 deb=$OUT/${1}_${VERSION}_$ARCH.deb control=$STAGE/DEBIAN size
    mkdir -p "$control"
    size=$(find "$STAGE" -path "$control" -prune -o -type f -printf '%s\n' -o -printf '1\n' | awk '{ kib += int(($1 + 1023) / 1024) } END { print kib }')
    {
        printf '%s: %s\n' Package "$package" Version "$VERSION" Architecture "$ARCH" Maintainer "$MAINTAINER" Installed-Size "$size"
        cat
    } >"$control/control"
    (cd "$STAGE" && find . -path ./DEBIAN -prune -o -type f -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' md5sum) >"$control/md5sums"
    [[ ! -d $STAGE/etc ]] || (cd "$STAGE" && find etc -type f -printf '/%p\n' | LC_ALL=C sort) >"$control/conffiles"
    find "$STAGE" -exec touch --no-dereference --date="@$EPOCH" {} +
    # One thread: xz writes other bytes with several.
    env SOURCE_DATE_EPOCH="$EPOCH" DPKG_DEB_THREADS_MAX=1 dpkg-deb -Zxz --root-owner-group --build "$STAGE" "$deb.new" >/dev/null
    mv -f "$deb.new" "$deb"
    say "$deb ($(($(stat -c %s "$deb") / 1024)) kB)"
}

# extension_pg_config MAJOR: sets PG_CONFIG.
extension_pg_config() {
    case $1 in
        15 | 16 | 18) postgres_tree "$1" ;;
        *)
            PG_CONFIG=/usr/lib/postgresql/$1/bin/pg_config
            [[ -x $PG_CONFIG && -d $("$PG_CONFIG" --includedir-server) ]] ||
                die "there are no headers of Postgres $1 on this machine." "Install postgresql-server-dev-$1, or name others: make package PACKAGE_PGS=\"15 16 18\""
            ;;
    esac
}

# package_extension PG_CONFIG: the library is built as for `make install`, and put into a folder of its own instead.
package_extension() {
    local pg_config=$1 major built package library depends file
    major=$(pg_major "$pg_config")
    [[ -n ${FIRST_MINOR[$major]:-} ]] || die "Postgres $major is none that the extension is for." "Those are 14 to 18."
    package=postgresql-$major-fluxbase-mcp
    extension_files "$pg_config" release
    built=$REPLY
    STAGE=$WORK/$package
    library=usr/lib/postgresql/$major/lib/fluxbase_mcp_ext.so
    put_binary 0644 "$(find "$built" -name fluxbase_mcp_ext.so)" "$library"
    depends=$(library_depends "$STAGE/$library")
    while IFS= read -r file; do
        put 0644 "$file" "usr/share/postgresql/$major/extension/$(basename "$file")"
    done < <(find "$built" -name 'fluxbase_mcp_ext*.control' -o -name 'fluxbase_mcp_ext*.sql')
    put_docs "$package" "$PACKAGING/postgresql.README.Debian" fluxbase_mcp_ext "pg$major"
    finish "$package" <<CONTROL
Section: database
Priority: optional
Depends: postgresql-$major (>= ${FIRST_MINOR[$major]}), $depends
Recommends: postgresql-$major-pgvector
Suggests: fluxbase
Description: Model Context Protocol server inside PostgreSQL $major
 With the extension fluxbase_mcp_ext, assistants that speak the Model Context
 Protocol (MCP) read and change tables as a database role of your choice, under
 grants and row-level security. It answers in SQL by itself; the package
 fluxbase has the listener that answers over HTTP.
CONTROL
}

# manual: the man page, with the commands that the program itself tells.
manual() {
    "$FLUXBASE_BIN" --help | awk '
        /^Commands:/ { inside = 1; next }
        !inside || /^$/ { if (inside) exit; next }
        /^  [a-z]/ { print ".TP\n.B " $1; $1 = ""; sub(/^ +/, ""); print; next }
        { sub(/^ +/, ""); print }' >"$WORK/commands"
    [[ -s $WORK/commands ]] || die "fluxbase --help names no commands: has its form changed?"
    sed -e "/^@COMMANDS@/{r $WORK/commands" -e 'd}' "$PACKAGING/fluxbase.1"
}

package_listener() {
    build_listener
    STAGE=$WORK/fluxbase
    put_binary 0755 "$FLUXBASE_BIN" usr/bin/fluxbase
    put 0644 "$PACKAGING/fluxbase.service" usr/lib/systemd/system/fluxbase.service
    put 0644 "$PACKAGING/fluxbase.socket" usr/lib/systemd/system/fluxbase.socket
    put 0644 "$ROOT/fluxbase.yaml" etc/fluxbase/fluxbase.yaml
    put 0644 "$PACKAGING/fluxbase.env" usr/share/fluxbase/fluxbase.env
    manual >"$WORK/fluxbase.1"
    put_packed "$WORK/fluxbase.1" usr/share/man/man1/fluxbase.1
    put_docs fluxbase "$PACKAGING/fluxbase.README.Debian" listener
    local script depends
    depends=$(library_depends "$STAGE/usr/bin/fluxbase")
    for script in postinst prerm postrm; do put 0755 "$PACKAGING/fluxbase.$script" "DEBIAN/$script"; done
    finish fluxbase <<CONTROL
Section: database
Priority: optional
Depends: passwd, $depends
Recommends: ca-certificates
Suggests: postgresql
Description: HTTP listener and command line of fluxbase_mcp_ext
 Assistants that speak the Model Context Protocol (MCP) reach a PostgreSQL
 database with the extension fluxbase_mcp_ext through this listener. It holds no
 power of its own: PostgreSQL checks each key and runs each tool as the role of
 the key. The program also sets databases up and makes keys.
CONTROL
}

prepare
if [[ -n ${PG_CONFIG:-} ]]; then
    [[ -x $PG_CONFIG ]] || die "\"$PG_CONFIG\" is no pg_config." "Write: make package PG_CONFIG=/path/to/pg_config"
    package_extension "$PG_CONFIG"
else
    for major in ${PACKAGE_PGS:-15 16 18}; do
        [[ $major =~ ^[0-9]+$ ]] || die "\"$major\" is no major version." "Write for example: make package PACKAGE_PGS=\"16 18\""
        extension_pg_config "$major"
        package_extension "$PG_CONFIG"
    done
fi
package_listener
