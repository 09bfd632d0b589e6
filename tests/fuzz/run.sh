#!/bin/sh
# Runs every fuzz target for SECONDS (30) and reports each as a TAP case.
#   run.sh [SECONDS] [TARGET...]
# A crash leaves its input in build-fuzz/artifacts; run the target with that file to see it again.
set -eu
cd "$(dirname "$0")/../.."

seconds=${1:-30}
[ $# -eq 0 ] || shift
build="build-fuzz"

if [ ! -e $build/build.ninja ]; then
	CC=clang meson setup $build -Dfuzz=true -Doptimization=1 -Ddebug=true -Db_sanitize=address,undefined \
		-Db_lundef=false "-Dc_args=-fsanitize=fuzzer-no-link -fno-sanitize=alignment" >$build.log 2>&1 || { cat $build.log; exit 1; }
	mv $build.log $build/setup.log
fi
mkdir -p $build/artifacts

targets=${*:-$(cd tests/fuzz && for f in fuzz_*.c; do echo "${f%.c}"; done)}
# shellcheck disable=SC2086 # a list of words
meson compile -C $build $targets >$build/compile.log 2>&1 || { cat $build/compile.log; exit 1; }
# shellcheck disable=SC2086 # a list of words
set -- $targets

# Number and target; TAP to stdout.
fuzz() {
	name=${2#fuzz_}
	corpus=$build/corpus/$name
	mkdir -p "$corpus"
	seeds=
	[ ! -d "tests/fuzz/corpus/$name" ] || seeds=tests/fuzz/corpus/$name
	log=$build/$2.log
	# shellcheck disable=SC2086
	if ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
		LSAN_OPTIONS=suppressions=tests/lib/lsan.supp:print_suppressions=0 \
		"$build/tests/fuzz/$2" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 \
		-artifact_prefix="$build/artifacts/$name-" -print_final_stats=1 "$corpus" $seeds >"$log" 2>&1; then
		echo "ok $1 - $name"
		sed -n 's/^stat::number_of_executed_units: */# runs /p' "$log"
	else
		tail -n 60 "$log" | sed 's/^/# /'
		echo "not ok $1 - $name"
	fi
}

echo "1..$#"
# Two at a time: the machine that checks has two cores.
number=0
for target; do
	number=$((number + 1))
	fuzz $number "$target" >$build/"$target".tap &
	[ $((number % 2)) -ne 0 ] || wait
done
wait
failed=0
for target; do
	cat $build/"$target".tap
	! grep -q "^not ok" $build/"$target".tap || failed=1
done
exit $failed
