#!/usr/bin/env bash
# Runs the tests of the border to C under AddressSanitizer and under valgrind. Not part of tests/run.sh: it takes long,
# and the sanitizer needs a flag that stable Rust gives only when told to (RUSTC_BOOTSTRAP).
#
#   tests/sanitize.sh                      both
#   tests/sanitize.sh address              AddressSanitizer
#   tests/sanitize.sh valgrind             valgrind (Debian: valgrind)
#
# Leaks at exit are not reported: SQLite and the test harness keep what the process ends with.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}

# Those that load the extension, but for the ones that limit the memory of a process (a sanitizer maps terabytes).
under_address=(ffi_hosts ffi_panic ffi_static functions wrong_input vtab limits safety)
under_valgrind=(ffi_hosts ffi_panic ffi_static functions)

address() {
  local triple tests=() name
  triple=$(rustc -vV | sed -n 's/^host: //p')
  for name in "${under_address[@]}"; do tests+=(--test "$name"); done
  RUSTC_BOOTSTRAP=1 RUSTFLAGS='-Zsanitizer=address -Clink-arg=-rdynamic' ASAN_OPTIONS=detect_leaks=0 \
    cargo test --target "$triple" --target-dir "$target/address" -p vecrank-tests "${tests[@]}" --no-fail-fast
}

valgrind() {
  local name binary
  for name in "${under_valgrind[@]}"; do
    binary=$(cargo test -p vecrank-tests --test "$name" --no-run --message-format short 2>&1 |
      sed -n 's/.*Executable .*(\(.*\))$/\1/p')
    echo "valgrind $name"
    command valgrind --quiet --error-exitcode=1 --leak-check=no "$binary" --test-threads=1
  done
}

modes=("$@")
[ ${#modes[@]} -gt 0 ] || modes=(address valgrind)
for mode in "${modes[@]}"; do
  case $mode in
    address | valgrind) "$mode" ;;
    *) echo "unknown mode: $mode" >&2; exit 2 ;;
  esac
done
