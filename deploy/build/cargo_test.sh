#!/usr/bin/env bash
# Runs the tests of the whole workspace, and ends with one line that adds up every test binary:
# cargo's own last line counts only the documentation tests of the last crate.
#
#   cargo_test.sh [ARGUMENT...]      the arguments go to the test binaries
set -euo pipefail

log=$(mktemp)
trap 'rm -f "$log"' EXIT

code=0
cargo test --workspace -- "$@" | tee "$log" || code=$?

sum() { awk -v what="$1;" '/^test result: / { for (i = 2; i <= NF; i++) if ($i == what) n += $(i - 1) } END { print n + 0 }' "$log"; }
echo
echo "$(sum passed) passed, $(sum failed) failed, $(sum ignored) skipped"
exit "$code"
