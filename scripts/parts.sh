# SPDX-License-Identifier: Apache-2.0
# The parts of ./check: each a function that counts what passed and failed.

declare -A parts=(
	[layers]='which folder may include and link what'
	[format]='the form of the C'
	[man]='the man pages'
	[build-clang]='that clang builds it too'
	[tidy]='clang-tidy'
	[units]='the libraries, and the fuzz corpora'
	[platform]='the web platform of cells, in a bare context'
	[proc]='each process against fake peers'
	[e2e]='the whole host with real MCP clients'
	[e2e-sanitized]='the whole host under ASan and UBSan'
	[e2e-quick]='the whole host, quickly'
	[egress]='the way out, in network namespaces of its own'
	[conformance]='the official conformance suite, through the host'
	[soak]='three minutes of clients, while everything is killed'
	[soak-quick]='the same for 20 seconds'
	[abuse]='hostile tools, each with its positive control'
	[abuse-quick]='hostile tools, without controls and long ones'
	[demo]='what ./run --demo shows'
)

passed=0
failed=0
skipped=0
logs=build/check-logs

count() {
	((passed += $1, failed += $2, skipped += ${3:-0})) || true
	printf '       %s passed, %s failed%s\n' "$1" "$2" \
	    "$( ((${3:-0} == 0)) || printf ', %s skipped' "$3")"
}

# one NAME COMMAND…: one check that passes when the command does.
one() {
	local name=$1 log
	shift
	mkdir -p "$logs"
	log=$logs/${name//[^a-z0-9]/-}.txt
	if "$@" </dev/null >"$log" 2>&1; then
		((passed += 1))
		return 0
	fi
	((failed += 1))
	printf '       FAILED: %s (%s)\n' "$name" "$log"
	tail -n 40 "$log"
}

# node_tests NAME FLAGS… -- FILES…: runs them and counts.
node_tests() {
	local log=$logs/$1.tap flags=() status=0
	shift
	while [[ $1 != -- ]]; do
		flags+=("$1")
		shift
	done
	shift
	(($# > 0)) && [[ -e $1 ]] || {
		count 0 1
		echo "       FAILED: there are no tests in $log"
		return 0
	}
	mkdir -p "$logs"
	"$node" --test --test-reporter=tap --test-timeout=600000 \
	    "${flags[@]}" "$@" </dev/null >"$log" 2>&1 || status=$?
	local p f c s
	p=$(sed -n 's/^# pass //p' "$log")
	f=$(sed -n 's/^# fail //p' "$log")
	c=$(sed -n 's/^# cancelled //p' "$log")
	s=$(sed -n 's/^# skipped //p' "$log")
	f=$((${f:-1} + ${c:-0}))
	((status == 0 || f > 0)) || f=1
	count "${p:-0}" "$f" "${s:-0}"
	((f == 0)) || tap_failures "$log"
}

# What failed in a TAP file, with its reasons, innermost first.
tap_failures() {
	awk '/^ *not ok /{ show = 1; lines = 0 }
	     show && lines++ < 30 { print "       " $0 }
	     /^ *\.\.\.$/ { show = 0 }' "$1" | sed -n 1,300p
	echo "       all of it: $1"
}

part_layers() {
	node_tests layers -- scripts/layers.test.mjs
	one layers "$node" scripts/layers.mjs build
}

c_files() {
	git ls-files -co --exclude-standard -- 'src/*.[ch]' 'src/*.cc' \
	    'tests/*.[ch]' 'bench/*.[ch]'
}

part_format() {
	local files bad
	mapfile -t files < <(c_files)
	bad=$(clang-format --dry-run -Werror "${files[@]}" 2>&1 |
	    sed -n 's/:[0-9]*:[0-9]*: error:.*//p' | sort | uniq -c || true)
	if [[ -z $bad ]]; then
		count "${#files[@]}" 0
		return 0
	fi
	count $((${#files[@]} - $(wc -l <<<"$bad"))) "$(wc -l <<<"$bad")"
	printf '       places in files that clang-format would change:\n%s\n' "$bad"
}

part_man() {
	local page
	for page in man/*.[1-9]; do
		one "$page" mandoc -T lint -W warning "$page"
	done
}

# The C only: clang 14 lacks what V8's headers ask of C++20.
part_build_clang() {
	one clang-setup env CC=clang CXX=g++ \
	    bash -c '[[ -f build-clang/build.ninja ]] || meson setup build-clang'
	one clang-build ninja -C build-clang
}

part_tidy() {
	local files
	mapfile -t files < <(git ls-files -co --exclude-standard -- 'src/*.c')
	one tidy clang-tidy --quiet -p build "${files[@]}"
}

# meson_tests DIR: its tests, counted by their own subtests.
meson_tests() {
	local dir=$1 log=$logs/meson-${1//[^a-z]/-}.txt status=0
	mkdir -p "$logs"
	meson test -C "$dir" --no-rebuild --print-errorlogs \
	    --timeout-multiplier 4 </dev/null >"$log" 2>&1 || status=$?
	local counts
	counts=$("$node" scripts/junit-count.mjs \
	    "$dir/meson-logs/testlog.junit.xml")
	# shellcheck disable=SC2086
	count $counts
	((status == 0)) || {
		[[ $counts != *' 0 '* ]] || ((failed += 1))
		grep -v '^ *[0-9]*/[0-9]* .* OK ' "$log" | tail -n 80
	}
}

part_units() {
	local dir=build
	[[ $fast ]] || dir=build-check
	meson_tests "$dir"
}

part_platform() {
	node_tests platform --experimental-vm-modules -- tests/js/*.test.mjs
}

part_proc() {
	local files
	shopt -s nullglob
	files=(tests/proc/*.test.mjs)
	shopt -u nullglob
	((${#files[@]} == 0)) || node_tests proc --test-concurrency=3 -- "${files[@]}"
}

part_e2e() {
	node_tests e2e --test-concurrency=1 -- tests/e2e/*.test.mjs
}

part_e2e_quick() {
	node_tests e2e-quick --test-concurrency=1 -- \
	    tests/e2e/clients.test.mjs tests/e2e/http.test.mjs
}

# The processes themselves under the sanitizers (the glue goes without: it
# would have to load them before the engine).
part_e2e_sanitized() {
	CORDON_BUILD=build-check CORDON_TEST_PATIENCE=3 \
	    node_tests e2e-sanitized --test-concurrency=1 -- \
	    tests/e2e/{http,crash,clients,sessions,lossless,bridges}.test.mjs
}

# Each file has a network namespace of its own (tests/lib/inside.mjs).
part_egress() {
	node_tests egress --test-concurrency=2 -- tests/egress/*.test.mjs \
	    tests/abuse/egress*.test.mjs
}

part_conformance() {
	node_tests conformance --test-concurrency=1 -- \
	    tests/conformance/*.test.mjs
}

part_soak() {
	CORDON_SOAK_SECONDS=${CORDON_SOAK_SECONDS:-180} \
	    node_tests soak -- tests/soak/*.test.mjs
}

part_soak_quick() {
	CORDON_SOAK_SECONDS=20 \
	    node_tests soak-quick --test-concurrency=2 -- tests/soak/*.test.mjs
}

# Attacks on boxes mostly wait for a limit: two files at a time. Those on cells
# are held against clocks, and run alone. Those on egress are a part of its own.
part_abuse() {
	local boxes=(tests/abuse/{box,guard}*.test.mjs) others=() file

	for file in tests/abuse/*.test.mjs; do
		[[ " ${boxes[*]} " == *" $file "* || $file == */egress* ]] ||
		    others+=("$file")
	done
	node_tests abuse-boxes --test-concurrency=2 -- "${boxes[@]}"
	node_tests abuse --test-concurrency=1 -- "${others[@]}"
}

part_abuse_quick() {
	CORDON_TEST_CONTROLS=0 node_tests abuse-quick --test-concurrency=1 -- \
	    tests/abuse/{cpu,escape,results}.test.mjs
}

part_demo() {
	one demo ./run --demo --port 0
}

summary() {
	printf '[%3ds] done\n' $((SECONDS - started))
	((passed + failed > 0)) || {
		echo 'check: no test was run' >&2
		echo '0 passed, 0 failed'
		exit 1
	}
	if ((skipped > 0)); then
		printf '%d passed, %d failed, %d skipped\n' \
		    "$passed" "$failed" "$skipped"
	else
		printf '%d passed, %d failed\n' "$passed" "$failed"
	fi
	((failed == 0)) || exit 1
}
