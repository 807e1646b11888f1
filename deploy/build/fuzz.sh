#!/usr/bin/env bash
# Fuzzes everything that reads untrusted bytes, each target for the given number of seconds. A finding is kept under
# tests/fuzz/artifacts/ and ends the run.
#
#   fuzz.sh SECONDS [TARGET...]
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."
seconds=$1
shift

"$here/tools.sh" fuzz
PATH="$("$here/tools.sh" path):$PATH"
# libFuzzer's instrumentation wants unstable compiler flags; the compiler itself is the ordinary one.
export RUSTC_BOOTSTRAP=1

targets=("$@")
[ $# -gt 0 ] || mapfile -t targets < <(cargo fuzz list --fuzz-dir tests/fuzz)

log=$(mktemp)
trap 'rm -f "$log"' EXIT
for target in "${targets[@]}"; do
    echo "== fuzzing $target for $seconds s"
    mkdir -p "tests/fuzz/corpus/$target"
    # Nothing here is unsafe, so the address sanitizer would only slow it down.
    if ! cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none "$target" \
        "tests/fuzz/corpus/$target" "tests/fuzz/seeds/$target" -- \
        -max_total_time="$seconds" -max_len=65536 -timeout=10 -print_final_stats=1 >"$log" 2>&1; then
        tail -n 60 "$log"
        echo "== fuzzing $target found something, or did not build" >&2
        exit 1
    fi
    grep -E '^(Done|stat::average)' "$log"
done
