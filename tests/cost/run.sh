#!/usr/bin/env bash
# Counts what one call costs the crates that need no Postgres (instructions by valgrind, allocations, bytes) and holds it against baseline.txt.
# A figure may be a tenth above its baseline, since compilers differ; one that is a quarter below asks for a new baseline, or what was gained could be
# lost again unseen. ACCEPT=1 writes the baseline anew. The last line is "cost: N passed, M failed".
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
. "$ROOT/scripts/deps.sh"

have valgrind || apt_install valgrind || die "valgrind is missing." "Install it (Debian: apt-get install valgrind), then run this again."
run_logged "building what is counted" "$CACHE/log/cost-build.log" \
    env -C "$ROOT" CARGO_TARGET_DIR="$TARGET" cargo build --release --package fluxbase_cost || die "it does not build." "The log is $CACHE/log/cost-build.log."
program=$TARGET/release/cost
baseline=$ROOT/tests/cost/baseline.txt
log=$(mktemp)
at_exit 'rm -f "$log"'

# instructions CASE TIMES
instructions() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$2" >/dev/null 2>"$log" || {
        cat "$log" >&2
        return 1
    }
    sed -nE 's/.*Collected : ([0-9]+).*/\1/p' "$log"
}

passed=0 failed=0 new=
while read -r name; do
    few=$(instructions "$name" 100) many=$(instructions "$name" 600)
    read -r allocations bytes <<<"$("$program" "$name" 1000)"
    counted=($(((many - few) / 500)) "$allocations" "$bytes")
    new+="$name ${counted[*]}"$'\n'
    read -r -a known <<<"$(sed -nE "s/^$name //p" "$baseline" 2>/dev/null)" || true
    verdict=ok
    for n in 0 1 2; do
        was=${known[n]:-0} is=${counted[n]}
        ((is * 10 <= was * 11)) || verdict="TOO MUCH"
        [[ $verdict != ok ]] || ((is * 4 >= was * 3)) || verdict="MUCH LESS: ACCEPT=1 makes it the baseline"
    done
    printf '%-22s %8d instructions (%d)  %4d allocations (%d)  %6d bytes (%d)  %s\n' \
        "$name" "${counted[0]}" "${known[0]:-0}" "${counted[1]}" "${known[1]:-0}" "${counted[2]}" "${known[2]:-0}" "$verdict"
    if [[ $verdict == ok ]]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done < <("$program")
if [[ ${ACCEPT:-} == 1 ]]; then
    printf '%s' "$new" >"$baseline"
    passed=$((passed + failed)) failed=0
fi
echo "cost: $passed passed, $failed failed"
((failed == 0))
