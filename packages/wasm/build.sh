#!/usr/bin/env bash
# OUT gets the npm package: SQLite with vecrank as one WebAssembly module, and the JavaScript around it.
#
# Rust's standard library for the target comes from its sources: Debian's packages rustc-web, cargo-web and rust-web-src
# have a compiler and the sources of one version. clang-22 and lld-22 compile and link SQLite.
set -euo pipefail
out=$1
here=$(cd "$(dirname "$0")" && pwd)
target=${CARGO_TARGET_DIR:-$VECRANK_ROOT/target}/package-wasm
for tool in /usr/bin/rustc /usr/bin/cargo clang-22 wasm-ld-22; do
  command -v "$tool" >/dev/null || {
    echo "packages/wasm needs $tool: apt-get install rustc-web cargo-web rust-web-src clang-22 lld-22" >&2
    exit 1
  }
done
cd "$here"

# - OMIT_LOAD_EXTENSION would take the table of SQLite's functions from what sqlite3_auto_extension() registers.
# - A panic unwinds to the guard of the extension, which makes it an error, as elsewhere.
RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc CARGO_TARGET_DIR=$target \
  CC_wasm32_unknown_unknown=clang-22 AR_wasm32_unknown_unknown=ar \
  CFLAGS_wasm32_unknown_unknown='-msimd128 -mbulk-memory' \
  SQLITE_WASM_RS_FLAGS='-USQLITE_OMIT_LOAD_EXTENSION' \
  RUSTFLAGS='-Cpanic=unwind -Ctarget-feature=+simd128 -Clinker=wasm-ld-22' \
  /usr/bin/cargo build --release --quiet --locked --package vecrank-wasm \
  --target wasm32-unknown-unknown -Zbuild-std=std,panic_unwind

staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT
CARGO_TARGET_DIR=$target cargo run --quiet --locked --package bindgen -- \
  "$target/wasm32-unknown-unknown/release/vecrank_wasm.wasm" "$staged"
cp vecrank/* "$VECRANK_ROOT"/LICENSE-* "$staged"
sed "s/\"version\": \"0.0.0\"/\"version\": \"$VECRANK_VERSION\"/" vecrank/package.json >"$staged/package.json"
(cd "$staged" && npm pack --silent --pack-destination "$out" >/dev/null)
