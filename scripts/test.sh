#!/usr/bin/env bash
# Runs the tests and counts them. scripts/test.sh PART… with PART out of:
#   check        cargo fmt and clippy, extension included      rust     the crates that need no Postgres, and the listener
#   regress-18   pg_regress on a Postgres (also -16, -15, -15-cassert)  e2e      the client-side crate: real listener, real Postgres
#   clients      tests/clients/run.sh: real MCP clients    docs     the reference against the code
#   differential the same questions to PostgREST, and to SQL by hand on a real data set
#   conformance  tests/conformance/run.sh: the official MCP conformance suite
#   cost         tests/cost/run.sh: instructions and allocations of one call, against a baseline
#   dump         tests/dump/run.sh: a database of Postgres 16 is dumped and restored into 18
#   tls          tests/tls/run.sh: the listener towards a Postgres with TLS
#   package      tests/package/run.sh: the Debian packages, installed into a scratch root and run there
#   jobs-soak    JOBS=100000 background jobs while processes are killed; writes docs/reports/jobs.md
#   sqlsmith     tests/sqlsmith/run.sh: random queries of a weak role; QUERIES=20000 SEED=1
#   faults       tests/src/bin/faults: kills, restarts, a full disk and a hung runtime under load; ROUNDS=3
#   deny         licences, sources and bans of all crates that are compiled in (cargo-deny, deny.toml)
#   soak         tests/src/bin/soak: mixed load, what processes and tables hold; MINUTES=30
# Every part runs even when an earlier one failed. The last line is "N passed, M failed"; the exit code is 1 if M > 0.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$ROOT/scripts/deps.sh"
. "$ROOT/scripts/postgres.sh"
. "$ROOT/scripts/extension.sh"
. "$ROOT/tests/differential/environment.sh"
. "$ROOT/tests/functions/environment.sh"
. "$ROOT/tests/embedding/environment.sh"
cd "$ROOT"
KNOWN="check rust cost docs regress-18 regress-16 regress-15 regress-15-cassert e2e differential clients conformance package dump tls jobs-soak sqlsmith deny faults soak"
(($#)) || die "which part?" "Known: $KNOWN"

# ---- one part: a process of its own, which leaves "PASSED FAILED" in the file RESULT ----
# count PASSED FAILED
count() { echo "$1 $2" >"$RESULT"; }

# check_step NAME COMMAND…: one check, one count.
check_step() {
    local name=$1 status=0
    shift
    run_logged "$name" "$CACHE/log/check-${name// /-}.log" "$@" || status=$?
    if ((status)); then BAD=$((BAD + 1)); else GOOD=$((GOOD + 1)); fi
}

part_check() {
    local GOOD=0 BAD=0
    check_step "fmt" cargo fmt --all --check
    check_step "clippy of the workspace" env CARGO_TARGET_DIR="$TARGET" cargo clippy --workspace --exclude fluxbase_mcp_ext --all-targets -- -D warnings
    # Profile, folder and flags of the build (the flags are cargo-pgrx's own), so that both share what they compile.
    postgres_tree 18
    pgrx_home 18 18 "$PG_CONFIG"
    check_step "clippy of the extension" env PGRX_HOME="$PGRX_HOME" CARGO_TARGET_DIR="$TARGET/pgrx-18" \
        cargo clippy --config "target.'cfg(all(target_family = \"unix\", not(target_os = \"macos\")))'.rustflags = [\"-C\", \"link-arg=-Wl,--no-gc-sections\"]" --package fluxbase_mcp_ext --lib --release --no-default-features --features pg18 -- -D warnings
    # No headers of 14 and 17 are in the registries that we use: those are type-checked against the bindings pgrx ships.
    local major
    for major in 14 17; do
        check_step "types for Postgres $major" env DOCS_RS=1 RUSTC_WRAPPER="$ROOT/scripts/rustc-shipped-bindings.sh" CARGO_TARGET_DIR="$TARGET/shipped-bindings" \
            cargo check --package fluxbase_mcp_ext --no-default-features --features "pg$major"
    done
    count "$GOOD" "$BAD"
    ((BAD == 0))
}

part_docs() {
    server_environment
    script_counted . tests/docs/run.sh
}

# cargo_counted ARGUMENT…: cargo test; its output is shown, its "test result" lines are added up.
cargo_counted() {
    local log=$CACHE/log/test-$PART.log status=0
    CARGO_TARGET_DIR=$TARGET cargo test --no-fail-fast "$@" </dev/null 2>&1 | tee "$log" || status=$?
    # shellcheck disable=SC2046
    count $(awk '/^test result:/ { p += $4; f += $6 } END { printf "%d %d", p, f }' "$log")
    return "$status"
}

part_rust() { cargo_counted --workspace --exclude fluxbase_mcp_ext --exclude fluxbase_tests; }

# script_counted PATTERN SCRIPT ARGUMENT…: a script of the tests; its output is shown, its lines "… N passed, M failed" that match are added up.
script_counted() {
    local pattern=$1 log=$CACHE/log/test-$PART.log status=0
    shift
    bash "$@" </dev/null 2>&1 | tee "$log" || status=$?
    # shellcheck disable=SC2046
    count $(sums "$pattern" "$log")
    return "$status"
}

part_cost() { script_counted '^cost: ' tests/cost/run.sh; }

part_regress() {
    local major=$1 profile=dev
    [[ $major != 18 ]] || profile=release
    # shellcheck disable=SC2086
    script_counted "^regress $major: " scripts/regress.sh --profile "$profile" ${ACCEPT:+--accept} "$major" ${TESTS:-}
}

# sums PATTERN LOG: adds up the lines "… N passed, M failed" that match.
sums() { grep -E "$1" "$2" | sed -nE 's/^(.*[: ])?([0-9]+) passed, ([0-9]+) failed.*/\2 \3/p' | awk '{ p += $1; f += $2 } END { printf "%d %d", p, f }'; }

part_e2e() {
    functions_environment
    embedding_environment
    server_environment
    cargo_counted --package fluxbase_tests --test e2e
}

# TESTS="operators:: made_up" runs some.
part_differential() {
    differential_environment
    server_environment
    # shellcheck disable=SC2086
    cargo_counted --package fluxbase_tests --test differential -- ${TESTS:-}
}

part_clients() {
    server_environment
    script_counted . tests/clients/run.sh
}

part_conformance() {
    server_environment
    script_counted '^conformance ' tests/conformance/run.sh
}

part_package() {
    server_environment
    script_counted '^package: ' tests/package/run.sh
}

part_dump() { script_counted '^dump: ' tests/dump/run.sh; }
part_tls() { script_counted '^tls: ' tests/tls/run.sh; }

# A run of the e2e crate's own test with more jobs, the report beside it.
part_jobs-soak() {
    server_environment
    mkdir -p "$ROOT/docs/reports"
    JOBS_SOAK=${JOBS:-100000} JOBS_SOAK_REPORT=$ROOT/docs/reports/jobs.md cargo_counted --package fluxbase_tests --test e2e -- jobs_soak
}

part_sqlsmith() { script_counted '^sqlsmith: ' tests/sqlsmith/run.sh "${QUERIES:-20000}" "${SEED:-1}"; }

# Advisories need the advisory database, which is in no package registry: `cargo deny check advisories`, where there is a network.
part_deny() {
    local GOOD=0 BAD=0 version=0.20.2 tool
    tool=$CACHE/tools/cargo-deny-$version
    [[ -x $tool/bin/cargo-deny ]] ||
        run_logged "building cargo-deny $version" "$CACHE/log/cargo-deny.log" \
            env CARGO_TARGET_DIR="$tool/target" cargo install --locked --root "$tool" --version "$version" cargo-deny ||
        die "cargo-deny does not build." "The log is $CACHE/log/cargo-deny.log."
    rm -rf "$tool/target"
    local what
    for what in licenses bans sources; do
        check_step "$what of all crates" "$tool/bin/cargo-deny" --offline check "$what"
    done
    count "$GOOD" "$BAD"
    ((BAD == 0))
}

# under_load NAME VARIABLE=VALUE…: a program of the tests crate that writes docs/reports/NAME.md (FLUXBASE_REPORTS: another folder).
under_load() {
    local name=$1 log=$CACHE/log/test-$1.log status=0 reports=${FLUXBASE_REPORTS:-$ROOT/docs/reports}
    shift
    server_environment
    mkdir -p "$reports"
    run_logged "building $name" "$CACHE/log/build-$name.log" env -C "$ROOT" CARGO_TARGET_DIR="$TARGET" cargo build --package fluxbase_tests --bin "$name" ||
        die "tests/src/bin/$name does not build." "The whole log is $CACHE/log/build-$name.log."
    env "${name^^}_REPORT=$reports/$name.md" "$@" "$TARGET/debug/$name" </dev/null 2>&1 | tee "$log" || status=$?
    # shellcheck disable=SC2046
    count $(sums "^$name: " "$log")
    return "$status"
}

part_faults() { under_load faults FAULTS_ROUNDS="${ROUNDS:-3}"; }
part_soak() { under_load soak SOAK_MINUTES="${MINUTES:-30}"; }

if [[ $1 == --one ]]; then
    PART=$2 RESULT=$3
    need_build_tools
    case $PART in
        regress-*) part_regress "${PART#regress-}" ;;
        *) "part_$PART" ;;
    esac
    exit
fi

# ---- all parts ----
# our_processes: ids of running programs out of our trees (Postgres), our target folder (the listener), our downloads (PostgREST, Deno) or
# the packages that are being tried.
our_processes() {
    local link exe
    for link in /proc/[0-9]*/exe; do
        exe=$(readlink "$link" 2>/dev/null) || continue
        case $exe in "$STATE"/postgres/* | "$TARGET"/*/fluxbase* | "$CACHE"/differential/* | "$CACHE"/functions/* | "$STATE"/tests/package-*) echo "${link//[^0-9]/}" ;; esac
    done | sort
}

for part in "$@"; do
    [[ $part =~ ^(check|rust|cost|docs|e2e|differential|clients|conformance|package|dump|tls|jobs-soak|sqlsmith|deny|faults|soak|regress-[0-9]+(-cassert)?)$ ]] || die "there is no part \"$part\"." "Known: $KNOWN"
done
need_build_tools
before=$(our_processes)
passed=0 failed=0 summary=()
result=$(mktemp)
at_exit 'rm -f "$result"'
for part in "$@"; do
    start=$EPOCHSECONDS status=0
    say "==== $part ===="
    echo "0 0" >"$result"
    bash "${BASH_SOURCE[0]}" --one "$part" "$result" || status=$?
    ((status < 128)) || exit "$status" # interrupted
    read -r good bad <"$result"
    # A part that ended badly without a counted failure (it did not build, say) counts as one.
    ((status == 0 || bad > 0)) || bad=1
    passed=$((passed + good)) failed=$((failed + bad))
    summary+=("$(printf '  %-12s %5d passed %5d failed  in %d s' "$part" "$good" "$bad" $((EPOCHSECONDS - start)))")
done

# Nothing may be left running. Processes need a moment to go.
for ((i = 0; i < 50; i++)); do
    left=$(comm -13 <(echo "$before") <(our_processes))
    [[ -n $left ]] || break
    sleep 0.1
done
if [[ -n $left ]]; then
    echo "left running after the tests:"
    for pid in $left; do printf '  %s %s\n' "$pid" "$(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null || true)"; done
    failed=$((failed + 1))
fi

echo
printf '%s\n' "${summary[@]}"
say "done"
printf '\n%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
