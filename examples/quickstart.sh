#!/usr/bin/env bash
# Builds vecrank, imports the sample catalogue, and shows ranked pages of it.
#
#   examples/quickstart.sh [FILE]     FILE is the database to make, ./feed.db unless told (an older one is replaced)
set -euo pipefail
file=${1:-feed.db}
case $file in /*) ;; *) file=$PWD/$file ;; esac
cd "$(dirname "$0")/.."
command -v cargo >/dev/null || {
  echo "cargo is missing: install Rust 1.89 or newer, e.g. from https://rustup.rs" >&2
  exit 1
}

say() { printf '\n== %s\n' "$*"; }

say "Build"
# The whole workspace: other sets of packages are built with other features, all dependencies anew.
cargo build --release --quiet --workspace
target=${CARGO_TARGET_DIR:-target}
case $target in /*) ;; *) target=$PWD/$target ;; esac
vecrank=$target/release/vecrank
library=$target/release/libvecrank
ls "$vecrank" "$library".so 2>/dev/null || ls "$vecrank" "$library".dylib

say "Import the sample catalogue"
"$vecrank" import examples/catalogue/catalogue.parquet "$file" --table articles --key article_id --index category

# The taste of someone who liked a tent, a pair of mountain boots and a rain jacket.
taste="(SELECT vec_avg(embedding) FROM articles WHERE article_id IN ('A00018', 'A00982', 'A01153'))"
# (An alias named distance would hide the column, and ORDER BY would sort by the rounded value.)
columns="article_id, main_name, retail_price, round(distance, 3) AS away"

feed() { # LIMIT OFFSET [MORE TERMS]
  echo "SELECT $columns FROM articles WHERE embedding MATCH $taste ${3:-} ORDER BY distance LIMIT $1 OFFSET $2;"
}

# The shell is a host like any other: it loads the library and reads the file.
shell_can_load() {
  command -v sqlite3 >/dev/null || return 1
  sqlite3 -batch :memory: ".load $library" "SELECT vecrank_version();" >/dev/null 2>&1
}

if shell_can_load; then
  page() { sqlite3 -batch -bail -cmd ".load $library" -cmd ".mode column" -cmd ".headers on" -readonly "$file" "$1"; }
  say "Page 1, through the sqlite3 shell $(sqlite3 --version | cut -d' ' -f1)"
  page "$(feed 8 0)"
  say "Page 2"
  page "$(feed 8 8)"
  say "Boots and backpacks in stock under 130"
  filter="AND category IN ('Hiking boots', 'Backpacks') AND retail_price < 130 AND in_stock > 0"
  page "$(feed 8 0 "$filter")"
  say "Its plan"
  page "EXPLAIN QUERY PLAN $(feed 8 0 "$filter")"
else
  say "No sqlite3 shell that can load extensions (3.38 or newer): going on with vecrank query"
fi

query() { "$vecrank" query "$file" --like article_id=A00495 --columns article_id,main_name,retail_price --limit 8 "$@"; }
say "More like A00495, through vecrank query"
query
say "Page 2"
query --offset 8
say "In stock and under 50, and the plan"
query --where "in_stock > 0 AND retail_price < 50"
query --where "in_stock > 0 AND retail_price < 50" --explain

say "Done: $file"
