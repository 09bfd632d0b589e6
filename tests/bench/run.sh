#!/bin/sh
# make bench: run.sh BUILD JSON COMPARE [OPTION...]; JSON and COMPARE may be empty.
# SCENARIOS has parts of names, separated by commas.
set -eu
here=$(dirname "$0")
build=$1
json=$2
compare=$3
shift 3

# Rather now than after minutes of measuring.
if [ -n "$compare" ]; then
	/usr/bin/python3 "$here/compare.py" "$compare"
	if [ -n "$json" ] && [ "$(realpath "$compare")" = "$(realpath -m "$json")" ]; then
		echo "run.sh: $json would be overwritten before it is compared with" >&2
		exit 1
	fi
fi
made=
if [ -n "$compare" ] && [ -z "$json" ]; then
	json=$(mktemp)
	made=$json
	trap 'rm -f "$made"' EXIT
fi
if [ -n "$json" ]; then
	set -- --json "$json" "$@"
fi
"$build/tests/bench/bench" "$@"
if [ -n "$compare" ]; then
	/usr/bin/python3 "$here/compare.py" "$compare" "$json"
fi
