#!/bin/sh
# Prints two lines: the folder that holds the headers of the strongSwan that this machine has installed, and the folder
# that charon loads plugins from. Fetches the headers first when they are not there yet: Debian ships no development
# package, so they are taken from the source package of the same upstream version. They are kept outside of the build
# folders, which all use one copy.
#
# apt is asked with sources, lists and cache of our own: the machine's configuration is read, not changed. Ends with 1
# and one message when the headers cannot be had; everything but the charon plugin builds without them.
set -eu

lacking() {
	echo "The charon plugin (IKE) is not built: $1" >&2
	exit 1
}

installed=$(dpkg-query -W -f '${source:Version}' strongswan-libcharon 2>/dev/null) || installed=
[ -n "$installed" ] || lacking "strongSwan is not installed; apt-get install charon-systemd, then make again."
upstream=${installed#*:}
upstream=${upstream%-*}

if [ "$(id -u)" = 0 ]; then
	cache=/var/cache/isthmus
else
	cache=${XDG_CACHE_HOME:-$HOME/.cache}/isthmus
fi
headers=$cache/strongswan-$upstream
found() {
	echo "$headers"
	dirname "$(dpkg -L libstrongswan | grep -m 1 '/libstrongswan-nonce\.so$')"
}
if [ -d "$headers" ]; then
	found
	exit 0
fi

mkdir -p "$cache"
work=$(mktemp -d "$cache/fetch-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/parts" "$work/lists/partial" "$work/archives/partial"

# The distribution's own sources, with source packages in place of binary ones.
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
	grep -Eqi '^[^#]*(debian|ubuntu)' "$list" 2>/dev/null || continue
	case $list in
	*.sources) sed 's/^Types:.*/Types: deb-src/' "$list" >"$work/parts/${list##*/}" ;;
	*) sed -n 's/^deb /deb-src /p' "$list" >"$work/parts/${list##*/}.list" ;;
	esac
done

# The tarball is what is needed. The patches of a superseded security version may be gone from the mirrors while the
# tarball is there: so apt's own verdict does not count.
apt() {
	apt-get -q -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/parts" -o Acquire::Retries=1 \
		-o Dir::State::lists="$work/lists" -o Dir::Cache::archives="$work/archives" -o Dir::Cache::srcpkgcache= \
		-o Dir::Cache::pkgcache= -o Acquire::http::Timeout=15 -o APT::Sandbox::User="$(id -un)" "$@" >>"$work/log" 2>&1
}
tarball() {
	for archive in "$work/strongswan_$upstream.orig.tar."[a-z0-9]*; do
		case $archive in *.asc | *.FAILED) continue ;; esac
		if [ -e "$archive" ]; then
			echo "$archive"
			return
		fi
	done
	false
}
apt update || true
cd "$work"
apt source --download-only "strongswan=$installed" || apt source --download-only strongswan || true
archive=$(tarball) || lacking "the source of strongSwan $upstream could not be fetched: $(grep -m 1 '^[EW]:' "$work/log" ||
	echo 'apt found none')"

mkdir "$work/tree"
tar -xf "$archive" -C "$work/tree" --strip-components=1 --wildcards '*/src/libstrongswan/*.h' '*/src/libcharon/*.h' \
	2>"$work/log" || lacking "$(tail -n 1 "$work/log") (is bzip2 installed?)"
mv -T "$work/tree" "$headers" 2>/dev/null || [ -d "$headers" ]
found
