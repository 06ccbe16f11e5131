#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
# Builds and tests everything, or the parts that are named, on a fresh Debian 12. Quiet when all is well.
#
#   tests/run.sh [unit|loopback|cluster|package|asan|tsan|fuzz|lint|all]...
#
# unit      pure tests and the replayed fuzz corpora      loopback  real sockets, scripted servers; the long random test
# cluster   a real Patroni cluster on loopback            lint      who may include whom, and style
# asan      unit, replay, loopback under ASan and UBSan   tsan      loopback under TSan
# fuzz      each fuzz target for FUZZ_SECONDS (5)         package   the .deb, its service, manual, completion and schema
#
# CI=true makes warnings errors. ROLEGATE_TEST_TIMEOUT_SCALE stretches every limit of the tests (1; of cluster, asan, tsan 3).
# The last line is always "N passed, N failed".
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
export PYTHONDONTWRITEBYTECODE=1

passed=0
failed=0
running=""     # what is waited for
cluster_run="" # the cluster tests, beside the other parts

# Every command runs in a session of its own, so that it ends with all its children when this script is interrupted.
# Children that need to clean up (a whole cluster) do so on SIGTERM, which takes a while.
end_running() {
    trap '' INT TERM HUP
    local group waited=0
    for group in $running $cluster_run; do
        kill -TERM -- "-$group" 2>/dev/null
    done
    for group in $running $cluster_run; do
        while kill -0 -- "-$group" 2>/dev/null && ((waited++ < 300)); do sleep 0.1; done
        kill -KILL -- "-$group" 2>/dev/null
    done
    echo "interrupted; logs are in ${logs:-}" >&2
    exit "$1"
}
trap 'end_running 130' INT
trap 'end_running 143' TERM HUP

# run LOG COMMAND...: its exit code is the command's.
run() {
    local log=$1 code
    shift
    setsid "$@" >> "$log" 2>&1 < /dev/null &
    running=$!
    wait "$running"
    code=$?
    running=""
    return $code
}

report() { # PART SECONDS PASSED FAILED LOG
    printf '%-10s %5d s  %5d passed  %3d failed\n' "$1" "$2" "$3" "$4"
    passed=$((passed + $3))
    failed=$((failed + $4))
    if (($4 > 0)); then
        { echo "$1 failed; full output: $5"; what_failed "$5"; } >> "$logs/failures"
    fi
}

# What a reader needs first, short enough to be read whole: the failed checks of doctest, each with its case, errors of
# compilers and sanitizers, and of each failed test of pytest what it says. The end of the log when none is found.
what_failed() { # LOG
    local found
    found=$(awk '
        /TEST CASE:/ { name = $0; sub(/.*TEST CASE: */, "", name) }
        / ERROR: |==ERROR: |WARNING: ThreadSanitizer|SUMMARY: / { print name "\n    " $0; more = 1; next }
        /^[^ ]+:[0-9]+:[0-9]+: (fatal )?error: |^([0-9]+: )?FAILED |^ERROR |half [12] ended with/ { print; next }
        /^=+ (FAILURES|ERRORS) =+$/ { within = 1; next }
        /^=+ .* =+$/ { within = 0 }
        within && /^_+ .* _+$/ { print; lines = 0; next }
        within && /^(E  |[^ ]+:[0-9]+: )/ && lines++ < 12 { print "    " $0 }
        more && /values:/ { print "    " $0 }
        { more = 0 }' "$1" | cut -c 1-400 | head -n 60)
    if [[ -n $found ]]; then echo "$found"; else tail -n 40 "$1" | cut -c 1-400; fi
}

# build PRESET LOG [TARGET...]
build() {
    local preset=$1 log=$2 werror=OFF
    shift 2
    [[ ${CI:-} == true || ${CI:-} == 1 ]] && werror=ON
    run "$log" cmake --preset "$preset" "-DROLEGATE_WERROR=$werror" &&
        run "$log" cmake --build --preset "$preset" ${1:+--target "$@"}
}

# Counts cases: those that doctest counts inside one program, and one for every other test.
count_ctest() { # LOG
    awk '
        /^ *[0-9]+\/[0-9]+ Test +#[0-9]+:/ {
            split($0, half, "#"); id = half[2] + 0
            ended[id] = / Passed /
        }
        /^[0-9]+: \[doctest\] test cases:/ {
            id = $1 + 0; split($0, field, "|")
            cases[id] = 1; good[id] += field[2]; bad[id] += field[3]
        }
        END {
            for (id in ended) {
                if (!cases[id]) good[id] = ended[id]
                if (!ended[id] && !bad[id]) bad[id] = 1
                passed += good[id]; failed += bad[id]
            }
            print passed + 0, failed + 0
        }' "$1"
}

# Fixed addresses where the kernel allows it: ThreadSanitizer of GCC 12 fails with much address randomisation.
fixed_addresses=()
setarch "$(uname -m)" -R true 2>/dev/null && fixed_addresses=(setarch "$(uname -m)" -R)

ctest_part() { # PART PRESET DIRECTORY LABELS [TARGET...]
    local part=$1 begin=$SECONDS log=$logs/$1.log good=0 bad=0 code
    if ! build "$2" "$log" "${@:5}"; then
        report "$part" $((SECONDS - begin)) 0 1 "$log"
        return
    fi
    # Most of them wait most of the time: more than there are processors.
    run "$log" "${fixed_addresses[@]}" ctest --test-dir "$3" -L "$4" --no-tests=error --verbose -j $((2 * $(nproc))) \
        --timeout 1800
    code=$?
    read -r good bad < <(count_ctest "$log")
    # Also a ctest that could not run at all is a failure.
    ((code != 0 && bad == 0)) && bad=1
    report "$part" $((SECONDS - begin)) "$good" "$bad" "$log"
}

count_pytest() { # LOG
    local last good=0 bad=0
    while read -r last; do
        [[ $last =~ ([0-9]+)\ passed ]] && good=$((good + BASH_REMATCH[1]))
        [[ $last =~ ([0-9]+)\ failed ]] && bad=$((bad + BASH_REMATCH[1]))
        [[ $last =~ ([0-9]+)\ error ]] && bad=$((bad + BASH_REMATCH[1]))
    done < <(grep -E '(passed|failed|error).* in [0-9.]+s' "$1")
    echo $good $bad
}

package_part() {
    local begin=$SECONDS log=$logs/package.log good=0 bad=0 code
    if ! build release "$log" rolegate; then
        report package $((SECONDS - begin)) 0 1 "$log"
        return
    fi
    run "$log" timeout --kill-after=30 600 /usr/bin/python3 -m pytest -p no:cacheprovider -v -rfEP --tb=short \
        tests/package
    code=$?
    read -r good bad < <(count_pytest "$log")
    ((code != 0 && bad == 0)) && bad=1
    report package $((SECONDS - begin)) "$good" "$bad" "$log"
}

# Most of the time the cluster tests wait, each half for a cluster of its own: the parts that keep the processors busy
# run beside them.
cluster_begin() {
    cluster_log=$logs/cluster.log cluster_since=$SECONDS
    build release "$cluster_log" || return
    setsid bash -c '
        half() { # NUMBER PREFIX
            local code
            ROLEGATE_TEST_TIMEOUT_SCALE=${ROLEGATE_TEST_TIMEOUT_SCALE:-3} ROLEGATE_TEST_PREFIX=$2 timeout --foreground \
                --kill-after=60 2400 /usr/bin/python3 -m pytest -p no:cacheprovider -v -rfEP --tb=short --durations=8 \
                --half "$1" tests/cluster > "$0.$1" 2>&1
            code=$?
            ((code == 0)) || echo "half $1 ended with code $code (124: it took too long)" >> "$0.$1"
            return $code
        }
        half 1 127.0.1 & half 2 127.0.3 &
        wait -n; first=$?; wait -n; exit $((first | $?))' "$cluster_log" >> "$cluster_log" 2>&1 < /dev/null &
    cluster_run=$!
}

cluster_end() {
    local good=0 bad=0 code=1
    if [[ -n $cluster_run ]]; then
        wait "$cluster_run"
        code=$?
        cluster_run=""
        cat "$cluster_log".[12] >> "$cluster_log"
    fi
    read -r good bad < <(count_pytest "$cluster_log")
    ((code != 0 && bad == 0)) && bad=1
    report cluster $((SECONDS - cluster_since)) "$good" "$bad" "$cluster_log"
}

fuzz_part() {
    local begin=$SECONDS log=$logs/fuzz.log good=0 bad=0 target name corpus
    if ! build fuzz "$log"; then
        report fuzz $((SECONDS - begin)) 0 1 "$log"
        return
    fi
    # libFuzzer writes what it finds into the first corpus directory, so it gets a copy.
    run "$log" bash -c '
        fuzz() { # TARGET
            name=${1##*/fuzz_}
            mkdir -p "$logs/corpus-$name"
            [[ -d tests/fuzz/corpus/$name ]] && cp -r "tests/fuzz/corpus/$name/." "$logs/corpus-$name"
            if "$1" -max_total_time="${FUZZ_SECONDS:-5}" -timeout=10 -rss_limit_mb=2048 \
                -artifact_prefix="$logs/crash-$name-" "$logs/corpus-$name" > "$logs/fuzz-$name.log" 2>&1
            then echo "fuzz_$name: passed"; else cat "$logs/fuzz-$name.log"; echo "fuzz_$name: failed"; fi
        }
        export -f fuzz
        export logs=$0
        find build/fuzz -name "fuzz_*" -type f -executable -not -path "*/CMakeFiles/*" -print0 | sort -z |
            xargs -0 -n 1 -P "$(nproc)" bash -c "fuzz \$0"' "$logs"
    good=$(grep -c '^fuzz_.*: passed$' "$log")
    bad=$(grep -c '^fuzz_.*: failed$' "$log")
    ((good + bad == 0)) && bad=1
    report fuzz $((SECONDS - begin)) "$good" "$bad" "$log"
}

parts=("$@")
if ((${#parts[@]} == 0)) || [[ " ${parts[*]} " == *" all "* ]]; then
    parts=(cluster unit loopback lint package asan tsan fuzz)
fi

packages=(build test)
for part in "${parts[@]}"; do
    case $part in
        unit|loopback|asan|tsan|lint) ;;
        cluster) packages+=(cluster) ;;
        fuzz) packages+=(fuzz) ;;
        package) packages+=(package) ;;
        -h|--help) sed -n '3,13s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "run.sh: no part '$part'; parts are unit loopback cluster package asan tsan fuzz lint all" >&2; exit 2 ;;
    esac
done

logs=$(mktemp -d /tmp/rolegate-tests-log.XXXXXX)
if ! run "$logs/packages.log" deploy/packages.sh "${packages[@]}"; then
    report packages 0 0 1 "$logs/packages.log"
    echo "$passed passed, $failed failed"
    exit 1
fi

for part in "${parts[@]}"; do
    case $part in
        unit)     ctest_part unit release build 'unit|replay' ;;
        loopback) ctest_part loopback release build 'loopback|random' ;;
        lint)     ctest_part lint release build lint ;;
        # Sanitizers are slow, and the cluster tests run beside them.
        asan)     ROLEGATE_TEST_TIMEOUT_SCALE=${ROLEGATE_TEST_TIMEOUT_SCALE:-3} \
                      ctest_part asan asan build/asan 'unit|replay|random|loopback' test_programs ;;
        # What is pure runs on one thread.
        tsan)     ROLEGATE_TEST_TIMEOUT_SCALE=${ROLEGATE_TEST_TIMEOUT_SCALE:-3} \
                      ctest_part tsan tsan build/tsan loopback loopback_tests ;;
        fuzz)     fuzz_part ;;
        package)  package_part ;;
        cluster)  cluster_begin ;;
    esac
done
[[ -z ${cluster_since:-} ]] || cluster_end

# At the end, where one looks first.
[[ -s $logs/failures ]] && cat "$logs/failures"
((failed == 0)) && rm -rf "$logs"
echo "$passed passed, $failed failed"
((failed == 0))
