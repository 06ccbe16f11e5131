#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
# Shows what Rolegate is for, on one machine: packages, build, a three-node Patroni cluster on loopback addresses,
# Rolegate and HAProxy in front of it, and a switchover under writing clients. Ends everything it started.
# deploy/demo.sh --help lists the options.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
log=${TMPDIR:-/tmp}/rolegate-demo-build.$$.log

show_demo() {
    PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$root/deploy" exec /usr/bin/python3 -m demo.demo "$@"
}

# A step runs in a process group of its own, so that an interrupted one ends with all its compilers.
set -m
running=""
end_running() {
    trap '' INT TERM HUP
    if [[ -n $running ]]; then
        kill -TERM -- "-$running" 2>/dev/null || true
        wait "$running" 2>/dev/null || true
    fi
    rm -f "$log"
    echo
    exit "$1"
}
trap 'end_running 130' INT
trap 'end_running 143' TERM HUP

# step TEXT COMMAND...: a progress line with its seconds; the command's output is shown only when it fails.
step() {
    local text=$1 begin=$SECONDS
    shift
    printf '%-58s' "$text"
    "$@" > "$log" 2>&1 < /dev/null &
    running=$!
    if ! wait "$running"; then
        echo "  failed"
        tail -n 30 "$log" >&2
        echo "demo.sh: full output in $log" >&2
        exit 1
    fi
    running=""
    printf '%6d s\n' $((SECONDS - begin))
    rm -f "$log"
}

build() {
    cd "$root" && cmake --preset release && cmake --build --preset release --target rolegate
}

for argument in "$@"; do
    if [[ $argument == -h || $argument == --help ]]; then
        show_demo --help
    fi
done

step "packages" "$root/deploy/packages.sh" build cluster
step "build" build
show_demo "$@"
