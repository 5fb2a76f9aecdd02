#!/usr/bin/env bash
# Builds the playground into the folder OUT, for any web server: the page, the package for browsers, and the sample
# catalogue as an SQLite file.
#
#   docs/playground/build.sh OUT
set -euo pipefail
[ $# = 1 ] || { echo "usage: docs/playground/build.sh OUT" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
mkdir -p "$1"
out=$(cd "$1" && pwd)
staged=$(mktemp -d)
trap 'rm -rf "$staged"' EXIT

"$root/packages/build.sh" wasm "$staged"
rm -rf "$out/vecrank-wasm" "$out/feed.db"
mkdir "$out/vecrank-wasm"
tar -xzf "$staged"/vecrank-wasm-*.tgz -C "$out/vecrank-wasm" --strip-components 1
rm "$out"/vecrank-wasm/{package.json,README.md,*.d.ts}
cp "$here"/*.html "$here"/*.css "$here"/*.js "$out"

# Half precision holds the sample's numbers as they are, and halves the vectors.
"$target/release/vecrank" import "$root/examples/catalogue/catalogue.parquet" "$out/feed.db" \
  --table articles --key article_id --index category --element f16

cd "$out"
files=$(find . -type f ! -name sw.js ! -name 'LICENSE-*' -printf '"%P", ' | sort)
build=$(find . -type f ! -name sw.js -exec cksum {} + | sort | cksum | cut -d ' ' -f 1)
sed "s|@BUILD@|$build|; s|@FILES@|\"./\", $files|" "$here/sw.js" >sw.js
