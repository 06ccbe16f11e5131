#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
# Rolegate beside HAProxy, PgBouncer (session mode), nginx (stream) and no proxy at all, in front of one PostgreSQL.
# Installs what it needs, builds, and prints one table; every figure is a median over rounds that take turns.
#
#   bench/run.sh [quick|full] [--out DIR]
#
# quick takes about two minutes, full about twenty. DIR (bench/results) gets results.json and results.svg.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
deploy/packages.sh build cluster bench
if [[ -z ${ROLEGATE_BINARY:-} ]]; then
    log=$(mktemp /tmp/rolegate-bench-build.XXXXXX.log)
    if ! { cmake --preset release && cmake --build --preset release --target rolegate; } > "$log" 2>&1; then
        tail -n 50 "$log"
        exit 1
    fi
    rm -f "$log"
fi
exec /usr/bin/python3 bench/throughput.py "$@"
