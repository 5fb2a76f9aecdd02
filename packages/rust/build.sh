#!/usr/bin/env bash
# OUT gets the crate: the file that is published, and the folder that it unpacks to.
set -euo pipefail
target=${CARGO_TARGET_DIR:-$VECRANK_ROOT/target}
cargo package --quiet --package vecrank --no-verify --allow-dirty
cp "$target/package/vecrank-$VECRANK_VERSION.crate" "$1"
tar -xzf "$1/vecrank-$VECRANK_VERSION.crate" -C "$1"
