#!/usr/bin/env bash
# OUT gets the header, the static library, and a description of both for pkg-config.
set -euo pipefail
target=${CARGO_TARGET_DIR:-$VECRANK_ROOT/target}
cargo build --release --quiet --package vecrank-c
mkdir -p "$1/include" "$1/lib/pkgconfig"
sed "s/@VERSION@/$VECRANK_VERSION/" "$VECRANK_ROOT/packages/c/include/vecrank.h" >"$1/include/vecrank.h"
cp "$target/release/libvecrank_c.a" "$1/lib/libvecrank.a"
cat >"$1/lib/pkgconfig/vecrank.pc" <<END
prefix=\${pcfiledir}/../..

Name: vecrank
Description: An SQLite extension that ranks rows by vector distance
Version: $VECRANK_VERSION
Requires: sqlite3 >= 3.38
Cflags: -I\${prefix}/include
Libs: -L\${prefix}/lib -lvecrank -lm -lpthread -ldl
END
