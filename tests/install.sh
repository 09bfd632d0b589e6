#!/bin/sh
# Installs the Debian packages of tests/packages.txt that this machine lacks; silent when none is missing.
set -eu

list=$(dirname "$0")/packages.txt

installed() {
	[ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null | cut -c 1-2)" = ii ]
}

missing=
while read -r package; do
	case $package in '' | '#'*) continue ;; esac
	installed "$package" || missing="$missing $package"
done <"$list"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ]; then
	echo "These Debian packages are missing and only root can install them:" >&2
	echo "  apt-get install --no-install-recommends$missing" >&2
	exit 1
fi

echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)

# Tests start their own daemons: none of a package (charon) shall run on this machine because of them.
policy=/usr/sbin/policy-rc.d
[ -e "$policy" ] && policy=
trap 'rm -f "$log" $policy' EXIT
if [ -n "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod +x "$policy"
fi
# shellcheck disable=SC2086 # a list of words
if ! { apt-get update && apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
	cat "$log" >&2
	echo "The packages could not be installed." >&2
	exit 1
fi
