#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
# Rolegate (REST alone, and with a watch on etcd) and HAProxy (checks every 1 s and 3 s) side by side in the same role
# changes of one three-node Patroni cluster: how long writes are away, how long old sessions live on, what goes wrong.
# Installs what it needs, builds, and prints a table for each event.
#
#   bench/failover.sh [--rounds N] [--events switchover,crash,orphan,replicas] [--proxies NAME,...] [--sql] [--out DIR]
#
# A round of all events takes about three minutes. DIR (bench/results) gets failover.json.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source bench/prepare.sh
exec /usr/bin/python3 bench/failover.py "$@"
