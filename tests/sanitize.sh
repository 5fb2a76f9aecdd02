#!/usr/bin/env bash
# Runs the tests of the border to C under AddressSanitizer and under valgrind, and those of the engine under Miri. Not
# part of tests/run.sh: it takes long, and the sanitizer needs a flag that stable Rust gives only when told to
# (RUSTC_BOOTSTRAP).
#
#   tests/sanitize.sh                      the first two
#   tests/sanitize.sh address              AddressSanitizer
#   tests/sanitize.sh valgrind             valgrind (Debian: valgrind)
#   tests/sanitize.sh miri                 Miri (rustup component add --toolchain nightly miri rust-src)
#
# Leaks at exit are not reported: SQLite and the test harness keep what the process ends with.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-$PWD/target}

# Those that link the extension in: the runtime of the sanitizer does not follow into a library that is loaded later.
under_address=(ffi_static 'safety corpus')
under_valgrind=(ffi_hosts ffi_panic ffi_static functions)

address() {
  local triple name test
  triple=$(rustc -vV | sed -n 's/^host: //p')
  for name in "${under_address[@]}"; do
    read -ra test <<<"$name"
    RUSTC_BOOTSTRAP=1 RUSTFLAGS='-Zsanitizer=address -Clink-arg=-rdynamic' ASAN_OPTIONS=detect_leaks=0 \
      cargo test --target "$triple" --target-dir "$target/address" -p vecrank-tests --test "${test[@]}"
  done
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

# The layers that have unsafe code and call no C, and threads. The CPU's features are given, for Miri has none by itself
# and would see the portable kernels only.
miri() {
  local layers=(distance:: quantize:: format:: memory_hints:: storage:: hnsw::build::) features=''
  if [ "$(uname -m)" = x86_64 ]; then features='-Ctarget-feature=+avx2,+fma,+f16c'; fi
  PROPTEST_CASES=2 MIRIFLAGS=-Zmiri-disable-isolation RUSTFLAGS=$features \
    cargo +nightly miri test --target-dir "$target/miri" -p vecrank --lib -- "${layers[@]}"
}

modes=("$@")
[ ${#modes[@]} -gt 0 ] || modes=(address valgrind)
for mode in "${modes[@]}"; do
  case $mode in
    address | valgrind | miri) "$mode" ;;
    *) echo "unknown mode: $mode" >&2; exit 2 ;;
  esac
done
