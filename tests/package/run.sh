#!/usr/bin/env bash
# The packages of `make package`: what is in them, what their scripts do, and whether what they hold runs. Called by
# `scripts/test.sh package` with the variables of server_environment (scripts/extension.sh).
#
# The machine stays as it is: dpkg installs into a scratch root, with a database of its own, as an ordinary user even when we are root;
# commands of the maintainer scripts that would change the machine are stubs (tests/package/stub). Postgres 18 of the tests then takes
# the extension out of that root, and the unit's own lines start the program there.
# lintian, shellcheck, dpkg-shlibdeps and systemd-analyze are asked where they are installed, and named where they are not.
# Each check is counted; the last line is "package: N passed, M failed", the exit code is 1 if M > 0.
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$HERE/../../scripts/lib.sh"
. "$ROOT/scripts/cluster.sh"

[[ -n ${FLUXBASE_TEST_PG_BIN:-} && -n ${FLUXBASE_TEST_STATE:-} ]] || die "nothing is built for this test." "Write: scripts/test.sh package"
PG_BIN=$FLUXBASE_TEST_PG_BIN
EXTENSION=postgresql-18-fluxbase-mcp
GOOD=0 BAD=0

# check NAME COMMAND…: one check; its output is shown when it fails.
check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1 </dev/null); then
        GOOD=$((GOOD + 1))
    else
        BAD=$((BAD + 1))
        printf 'not ok: %s\n%s\n' "$name" "$output"
    fi
}

# same NAME EXPECTED ACTUAL: one check of two texts.
same() {
    if [[ $2 == "$3" ]]; then
        GOOD=$((GOOD + 1))
    else
        BAD=$((BAD + 1))
        printf 'not ok: %s (- expected, + found)\n' "$1"
        diff -U1 <(printf '%s\n' "$2") <(printf '%s\n' "$3") | tail -n +3 || true
    fi
}

# where COMMAND: is it installed? Says so when it is not.
where() { have "$1" || { say "$1 is not installed: what it would check is left out" && return 1; }; }

work=$FLUXBASE_TEST_STATE/package-$$
as_user mkdir -m 0755 "$work"
at_exit 'cluster_stop "$work/data"; rm -rf "$work"'

# ---- building: twice, the same bytes ----
first=$TARGET/package second=$TARGET/package-again
rm -rf "$second"
at_exit 'rm -rf "$second"'
PACKAGE_PGS=18 PACKAGE_OUT=$first bash "$ROOT/scripts/package.sh" || die "the packages cannot be built. Nothing was tested."
(umask 077 && cd / && PACKAGE_PGS=18 PACKAGE_OUT=$second TZ=Asia/Tokyo LC_ALL=C.UTF-8 bash "$ROOT/scripts/package.sh") >/dev/null || die "the packages cannot be built a second time."
version=$(sed -nE '/^\[workspace\.package\]/,/^\[/s/^version = "(.*)"/\1/p' "$ROOT/Cargo.toml")
arch=$(dpkg --print-architecture)
for package in $EXTENSION fluxbase; do
    check "$package has the same bytes when it is built again" cmp "$first/${package}_$version-1_$arch.deb" "$second/${package}_$version-1_$arch.deb"
done
as_user mkdir "$work/deb"
for package in $EXTENSION fluxbase; do as_user tee "$work/deb/$package.deb" <"$first/${package}_$version-1_$arch.deb" >/dev/null; done

# ---- contents ----
# contents PACKAGE: mode, owner and path of each file.
contents() { dpkg-deb --contents "$work/deb/$1.deb" | awk '{ print $1, $2, $6 }'; }
for package in $EXTENSION fluxbase; do
    deb=$work/deb/$package.deb
    same "contents of $package" "$(sed "s/@VERSION@/$version/" "$HERE/$package.list")" "$(contents "$package")"
    as_user dpkg-deb --raw-extract "$deb" "$work/raw-$package"
    check "md5sums of $package" env -C "$work/raw-$package" md5sum --check --strict --quiet DEBIAN/md5sums
    same "md5sums of $package name every file" "$(cd "$work/raw-$package" && find . -path ./DEBIAN -prune -o -type f -printf '%P\n' | sort)" \
        "$(sed 's/^[0-9a-f]*  //' "$work/raw-$package/DEBIAN/md5sums" | sort)"
    same "version of $package" "$version-1" "$(dpkg-deb --field "$deb" Version)"
    same "architecture of $package" "$arch" "$(dpkg-deb --field "$deb" Architecture)"
    doc=$work/raw-$package/usr/share/doc/$package
    check "$package tells the licences of what it is linked with" bash -c 'gzip -dc "$1" | grep -qE "^serde_json [0-9.]+: MIT OR Apache-2.0$"' - "$doc/third-party-licenses.gz"
    same "$package names nobody's home in its texts" "" "$(gzip -dcf "$doc"/* "$work/raw-$package/DEBIAN/control" | grep -oE '/(home|root|tmp)/[^ ]*' || true)"
    binary=$(find "$work/raw-$package" -name fluxbase_mcp_ext.so -o -path '*/usr/bin/fluxbase')
    same "the binary of $package is stripped" "" "$(objdump --section-headers "$binary" | grep -oE '\.(debug_info|symtab|comment)' || true)"
done
same "Depends of $EXTENSION" "postgresql-18 (>= 18.0)" "$(dpkg-deb --field "$work/deb/$EXTENSION.deb" Depends | cut -d, -f1)"
same "Recommends of $EXTENSION" "postgresql-18-pgvector" "$(dpkg-deb --field "$work/deb/$EXTENSION.deb" Recommends)"
same "$EXTENSION has no scripts" "control md5sums" "$(cd "$work/raw-$EXTENSION/DEBIAN" && echo *)"
same "settings that belong to the administrator" "/etc/fluxbase/fluxbase.yaml" "$(<"$work/raw-fluxbase/DEBIAN/conffiles")"
check "the packaged settings are those of the documentation" cmp "$ROOT/fluxbase.yaml" "$work/raw-fluxbase/etc/fluxbase/fluxbase.yaml"
manual=$(gzip -dc "$work/raw-fluxbase/usr/share/man/man1/fluxbase.1.gz")
for name in $("$work/raw-fluxbase/usr/bin/fluxbase" --help | sed -nE '/^Commands:/,/^$/s/^  ([a-z]+) .*/\1/p'); do
    check "the manual page has the command $name" grep -qx "\.B $name" <(printf '%s\n' "$manual")
done

# shared_libraries BINARY: what Debian's own tool finds.
shared_libraries() {
    mkdir -p "$work/shlibdeps/debian"
    printf 'Source: fluxbase\n\nPackage: fluxbase\nArchitecture: any\n' >"$work/shlibdeps/debian/control"
    (cd "$work/shlibdeps" && dpkg-shlibdeps -O --ignore-missing-info "$1" 2>/dev/null) | sed -n 's/^shlibs:Depends=//p' | tr ',' '\n' | sed 's/^ *//' | sort
}
if where dpkg-shlibdeps; then
    for package in $EXTENSION fluxbase; do
        binary=$(find "$work/raw-$package" -name fluxbase_mcp_ext.so -o -path '*/usr/bin/fluxbase')
        same "libraries of $package" "$(shared_libraries "$binary")" \
            "$(dpkg-deb --field "$work/deb/$package.deb" Depends | tr ',' '\n' | sed 's/^ *//' | grep ^lib | sort)"
    done
fi
if where lintian; then
    # A library of Postgres is no library for the linker, and ours is not built by Debian's makefiles.
    for package in $EXTENSION fluxbase; do
        same "lintian on $package" "" "$(lintian --fail-on none --no-tag-display-limit --suppress-tags "$(grep -v '^#' "$HERE/lintian-suppressed" | cut -d: -f1 | paste -sd,)" \
            "$first/${package}_$version-1_$arch.deb" 2>&1 | grep -E '^[EW]:' || true)"
    done
fi
for script in postinst prerm postrm; do check "syntax of $script" sh -n "$work/raw-fluxbase/DEBIAN/$script"; done
if where shellcheck; then
    check "shellcheck" shellcheck "$work"/raw-fluxbase/DEBIAN/{postinst,prerm,postrm} "$HERE/stub"
    check "shellcheck of what builds and tests" shellcheck -S warning -x -P "$HERE:$ROOT/scripts" "$ROOT/scripts/package.sh" "${BASH_SOURCE[0]}"
fi

# ---- the units ----
unit=$work/raw-fluxbase/usr/lib/systemd/system/fluxbase.service
if where systemd-analyze; then
    # Its commands must exist where it looks, and it looks on this machine.
    as_user mkdir "$work/units"
    sed "s#/usr/bin/fluxbase#$work/raw-fluxbase/usr/bin/fluxbase#" "$unit" | as_user tee "$work/units/fluxbase.service" >/dev/null
    as_user cp "${unit%service}socket" "$work/units/"
    same "systemd-analyze verify" "" "$(systemd-analyze verify --man=no "$work"/units/fluxbase.{service,socket} 2>&1 | grep fluxbase || true)"
    exposure=$(systemd-analyze security --no-pager --offline=true "$unit" 2>/dev/null | sed -nE 's/.*exposure level for fluxbase\.service: ([0-9.]+) .*/\1/p')
    say "systemd-analyze security: exposure ${exposure:-unknown} of 10"
    check "the exposure is at most 1.5, not ${exposure:-unknown}" awk -v level="${exposure:-10}" 'BEGIN { exit level > 1.5 }'
fi
# These hold without systemd, too: a line that somebody takes out is missed.
for line in NoNewPrivileges=yes CapabilityBoundingSet= ProtectSystem=strict ProtectHome=yes PrivateTmp=yes PrivateDevices=yes MemoryDenyWriteExecute=yes \
    'RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX' SystemCallFilter=@system-service User=fluxbase Restart=on-failure; do
    check "the unit says $line" grep -qxF "$line" "$unit"
done

# ---- installing: a scratch root ----
root=$work/root
as_user mkdir -p "$root"/{etc,run/systemd/system} "$root"/var/lib/dpkg/{info,updates,triggers} "$work/bin"
as_user touch "$root/var/lib/dpkg/status" "$work/accounts" "$work/calls"
as_user tee "$work/bin/stub" <"$HERE/stub" >/dev/null
as_user chmod 0755 "$work/bin/stub"
for name in getent useradd userdel chown systemctl deb-systemd-invoke; do as_user ln -s stub "$work/bin/$name"; done

# dpkg_there ARGUMENT…: dpkg, on the scratch root. The packages that ours depend on are the machine's.
dpkg_there() {
    as_user env PATH="$work/bin:/usr/sbin:/usr/bin:/sbin:/bin" CALLS="$work/calls" ACCOUNTS="$work/accounts" SCRATCH="$root" \
        dpkg --root="$root" --log=/dev/null --force-not-root --force-script-chrootless --force-depends "$@"
}
# calls: what the scripts called since the last time.
calls() { cat "$work/calls" && : >"$work/calls"; }
# files: what is in the root, apart from dpkg's own database.
files() { (cd "$root" && find . -path ./var/lib/dpkg -prune -o ! -type d -print | LC_ALL=C sort); }
settings=$root/etc/fluxbase/fluxbase.yaml env=$root/etc/fluxbase/fluxbase.env

check "dpkg installs the extension" dpkg_there --install "$work/deb/$EXTENSION.deb"
same "scripts of the extension" "" "$(calls)"
check "dpkg installs the listener" dpkg_there --install "$work/deb/fluxbase.deb"
same "installing: what the scripts did" "getent passwd fluxbase
useradd --prefix ROOT --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin --comment fluxbase listener fluxbase
chown root:fluxbase ROOT/etc/fluxbase/fluxbase.env.new
systemctl --system daemon-reload
deb-systemd-invoke try-restart fluxbase.service" "$(calls)"
same "mode of the file with the password" 640 "$(stat -c %a "$env")"
same "the password's file names no database yet" "" "$(grep -v '^#' "$env" || true)"

# ---- running it: Postgres 18 takes the extension from there ----
say "running what was installed"
cluster_init "$work/data" package --locale=C --no-sync
socket_dir "$work/socket"
socket=$REPLY
cluster_configure "$work/data" <<CONF
shared_preload_libraries = 'fluxbase_mcp_ext'
extension_control_path = '$root/usr/share/postgresql/18:\$system'
dynamic_library_path = '$root/usr/lib/postgresql/18/lib:\$libdir'
listen_addresses = ''
unix_socket_directories = '$socket'
fsync = off
CONF
cluster_start "$work/data" "$socket" "$work/server.log" || die "Postgres did not start with the packaged library preloaded."
same "the library that Postgres has loaded" "$root/usr/lib/postgresql/18/lib/fluxbase_mcp_ext.so" \
    "$(as_user grep -o '/.*/fluxbase_mcp_ext.so' "/proc/$(as_user head -n 1 "$work/data/postmaster.pid")/maps" | sort -u)"
superuser="postgresql://postgres:package@/shop?host=${socket//\//%2F}"
# A mark in the packaged SQL proves that it is this that is installed.
as_user sed -i '$a COMMENT ON SCHEMA mcp IS '\''out of the package'\'';' "$root/usr/share/postgresql/18/extension/fluxbase_mcp_ext--$version.sql"
sql() { as_user env PGPASSWORD=package "$PG_BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$socket" -U postgres -d "${2:-shop}" -c "$1"; }
sql 'CREATE DATABASE shop' postgres
program() { as_user env -i PATH=/usr/bin:/bin "$root/usr/bin/fluxbase" "$@"; }
init=$(program init --json --database-url "$superuser") || init={}
login=$(python3 -c 'import json, sys; print(json.loads(sys.argv[1])["listener"]["database_url"])' "$init" || true)
check "fluxbase init" test -n "$login"
same "the SQL that was installed" "out of the package" "$(sql "SELECT obj_description('mcp'::regnamespace)")"
same "the version of the library that answers" "$version" "$(sql "SELECT mcp.version()")"
sql "CREATE TABLE notes (id int PRIMARY KEY, title text); INSERT INTO notes VALUES (1, 'Milk'); SELECT mcp.expose('public.notes', 'authenticated', '{select}')" >/dev/null
key=$(program clientkeys create --name "AI Assistant" --scopes read:tables,read:schema --json --database-url "$superuser" |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["key"])' || true)
check "fluxbase clientkeys create" test "${key:0:4}" = fbk_
as_user tee -a "$env" <<<"FLUXBASE_DATABASE_URL=$login" >/dev/null
as_user tee "$work/as_systemd.py" <"$HERE/as_systemd.py" >/dev/null
served=$(as_user timeout 400 python3 -B "$work/as_systemd.py" "$root" "$key" 2>&1 || true)
printf '%s\n' "$served"
counted=$(sed -nE 's/^package as systemd: ([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' <<<"$served")
read -r good bad <<<"${counted:-0 1}"
GOOD=$((GOOD + good)) BAD=$((BAD + bad))
cluster_stop "$work/data"

# ---- upgrading, removing, purging ----
# repack VERSION: the same package as a later version, with other settings in it.
repack() {
    as_user cp -a "$work/raw-fluxbase" "$work/raw-$1"
    as_user sed -i "s/^Version: .*/Version: $1/" "$work/raw-$1/DEBIAN/control"
    as_user sed -i '$a # New in this version.' "$work/raw-$1/etc/fluxbase/fluxbase.yaml"
    as_user dpkg-deb --root-owner-group -Zgzip --build "$work/raw-$1" "$work/deb/$1.deb" >/dev/null
}
repack "$version-2"
as_user sed -i 's/^  rate_limit_per_min: 100$/  rate_limit_per_min: 50/' "$settings"
kept="$(<"$settings")
$(<"$env")"
calls >/dev/null
check "dpkg upgrades the listener" dpkg_there --force-confdef --force-confold --install "$work/deb/$version-2.deb"
same "upgrading: what the scripts did" "getent passwd fluxbase
systemctl --system daemon-reload
deb-systemd-invoke try-restart fluxbase.service" "$(calls)"
same "the administrator's settings are kept" "$kept" "$(<"$settings")
$(<"$env")"
check "the package's settings are laid beside them" grep -q 'New in this version' "$settings.dpkg-dist"
check "dpkg removes the listener" dpkg_there --remove fluxbase
same "removing: what the scripts did" "deb-systemd-invoke stop fluxbase.socket fluxbase.service
systemctl --root=ROOT --no-reload --quiet disable fluxbase.socket fluxbase.service
systemctl --system daemon-reload" "$(calls)"
check "dpkg removes the extension" dpkg_there --remove $EXTENSION
same "what is left after removing" "./etc/fluxbase/fluxbase.env
./etc/fluxbase/fluxbase.yaml
./etc/fluxbase/fluxbase.yaml.dpkg-dist
./run/notify" "$(files)"
check "dpkg purges both" dpkg_there --purge fluxbase $EXTENSION
same "purging: what the scripts did" "getent passwd fluxbase
userdel --prefix ROOT fluxbase" "$(calls)"
same "what is left after purging" "./run/notify" "$(files)"
same "folders that are left after purging" "" "$(cd "$root" && find . -type d | grep -E 'fluxbase|usr' || true)"

# Another's user of that name, another's file in the folder, a password that was there before: none of it is touched.
as_user tee "$work/accounts" <<<"fluxbase:x:990:990:runs Postgres:/nonexistent:/usr/sbin/nologin" >/dev/null
as_user mkdir -p "$root/etc/fluxbase"
as_user tee "$env" <<<"FLUXBASE_DATABASE_URL=before" >/dev/null
as_user chmod 0600 "$env"
check "dpkg installs beside what is there" dpkg_there --install "$work/deb/fluxbase.deb"
same "a password that is there stays, with its mode" "600 FLUXBASE_DATABASE_URL=before" "$(stat -c %a "$env") $(as_user cat "$env")"
as_user tee "$root/etc/fluxbase/tls.key" <<<"secret" >/dev/null
check "dpkg purges again" dpkg_there --purge fluxbase
same "another's user: what the scripts did" "getent passwd fluxbase" "$(calls | grep -E '^(getent|useradd|userdel|chown)' | sort -u)"
same "another's file stays" "./etc/fluxbase/tls.key
./run/notify" "$(files)"

printf 'package: %d passed, %d failed\n' "$GOOD" "$BAD"
((BAD == 0))
