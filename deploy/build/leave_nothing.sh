#!/usr/bin/env bash
# Runs a command and sees to it that no process and no temporary file of it is left, however it ends.
#
#   leave_nothing.sh COMMAND [ARGUMENT...]
#
# The command's own exit code is handed on; one that succeeds but leaves a process running fails with exit 1.
# Servers detach themselves from their parent, and PostgreSQL writes over its environment, so a process is known as
# ours by any of three marks: a variable in its environment, its working folder, or its command line, the last two
# naming the temporary folder that this run was given. Nothing else is ever signalled.
#
# shellcheck disable=SC2317,SC2062  # the trap reaches everything in `finish`; what follows -f is a file, not a pattern
set -euo pipefail

# Short, because PostgreSQL puts a socket below it, and passable, because PostgreSQL runs as another user under root.
folder=$(mktemp -d "${TMPDIR:-/tmp}/rk-XXXXXX")
chmod 1777 "$folder"
mark="LEAVE_NOTHING_${folder##*-}=1"
child=

# The folder goes to grep by standard input, or its own command line would match.
ours() {
    {
        grep -lzxF -- "$mark" /proc/[0-9]*/environ || true
        grep -lF -f - /proc/[0-9]*/cmdline <<<"$folder/" || true
        find /proc/[0-9]* -maxdepth 1 -name cwd \( -lname "$folder" -o -lname "$folder/*" \) || true
    } 2>/dev/null | cut -d/ -f3 | sort -un
}

# A server that was told to stop may need a moment; what is still there after it was left behind.
wait_until_none() { # seconds
    local tries=$(($1 * 10))
    while [ "$tries" -gt 0 ]; do
        [ -n "$(ours)" ] || return 0
        sleep 0.1
        tries=$((tries - 1))
    done
    return 1
}

end_all() {
    local pids
    for name in TERM KILL; do
        mapfile -t pids < <(ours)
        [ ${#pids[@]} -gt 0 ] || return 0
        kill "-$name" "${pids[@]}" 2>/dev/null || true
        wait_until_none 5 || true
    done
}

finish() {
    local code=$?
    trap - EXIT
    trap '' INT TERM HUP
    [ -z "$child" ] || kill -TERM -- "-$child" 2>/dev/null || true
    if ! wait_until_none 3; then
        mapfile -t pids < <(ours)
        echo "renkei: still running and ended now:" >&2
        for pid in "${pids[@]}"; do
            echo "  $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | cut -c1-160)" >&2
        done
        end_all
        [ "$code" -ne 0 ] || code=1
    fi
    rm -rf "$folder"
    exit "$code"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Job control gives the command a process group of its own, and keeps its interrupt signal from being ignored.
set -m
env "$mark" TMPDIR="$folder" "$@" </dev/null &
child=$!
set +m
code=0
wait "$child" || code=$?
child=
exit "$code"
