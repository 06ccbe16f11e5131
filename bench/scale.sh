#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
# What Rolegate costs as its work grows: sessions, members of a cluster, listeners, clusters in one process. CPU of the
# control thread and of the workers while nothing happens, memory, and the time a role change takes to be seen.
# Installs what it needs, builds, and prints one table. Members and servers are fakes on loopback addresses.
#
#   bench/scale.sh [--only sessions,members,listeners,clusters] [--seconds SECONDS] [--changes N] [--out DIR]
#
# Takes about five minutes. DIR (bench/results) gets scale.json.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source bench/prepare.sh
exec /usr/bin/python3 bench/scale.py "$@"
