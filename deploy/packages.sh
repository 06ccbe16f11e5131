#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
# The one list of Debian packages Rolegate needs, by purpose.
# Installs only what is missing; when nothing is, it is instant and needs neither network nor root.
set -euo pipefail

build=(cmake ninja-build g++ ccache pkg-config libboost1.81-dev libboost-json1.81-dev libboost-url1.81-dev
       libssl-dev libcrypt-dev libpq-dev libsystemd-dev libyaml-cpp-dev prometheus-cpp-dev
       libcli11-dev doctest-dev)
cluster=(patroni etcd-server etcd-client python3-etcd postgresql-15 haproxy python3-psycopg2 python3-yaml)
test=(python3-pytest python3-psycopg2 python3-psycopg python3-asyncpg nodejs node-pg libpostgresql-jdbc-java
      openjdk-17-jdk-headless prometheus chromium openssl iproute2 pgbouncer clang-format-14)
package=(dpkg-dev file gzip lintian man-db groff-base systemd python3-jsonschema python3-yaml curl)
fuzz=(clang-14 libclang-rt-14-dev)
bench=(pgbouncer nginx-light libnginx-mod-stream openssl libbenchmark-dev)

usage() {
    cat <<TEXT
usage: deploy/packages.sh build|cluster|test|package|fuzz|bench ...

  build    compilers and libraries of build/rolegate
  cluster  Patroni, etcd, PostgreSQL and HAProxy, for the demo and the cluster tests
  test     test runners
  package  what makes and judges the Debian package and the manual
  fuzz     clang with libFuzzer
  bench    what Rolegate is compared with, beside HAProxy
TEXT
}

# Debian starts a service when its package is installed, and PostgreSQL's packages create and start a server
# on port 5432. Both would take ports and memory nobody asked for, so they are kept off during the installation.
policy=/usr/sbin/policy-rc.d
saved_policy=/usr/sbin/policy-rc.d.before-rolegate
policy_mark="# written by Rolegate's deploy/packages.sh, removed when it ends"
no_main_cluster=/etc/postgresql-common/createcluster.d/rolegate.conf

keep_services_off() {
    if [[ -e $policy ]] && ! grep -qF "$policy_mark" "$policy"; then
        mv "$policy" "$saved_policy"
    fi
    printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" > "$policy"
    chmod 755 "$policy"
    if [[ ! -d /etc/postgresql && ! -e $no_main_cluster ]]; then
        mkdir -p "${no_main_cluster%/*}"
        echo "create_main_cluster = false" > "$no_main_cluster"
    fi
}

allow_services_again() {
    rm -f "$no_main_cluster"
    if [[ -e $policy ]] && grep -qF "$policy_mark" "$policy"; then
        rm -f "$policy"
    fi
    if [[ -e $saved_policy ]]; then
        mv "$saved_policy" "$policy"
    fi
}

# Beside a nodejs that is not Debian's, node-pg cannot be installed. It is JavaScript alone, so it and what it needs
# are unpacked where only the tests look for them.
node_libraries=/usr/local/share/rolegate-tests
node_pg=(node-pg node-split2 node-xtend)

unpack_node_pg() {
    local work
    work=$(mktemp -d /tmp/rolegate-node-pg.XXXXXX)
    chmod 755 "$work"
    (cd "$work" && apt-get -o APT::Sandbox::User=root download "${node_pg[@]}") || return 1
    for archive in "$work"/*.deb; do
        dpkg-deb --extract "$archive" "$work/all" || return 1
    done
    mkdir -p "$node_libraries"
    rm -rf "$node_libraries/nodejs"
    mv "$work/all/usr/share/nodejs" "$node_libraries/nodejs"
    rm -rf "$work"
}

is_installed() {
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]] ||
        [[ $1 == node-pg && -d $node_libraries/nodejs/pg ]]
}

install_missing() {
    apt-get update || return 1
    if [[ " ${missing[*]} " == *" node-pg "* ]] && is_installed nodejs &&
        ! apt-get install --simulate --no-install-recommends node-pg; then
        unpack_node_pg || return 1
        local rest=()
        for package in "${missing[@]}"; do
            [[ $package == node-pg ]] || rest+=("$package")
        done
        missing=("${rest[@]}")
    fi
    [[ ${#missing[@]} -eq 0 ]] || apt-get install -y --no-install-recommends "${missing[@]}"
}

wanted=()
for group in "$@"; do
    case $group in
        build)   wanted+=("${build[@]}") ;;
        cluster) wanted+=("${cluster[@]}") ;;
        test)    wanted+=("${test[@]}") ;;
        package) wanted+=("${package[@]}") ;;
        fuzz)    wanted+=("${fuzz[@]}") ;;
        bench)   wanted+=("${bench[@]}") ;;
        -h|--help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
done
if [[ ${#wanted[@]} -eq 0 ]]; then
    usage >&2
    exit 2
fi

missing=()
for package in "${wanted[@]}"; do
    is_installed "$package" || missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 ]]; then
    exit 0
fi

if [[ $(id -u) -ne 0 ]]; then
    echo "packages.sh: these packages are missing and only root can install them: ${missing[*]}" >&2
    echo "packages.sh: run 'sudo deploy/packages.sh $*' once, then try again" >&2
    exit 1
fi

trap allow_services_again EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
keep_services_off

log=$(mktemp /tmp/rolegate-packages.XXXXXX.log)
export DEBIAN_FRONTEND=noninteractive
if ! install_missing > "$log" 2>&1; then
    tail -n 15 "$log" >&2
    echo "packages.sh: could not install ${missing[*]}; full output in $log" >&2
    exit 1
fi
rm -f "$log"
