# SPDX-License-Identifier: PostgreSQL
# Sourced by the programs of this directory, in the repository's: packages, and build/rolegate unless ROLEGATE_BINARY
# names another one. Quiet unless something fails.
deploy/packages.sh build cluster bench
if [[ -z ${ROLEGATE_BINARY:-} ]]; then
    log=$(mktemp /tmp/rolegate-bench-build.XXXXXX.log)
    if ! { cmake --preset release && cmake --build --preset release --target rolegate; } > "$log" 2>&1; then
        tail -n 50 "$log"
        exit 1
    fi
    rm -f "$log"
fi
