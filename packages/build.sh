#!/usr/bin/env bash
# Builds one package from the tree.
#
#   packages/build.sh NAME OUT     NAME is a folder beside this script, OUT the folder that gets the package
set -euo pipefail
[ $# = 2 ] || { echo "usage: packages/build.sh NAME OUT" >&2; exit 2; }
root=$(cd "$(dirname "$0")/.." && pwd)
builder=$root/packages/$1/build.sh
if [ ! -f "$builder" ]; then
  echo "unknown package: $1 (there are: $(cd "$root/packages" && printf '%s\n' */build.sh | xargs -n1 dirname | xargs))" >&2
  exit 2
fi
mkdir -p "$2"
out=$(cd "$2" && pwd)
cd "$root"
cargo build --release --quiet --workspace
target=${CARGO_TARGET_DIR:-$root/target}
case $target in /*) ;; *) target=$root/$target ;; esac
library=$target/release/libvecrank.so
[ -f "$library" ] || library=$target/release/libvecrank.dylib
export VECRANK_ROOT=$root
export VECRANK_LIBRARY=${VECRANK_LIBRARY:-$library}
export VECRANK_COMMAND=${VECRANK_COMMAND:-$target/release/vecrank}
VECRANK_VERSION=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' Cargo.toml)
export VECRANK_VERSION
[ -n "$VECRANK_VERSION" ] || { echo "Cargo.toml has no version under [workspace.package]" >&2; exit 1; }
exec bash "$builder" "$out"
