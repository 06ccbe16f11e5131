#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
# Rolegate beside HAProxy, PgBouncer (session mode), nginx (stream) and no proxy at all, in front of one PostgreSQL, in
# clear text, with TLS passed through and with TLS ended by the proxy.
# Installs what it needs, builds, and prints one table; every figure is a median over rounds that take turns.
#
#   bench/run.sh [quick|full] [--out DIR]
#
# quick takes about two minutes, full under twenty. DIR (bench/results) gets results.json and results.svg.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source bench/prepare.sh
exec /usr/bin/python3 bench/compare.py "$@"
