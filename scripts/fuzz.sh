#!/usr/bin/env bash
# Fuzzes the query crate, guided by the coverage of its code: fuzz.sh SECONDS SEED [OPTION…]. Inputs that break it go to .cache/fuzz.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
. "$ROOT/scripts/deps.sh"
need_build_tools
duration=${1:-60} seed=${2:-$RANDOM$RANDOM}
shift $(($# < 2 ? $# : 2))
run_logged "building the fuzzer" "$CACHE/log/fuzz-build.log" \
    env -C "$ROOT" RUSTC_WRAPPER="$ROOT/scripts/rustc-coverage.sh" CARGO_TARGET_DIR="$TARGET/fuzz" cargo build --profile fuzz --package fluxbase_fuzz --bin fuzz ||
    die "the fuzzer does not build." "The whole log is $CACHE/log/fuzz-build.log."
say "seed $seed, $duration s"
exec "$TARGET/fuzz/fuzz/fuzz" --seconds "$duration" --seed "$seed" --findings "$CACHE/fuzz" "$@"
